// A connection for a thread that may wait, with TLS or without: who sends and receives sees plain bytes.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "io/config/config.hpp"
#include "model/ids.hpp"
#include "model/result.hpp"

namespace freshet {

class TlsStream;

// Errors are Errc::unavailable and say what the system says, in lower case, or are those of TlsStream; none
// names the peer.
class BlockingSocket {
public:
    // To the first address of the host that answers; each has `timeout`.
    static Result<BlockingSocket> connect(const Endpoint& to, Duration timeout);
    static Result<BlockingSocket> connect(const std::string& unix_socket, Duration timeout);
    BlockingSocket(BlockingSocket&& other) noexcept;
    BlockingSocket& operator=(BlockingSocket&& other) noexcept;
    ~BlockingSocket();

    // Of each wait for the peer from now on.
    void set_timeout(Duration timeout);
    // Shakes hands; what follows is that of the stream.
    Result<void> speak(std::unique_ptr<TlsStream> tls);
    Result<void> send(std::string_view bytes);
    // At least one byte into `room`; how many.
    Result<std::size_t> receive(std::span<char> room);

private:
    BlockingSocket(int socket, Duration timeout);
    Result<void> send_plain(std::string_view bytes);
    Result<std::size_t> receive_plain(std::span<char> room);
    Result<void> send_encrypted();
    Result<void> receive_encrypted();
    Error failure(int error) const;

    int socket_;  // -1: moved away
    Duration timeout_;
    std::unique_ptr<TlsStream> tls_;
};

}  // namespace freshet
