// One connection of the HTTP server: reads a request, has it answered, and ends. Lives in the server's event
// loop.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "io/asio.hpp"
#include "io/http/http_server.hpp"
#include "io/maybe_tls_socket.hpp"

namespace freshet {

class HttpConnection final : public std::enable_shared_from_this<HttpConnection> {
public:
    using Closed = std::function<void(HttpConnection&)>;

    // `tls`: null for a plain connection.
    HttpConnection(asio::io_context& loop, asio::ip::tcp::socket socket, std::shared_ptr<TlsContext> tls,
                   const HttpLimits& limits, const HttpServer::Handler& handler, Closed closed);
    ~HttpConnection();
    void start();
    void close();

private:
    enum class State : std::uint8_t { asking, answering, taking, lingering, closed };
    struct Parser;

    void enter(State state, Duration most);
    void late();
    void read();
    void received(std::size_t bytes);
    void ask();
    void respond(const HttpResponse& response);
    void write();
    void linger();
    void discard();

    asio::io_context& loop_;
    MaybeTlsSocket<asio::ip::tcp::socket> socket_;
    const HttpLimits& limits_;
    const HttpServer::Handler& handler_;
    const Closed closed_;
    asio::steady_timer deadline_;
    State state_ = State::asking;
    std::unique_ptr<Parser> parser_;
    std::array<char, 4096> room_;
    std::string received_;
    bool with_body_ = true;
    std::string out_;
    std::size_t sent_ = 0;
};

}  // namespace freshet
