#include "io/http/http_connection.hpp"

#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <utility>

namespace freshet {

namespace {

namespace http = boost::beast::http;

constexpr Duration kLingering{1'000};

std::string text_of(boost::beast::string_view text) { return {text.data(), text.size()}; }

}  // namespace

struct HttpConnection::Parser {
    http::request_parser<http::empty_body> request;
};

HttpConnection::HttpConnection(asio::io_context& loop, asio::ip::tcp::socket socket,
                               std::shared_ptr<TlsContext> tls, const HttpLimits& limits,
                               const HttpServer::Handler& handler, Closed closed)
    : loop_(loop),
      socket_(std::move(socket)),
      limits_(limits),
      handler_(handler),
      closed_(std::move(closed)),
      deadline_(loop),
      parser_(std::make_unique<Parser>()) {
    parser_->request.header_limit(static_cast<std::uint32_t>(limits.header_bytes));
    if (tls) socket_.speak(std::make_unique<TlsStream>(std::move(tls)));
    asio::error_code ignored;
    socket_.raw().non_blocking(true, ignored);
    socket_.raw().set_option(asio::ip::tcp::no_delay(true), ignored);
}

HttpConnection::~HttpConnection() = default;

void HttpConnection::start() {
    enter(State::asking, limits_.asking);
    read();
}

// Until the next state, at most so long.
void HttpConnection::enter(State state, Duration most) {
    state_ = state;
    deadline_.expires_after(most);
    deadline_.async_wait([self = shared_from_this()](const asio::error_code& cancelled) {
        if (!cancelled) self->late();
    });
}

void HttpConnection::late() {
    if (state_ != State::answering) return close();
    respond(plain_text(504, "no answer in time\n"));
}

void HttpConnection::read() {
    socket_.read(room_, [self = shared_from_this()](const asio::error_code& error, std::size_t bytes) {
        if (self->state_ != State::asking) return;
        if (error) return self->close();
        self->received(bytes);
    });
}

void HttpConnection::received(std::size_t bytes) {
    received_.append(room_.data(), bytes);
    boost::system::error_code error;
    auto& request = parser_->request;
    while (!error && !received_.empty() && !request.is_header_done()) {
        const std::size_t taken = request.put(boost::asio::buffer(received_), error);
        received_.erase(0, taken);
    }
    if (request.is_header_done()) return ask();
    if (error == http::error::header_limit || received_.size() > limits_.header_bytes)
        return respond(plain_text(431, "the request's header is too large\n"));
    if (error && error != http::error::need_more)
        return respond(plain_text(400, "not a request of HTTP/1.1: " + error.message() + "\n"));
    read();
}

void HttpConnection::ask() {
    const auto& message = parser_->request.get();
    with_body_ = message.method() != http::verb::head;
    if (with_body_ && message.method() != http::verb::get) {
        HttpResponse response = plain_text(405, "only GET and HEAD are answered\n");
        response.headers.emplace_back("Allow", "GET, HEAD");
        return respond(response);
    }
    auto request = parse_target(text_of(message.target()));
    if (!request) return respond(plain_text(400, "the path or its query does not decode\n"));
    request->host = text_of(message[http::field::host]);
    request->authorization = text_of(message[http::field::authorization]);
    enter(State::answering, limits_.answering);
    handler_(*std::move(request), [weak = weak_from_this()](HttpResponse response) {
        const auto self = weak.lock();
        if (!self) return;
        asio::post(self->loop_, [self, response = std::move(response)] {
            if (self->state_ == State::answering) self->respond(response);
        });
    });
}

void HttpConnection::respond(const HttpResponse& response) {
    out_ = response.bytes(with_body_);
    enter(State::taking, limits_.taking);
    write();
}

void HttpConnection::write() {
    while (sent_ < out_.size() || socket_.holds()) {
        asio::error_code error;
        sent_ += socket_.write_some(std::string_view(out_).substr(sent_), error);
        if (error == asio::error::would_block)
            return socket_.raw().async_wait(asio::ip::tcp::socket::wait_write,
                                            [self = shared_from_this()](const asio::error_code& failed) {
                                                if (self->state_ != State::taking) return;
                                                failed ? self->close() : self->write();
                                            });
        if (error) return close();
    }
    linger();
}

// Closing with bytes unread would reset the connection, and the client might lose the answer.
void HttpConnection::linger() {
    enter(State::lingering, kLingering);
    asio::error_code error;
    socket_.end_writing(error);
    error ? close() : discard();
}

void HttpConnection::discard() {
    socket_.raw().async_read_some(asio::buffer(room_),
                                  [self = shared_from_this()](const asio::error_code& error, auto) {
                                      if (self->state_ != State::lingering) return;
                                      error ? self->close() : self->discard();
                                  });
}

void HttpConnection::close() {
    if (std::exchange(state_, State::closed) == State::closed) return;
    deadline_.cancel();
    asio::error_code ignored;
    socket_.raw().close(ignored);
    closed_(*this);
}

}  // namespace freshet
