// A client's socket, with TLS or without: who reads and writes sees plain bytes.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <utility>

#include "io/asio.hpp"
#include "io/lookup/tls.hpp"

namespace freshet {

class LookupSocket {
public:
    // `tls`: null for a plain connection.
    LookupSocket(asio::ip::tcp::socket socket, std::shared_ptr<TlsContext> tls) : socket_(std::move(socket)) {
        if (tls) tls_ = std::make_unique<Encrypted>(std::move(tls));
    }

    asio::ip::tcp::socket& raw() { return socket_; }

    // Calls handler(error, bytes) once some bytes stand in `room`, never from within. The handler keeps this
    // and `room` alive.
    template <class Handler>
    void read(std::span<char> room, Handler handler) {
        if (!tls_) return socket_.async_read_some(asio::buffer(room.data(), room.size()), std::move(handler));
        const auto bytes = tls_->stream.decrypt(room);
        send_encrypted();
        if (!bytes || *bytes > 0) {
            const asio::error_code error =
                bytes ? asio::error_code() : asio::error::make_error_code(asio::error::eof);
            return asio::post(socket_.get_executor(),
                              [handler = std::move(handler), error, count = bytes ? *bytes : 0]() mutable {
                                  handler(error, count);
                              });
        }
        socket_.async_read_some(asio::buffer(tls_->arrived),
                                [this, room, handler = std::move(handler)](const asio::error_code& error,
                                                                           std::size_t count) mutable {
                                    if (error) return handler(error, std::size_t{0});
                                    tls_->stream.received({tls_->arrived.data(), count});
                                    read(room, std::move(handler));
                                });
    }

    // As write_some() of a socket that does not block; with no bytes it sends what is held.
    std::size_t write_some(std::string_view bytes, asio::error_code& error) {
        if (!tls_) return socket_.write_some(asio::buffer(bytes.data(), bytes.size()), error);
        error = send_encrypted();
        if (error || holds()) return 0;
        const std::size_t taken = tls_->stream.encrypt(bytes);
        if (taken == 0 && !bytes.empty()) error = asio::error::would_block;  // before the handshake is done
        if (const auto failed = send_encrypted(); failed && failed != asio::error::would_block) error = failed;
        return taken;
    }
    // Bytes that it took are not yet on their way.
    bool holds() const { return tls_ && !tls_->stream.outgoing().empty(); }

    // Nothing is written after it.
    void end_writing(asio::error_code& error) {
        if (tls_) {
            tls_->stream.end();
            send_encrypted();
        }
        socket_.shutdown(asio::ip::tcp::socket::shutdown_send, error);
    }

private:
    struct Encrypted {
        explicit Encrypted(std::shared_ptr<TlsContext> context) : stream(std::move(context)) {}

        TlsStream stream;
        std::array<char, 16 * 1024 + 512> arrived;  // a record and its frame
    };

    // As much as the socket takes.
    asio::error_code send_encrypted() {
        asio::error_code error;
        while (holds() && !error) {
            const std::string_view out = tls_->stream.outgoing();
            tls_->stream.sent(socket_.write_some(asio::buffer(out.data(), out.size()), error));
        }
        return error;
    }

    asio::ip::tcp::socket socket_;
    std::unique_ptr<Encrypted> tls_;
};

}  // namespace freshet
