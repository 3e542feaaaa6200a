// TLS apart from any socket: what came in goes in, what is to go out comes out.
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

// What connections begun from now on share: certificates, keys and whom to trust. Thread-safe.
class TlsContext {
public:
    // Reads the files. An error names the file, the option that names it, which begins with `key` as
    // "lookup.tls.", and what is wrong with it.
    static Result<std::shared_ptr<TlsContext>> load(const TlsConfig& config, std::string_view key);
    // Of a client.
    static Result<std::shared_ptr<TlsContext>> load(const ClientTlsConfig& config, std::string_view key);

    SSL_CTX* get() const { return context_.get(); }

private:
    struct Free {
        void operator()(SSL_CTX* context) const;
    };
    std::unique_ptr<SSL_CTX, Free> context_;
};

// One end of one connection. Errors: Errc::unavailable, the peer ended it; Errc::refused, what TLS has against
// the peer, or the peer said it has against us.
class TlsStream {
public:
    // The server's end.
    explicit TlsStream(std::shared_ptr<TlsContext> context);
    // The client's end; where the context verifies, the server's certificate must bear `server_name`, a name or
    // an IP address.
    TlsStream(std::shared_ptr<TlsContext> context, const std::string& server_name);

    // Bytes that the peer sent.
    void received(std::string_view encrypted);
    // Goes on with the handshake as far as what was received allows; whether it is done.
    Result<bool> shake_hands();
    // Decrypts into `room`; how many bytes, 0: more must come first. Takes part in the handshake on the way.
    // Fails when the peer ended the connection or breaks the protocol.
    Result<std::size_t> decrypt(std::span<char> room);
    // Takes some of `plain`, from its beginning; how much. What is taken before the handshake is done waits for
    // it.
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
    Error failure(int error) const;
    void collect();
    void encrypt_early();

    std::shared_ptr<TlsContext> context_;
    std::unique_ptr<SSL, Free> ssl_;
    std::string server_name_;  // of a client
    std::string early_;
    std::string outgoing_;
    std::size_t sent_ = 0;
};

}  // namespace freshet
