#include "io/http/http_server.hpp"

#include <atomic>
#include <deque>
#include <exception>
#include <list>
#include <thread>
#include <utility>

#include "io/asio.hpp"
#include "io/http/http_connection.hpp"
#include "io/log.hpp"

namespace freshet {

namespace {

using asio::ip::tcp;

constexpr Duration kAcceptAgain{100};

}  // namespace

struct HttpServer::Impl {
    struct Repeated {
        Duration period;
        std::function<void()> work;
        asio::steady_timer timer;
    };

    Impl(Handler with, HttpLimits most) : handler(std::move(with)), limits(most) {}

    Result<void> listen(const Endpoint& at, const std::string& of);
    void accept();
    void welcome(tcp::socket socket);
    void repeat(Repeated& repeated);
    void run();

    const Handler handler;
    const HttpLimits limits;
    TlsConfig tls_files;
    std::string section;
    std::atomic<std::shared_ptr<TlsContext>> tls;  // null: plain connections
    asio::io_context loop{1};
    tcp::acceptor acceptor{loop};
    asio::steady_timer again{loop};
    std::list<Repeated> repeated;
    std::deque<std::shared_ptr<HttpConnection>> connections;  // the oldest first
    std::thread thread;
};

Result<void> HttpServer::Impl::listen(const Endpoint& at, const std::string& of) {
    asio::error_code error;
    const auto found =
        tcp::resolver(loop).resolve(at.host, std::to_string(at.port), tcp::resolver::passive, error);
    if (!error) {
        const tcp::endpoint address = found.begin()->endpoint();
        acceptor.open(address.protocol(), error);
        if (!error) acceptor.set_option(tcp::acceptor::reuse_address(true), error);
        if (!error) acceptor.bind(address, error);
        if (!error) acceptor.listen(asio::socket_base::max_listen_connections, error);
    }
    if (!error) return {};
    return Error{Errc::unavailable, "cannot listen on " + at.text() + " (" + of +
                                        ".listen): " + error.message() + "; choose another " + of + ".listen"};
}

void HttpServer::Impl::accept() {
    acceptor.async_accept([this](const asio::error_code& error, tcp::socket socket) {
        if (!acceptor.is_open()) return;
        if (!error) {
            accept();
            return welcome(std::move(socket));
        }
        // Out of file descriptors, most likely: some will come free.
        again.expires_after(kAcceptAgain);
        again.async_wait([this](const asio::error_code& cancelled) {
            if (!cancelled) accept();
        });
    });
}

void HttpServer::Impl::welcome(tcp::socket socket) {
    if (connections.size() >= limits.connections) connections.front()->close();
    const auto connection = std::make_shared<HttpConnection>(
        loop, std::move(socket), tls.load(), limits, handler, [this](HttpConnection& closed) {
            std::erase_if(connections, [&](const auto& one) { return one.get() == &closed; });
        });
    connections.push_back(connection);
    connection->start();
}

void HttpServer::Impl::repeat(Repeated& one) {
    one.timer.expires_after(one.period);
    one.timer.async_wait([this, &one](const asio::error_code& cancelled) {
        if (!cancelled) repeat(one);
    });
    one.work();
}

void HttpServer::Impl::run() {
    while (!loop.stopped()) {
        try {
            loop.run();
        } catch (const std::exception& error) {
            log::error(std::string("the status server failed: ") + error.what() + "; it goes on");
        }
    }
}

HttpServer::HttpServer(Handler handler, HttpLimits limits)
    : impl_(std::make_unique<Impl>(std::move(handler), limits)) {}

HttpServer::~HttpServer() { stop(); }

Result<std::uint16_t> HttpServer::start(const Endpoint& listen, const TlsConfig& tls,
                                        const std::string& section) {
    impl_->tls_files = tls;
    impl_->section = section;
    if (auto loaded = reload_certificates(); !loaded) return loaded.error();
    if (auto listening = impl_->listen(listen, section); !listening) return listening.error();
    const std::uint16_t port = impl_->acceptor.local_endpoint().port();
    impl_->accept();
    for (Impl::Repeated& one : impl_->repeated)
        asio::post(impl_->loop, [impl = impl_.get(), &one] { impl->repeat(one); });
    impl_->thread = std::thread([impl = impl_.get()] { impl->run(); });
    return port;
}

void HttpServer::every(Duration period, std::function<void()> work) {
    impl_->repeated.push_back({period, std::move(work), asio::steady_timer(impl_->loop)});
}

Result<void> HttpServer::reload_certificates() {
    if (impl_->tls_files.certificate.empty()) return {};
    auto loaded = TlsContext::load(impl_->tls_files, impl_->section + ".tls.");
    if (!loaded) return loaded.error();
    impl_->tls = *loaded;
    return {};
}

void HttpServer::stop() {
    if (!impl_->thread.joinable()) return;
    impl_->loop.stop();
    impl_->thread.join();
    // What they close over is the loop's.
    for (const auto& connection : std::exchange(impl_->connections, {})) connection->close();
}

}  // namespace freshet
