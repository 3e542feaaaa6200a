// TLS of this node's servers, apart from any socket: what came in goes in, what is to go out comes out.
#pragma once

#include <openssl/types.h>

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "io/config/config.hpp"
#include "model/result.hpp"

namespace freshet {

// The certificate and key that connections begun from now on are served with. Thread-safe.
class TlsContext {
public:
    // Reads the files. An error names the file, by its key in `section`, and what is wrong with it.
    static Result<std::shared_ptr<TlsContext>> load(const TlsConfig& config,
                                                    std::string_view section = "lookup.tls");

    SSL_CTX* get() const { return context_.get(); }

private:
    struct Free {
        void operator()(SSL_CTX* context) const;
    };
    std::unique_ptr<SSL_CTX, Free> context_;
};

// The server's end of one connection.
class TlsStream {
public:
    explicit TlsStream(std::shared_ptr<TlsContext> context);

    // Bytes that the peer sent.
    void received(std::string_view encrypted);
    // Decrypts into `room`; how many bytes, 0: more must come first. Takes part in the handshake on the way.
    // Fails when the peer ended the connection or breaks the protocol.
    Result<std::size_t> decrypt(std::span<char> room);
    // Takes some of `plain`, from its beginning; how much. Nothing before the handshake is done.
    std::size_t encrypt(std::string_view plain);
    // Tells the peer that nothing will follow.
    void end();

    // To be sent to the peer; sent() tells how much of it was.
    std::string_view outgoing() const { return std::string_view(outgoing_).substr(sent_); }
    void sent(std::size_t bytes);

private:
    struct Free {
        void operator()(SSL* ssl) const;
    };
    void collect();

    std::shared_ptr<TlsContext> context_;
    std::unique_ptr<SSL, Free> ssl_;
    std::string outgoing_;
    std::size_t sent_ = 0;
};

}  // namespace freshet
