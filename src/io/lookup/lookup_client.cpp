#include "io/lookup/lookup_client.hpp"

#include <utility>

#include "io/redis/resp_writer.hpp"

namespace freshet {

namespace {

constexpr std::size_t kKeptOutput = 64 * 1024;

}  // namespace

LookupClient::LookupClient(LookupClientHome& home, Socket socket, std::uint64_t client_id)
    : home_(home),
      socket_(std::move(socket)),
      parser_({home.shared().options.max_request_bytes, home.shared().options.max_request_bytes}) {
    id = client_id;
    asio::error_code error;
    const auto peer = socket_.raw().remote_endpoint(error);
    if (!error) address = Endpoint{peer.address().to_string(), peer.port()}.text();
    socket_.raw().non_blocking(true, error);
    socket_.raw().set_option(asio::ip::tcp::no_delay(true), error);
}

void LookupClient::start() { read(); }

void LookupClient::read() {
    if (reading_ || state_ != State::open) return;
    reading_ = true;
    socket_.read(parser_.room(), [self = shared_from_this()](const asio::error_code& error, std::size_t bytes) {
        self->reading_ = false;
        if (self->state_ != State::open) return;
        self->home_.woken();
        if (error == asio::error::eof) return self->finish();
        if (error) return self->close();
        self->parser_.filled(bytes);
        self->take_requests();
    });
}

bool LookupClient::held_back() const {
    const LookupOptions& options = home_.shared().options;
    return pending_.size() >= options.max_pending_requests ||
           pending_entities_ >= options.max_pending_entities ||
           unsent() + pending_bytes_ >= options.max_unsent_bytes ||
           home_.engine().router().outstanding() >= options.max_commands;
}

void LookupClient::take_requests() {
    while (state_ == State::open) {
        if (held_back()) return home_.is_held_back(*this);
        switch (parser_.next()) {
            case RespParser::Outcome::request:
                take_request();
                break;
            case RespParser::Outcome::need_more:
                return read();
            case RespParser::Outcome::broken:
                return refuse(parser_.error());
        }
    }
    home_.has_output(*this);
}

void LookupClient::take_request() {
    const std::size_t before = pending_.size();
    home_.commands().execute(parser_.arguments(), *this);
    if (pending_.size() > before && pending_.back()->done) pending_bytes_ += pending_.back()->body.size();
}

void LookupClient::resume() {
    if (state_ == State::open && !reading_) take_requests();
}

void LookupClient::refuse(const std::string& error) {
    home_.engine().count_error("ERR");
    RespWriter(reply()).error("ERR", error);
    finish();
}

std::string& LookupClient::reply() {
    home_.has_output(*this);
    if (unsent() == 0) wrote_ = home_.engine().now;
    if (pending_.empty()) return out_;
    LookupRequest& request = home_.engine().take();
    request.done = true;
    pending_.push_back(&request);
    return request.body;
}

void LookupClient::enqueue(LookupRequest& request) {
    request.waiter = this;
    pending_entities_ += request.entities();
    pending_.push_back(&request);
    home_.has_output(*this);
}

void LookupClient::answered() {
    if (!pending_.front()->done) return;
    if (unsent() == 0) wrote_ = home_.engine().now;
    while (!pending_.empty() && pending_.front()->done) {
        LookupRequest& request = *pending_.front();
        pending_.pop_front();
        pending_entities_ -= request.entities();
        out_ += request.body;
        home_.engine().give_back(request);
    }
    if (pending_.empty()) pending_bytes_ = 0;
    home_.has_output(*this);
}

void LookupClient::write() {
    while ((unsent() > 0 || socket_.holds()) && !waits_to_write_) {
        asio::error_code error;
        const std::size_t bytes = socket_.write_some(std::string_view(out_).substr(sent_), error);
        sent_ += bytes;
        if (bytes > 0) wrote_ = home_.engine().now;
        if (error == asio::error::would_block) {
            waits_to_write_ = true;
            socket_.raw().async_wait(asio::ip::tcp::socket::wait_write,
                                     [self = shared_from_this()](const asio::error_code& failed) {
                                         self->waits_to_write_ = false;
                                         if (failed || self->state_ == State::closed) return;
                                         self->home_.woken();
                                         self->home_.has_output(*self);
                                     });
        } else if (error) {
            return close();
        }
    }
    if (unsent() > home_.shared().options.most_unsent_bytes) return close();
    if (unsent() == 0) {
        out_.clear();
        if (out_.capacity() > kKeptOutput) out_.shrink_to_fit();
        sent_ = 0;
    } else if (sent_ > out_.size() / 2) {
        out_.erase(0, sent_);
        sent_ = 0;
    }
    close_when_done();
}

void LookupClient::finish() {
    if (state_ != State::open) return;
    if (pending_.empty() && unsent() == 0 && parser_.buffered() == 0) return close();
    state_ = State::last_answers;
    home_.has_output(*this);
}

void LookupClient::close_when_done() {
    if (state_ == State::last_answers && pending_.empty() && unsent() == 0 && !socket_.holds()) linger();
}

// Closing with bytes unread would reset the connection, and the client might lose the last answer.
void LookupClient::linger() {
    state_ = State::lingering;
    wrote_ = home_.engine().now;
    asio::error_code error;
    socket_.end_writing(error);
    if (error) return close();
    if (reading_) socket_.raw().cancel(error);
    discard();
}

void LookupClient::discard() {
    socket_.raw().async_read_some(asio::buffer(discarded_),
                                  [self = shared_from_this()](const asio::error_code& error, auto) {
                                      if (error) return self->close();
                                      self->discard();
                                  });
}

void LookupClient::check(LookupClientHome::Clock::time_point now, Duration most_lingering) {
    const LookupOptions& options = home_.shared().options;
    if (state_ == State::lingering && now - wrote_ > most_lingering) close();
    if (unsent() > 0 && now - wrote_ > options.most_unsent_time) close();
}

void LookupClient::close() {
    if (state_ == State::closed) return;
    state_ = State::closed;
    asio::error_code ignored;
    socket_.raw().close(ignored);
    for (LookupRequest* request : std::exchange(pending_, {})) {
        request->waiter = nullptr;
        if (request->done) home_.engine().give_back(*request);
    }
    home_.has_closed(*this);
}

}  // namespace freshet
