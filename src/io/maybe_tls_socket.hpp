// A socket of an event loop, with TLS or without: who reads and writes sees plain bytes.
#pragma once

#include <array>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "io/asio.hpp"
#include "io/tls.hpp"

namespace freshet {

template <class Socket>
class MaybeTlsSocket {
public:
    explicit MaybeTlsSocket(Socket socket) : socket_(std::move(socket)) {}

    Socket& raw() { return socket_; }
    const Socket& raw() const { return socket_; }

    // From here on what is read and written is that of the stream; null: plain.
    void speak(std::unique_ptr<TlsStream> tls) {
        tls_ = tls ? std::make_shared<Encrypted>(std::move(tls)) : nullptr;
    }

    // Calls handler(error, bytes) once some bytes stand in `room`, never from within. The handler keeps this
    // and `room` alive.
    template <class Handler>
    void read(std::span<char> room, Handler handler) {
        if (!tls_) return socket_.async_read_some(asio::buffer(room.data(), room.size()), std::move(handler));
        const auto bytes = tls_->stream->decrypt(room);
        send_encrypted();
        if (!bytes) tls_->trouble = bytes.error().message;
        if (!bytes || *bytes > 0) {
            const asio::error_code error =
                bytes ? asio::error_code() : asio::error::make_error_code(asio::error::eof);
            return asio::post(socket_.get_executor(),
                              [handler = std::move(handler), error, count = bytes ? *bytes : 0]() mutable {
                                  handler(error, count);
                              });
        }
        // What is still on its way when another connection has begun is of the former one.
        socket_.async_read_some(asio::buffer(tls_->arrived),
                                [this, room, tls = tls_, handler = std::move(handler)](
                                    const asio::error_code& error, std::size_t count) mutable {
                                    if (error) return handler(error, std::size_t{0});
                                    if (tls != tls_) return handler(asio::error::operation_aborted, 0);
                                    tls->stream->received({tls->arrived.data(), count});
                                    read(room, std::move(handler));
                                });
    }
    // What TLS had against the peer, when a read failed; empty: nothing.
    std::string trouble() const { return tls_ ? tls_->trouble : std::string(); }

    // As write_some() of a socket that does not block; with no bytes it sends what is held.
    std::size_t write_some(std::string_view bytes, asio::error_code& error) {
        if (!tls_) return socket_.write_some(asio::buffer(bytes.data(), bytes.size()), error);
        error = send_encrypted();
        if (error || holds()) return 0;
        const std::size_t taken = tls_->stream->encrypt(bytes);
        if (const auto failed = send_encrypted(); failed && failed != asio::error::would_block) error = failed;
        return taken;
    }
    // Bytes that it took are not yet on their way.
    bool holds() const { return tls_ && !tls_->stream->outgoing().empty(); }

    // Nothing is written after it.
    void end_writing(asio::error_code& error) {
        if (tls_) {
            tls_->stream->end();
            send_encrypted();
        }
        socket_.shutdown(Socket::shutdown_send, error);
    }

private:
    struct Encrypted {
        explicit Encrypted(std::unique_ptr<TlsStream> made) : stream(std::move(made)) {}

        std::unique_ptr<TlsStream> stream;
        std::string trouble;
        std::array<char, 16 * 1024 + 512> arrived;  // a record and its frame
    };

    // As much as the socket takes.
    asio::error_code send_encrypted() {
        asio::error_code error;
        while (holds() && !error) {
            const std::string_view out = tls_->stream->outgoing();
            tls_->stream->sent(socket_.write_some(asio::buffer(out.data(), out.size()), error));
        }
        return error;
    }

    Socket socket_;
    std::shared_ptr<Encrypted> tls_;
};

}  // namespace freshet
