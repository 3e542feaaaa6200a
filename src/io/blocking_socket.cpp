#include "io/blocking_socket.hpp"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cctype>
#include <cerrno>
#include <cstring>
#include <utility>

#include "io/tls.hpp"

namespace freshet {

namespace {

constexpr std::size_t kEncryptAtOnce = 64 << 10;

Error unavailable(std::string text) {
    // System messages begin with a capital letter.
    if (text.size() > 1 && std::islower(static_cast<unsigned char>(text[1])))
        text[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(text[0])));
    return {Errc::unavailable, std::move(text)};
}

struct FreeAddresses {
    void operator()(addrinfo* list) const { freeaddrinfo(list); }
};

void turn_on(int socket, int level, int option) {
    const int on = 1;
    setsockopt(socket, level, option, &on, sizeof on);
}

}  // namespace

BlockingSocket::BlockingSocket(int socket, Duration timeout) : socket_(socket) { set_timeout(timeout); }

BlockingSocket::BlockingSocket(BlockingSocket&& other) noexcept
    : socket_(std::exchange(other.socket_, -1)), timeout_(other.timeout_), tls_(std::move(other.tls_)) {}

BlockingSocket& BlockingSocket::operator=(BlockingSocket&& other) noexcept {
    std::swap(socket_, other.socket_);
    std::swap(timeout_, other.timeout_);
    std::swap(tls_, other.tls_);
    return *this;
}

BlockingSocket::~BlockingSocket() {
    if (socket_ >= 0) ::close(socket_);
}

void BlockingSocket::set_timeout(Duration timeout) {
    timeout_ = timeout;
    const timeval value{timeout.count() / 1000, (timeout.count() % 1000) * 1000};
    setsockopt(socket_, SOL_SOCKET, SO_SNDTIMEO, &value, sizeof value);  // of connect() as well
    setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &value, sizeof value);
}

Error BlockingSocket::failure(int error) const {
    if (error == EAGAIN || error == EWOULDBLOCK || error == EINPROGRESS)
        return unavailable("no answer within " + std::to_string(timeout_.count()) + " ms");
    return unavailable(std::strerror(error));
}

Result<BlockingSocket> BlockingSocket::connect(const Endpoint& to, Duration timeout) {
    addrinfo wanted{};
    wanted.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    const int unknown = getaddrinfo(to.host.c_str(), std::to_string(to.port).c_str(), &wanted, &found);
    if (unknown != 0) return unavailable(gai_strerror(unknown));
    const std::unique_ptr<addrinfo, FreeAddresses> addresses(found);
    Error last = unavailable("the host has no address");
    for (const addrinfo* at = found; at; at = at->ai_next) {
        const int socket = ::socket(at->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (socket < 0) {
            last = unavailable(std::strerror(errno));
            continue;
        }
        BlockingSocket made(socket, timeout);
        if (::connect(socket, at->ai_addr, at->ai_addrlen) == 0) {
            turn_on(socket, IPPROTO_TCP, TCP_NODELAY);
            turn_on(socket, SOL_SOCKET, SO_KEEPALIVE);
            return made;
        }
        last = made.failure(errno);
    }
    return last;
}

Result<BlockingSocket> BlockingSocket::connect(const std::string& unix_socket, Duration timeout) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (unix_socket.size() >= sizeof address.sun_path) return unavailable("the socket's path is too long");
    unix_socket.copy(address.sun_path, unix_socket.size());
    const int socket = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (socket < 0) return unavailable(std::strerror(errno));
    BlockingSocket made(socket, timeout);
    if (::connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return made;
    return made.failure(errno);
}

Result<void> BlockingSocket::speak(std::unique_ptr<TlsStream> tls) {
    tls_ = std::move(tls);
    while (true) {
        if (auto sent = send_encrypted(); !sent) return sent;
        const auto done = tls_->shake_hands();
        const auto sent = send_encrypted();  // also what tells the peer why not
        if (!done) return done.error();
        if (!sent || *done) return sent;
        if (auto received = receive_encrypted(); !received) return received;
    }
}

Result<void> BlockingSocket::send_plain(std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR) continue;
        if (sent < 0) return failure(errno);
        bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return {};
}

Result<std::size_t> BlockingSocket::receive_plain(std::span<char> room) {
    while (true) {
        const ssize_t received = ::recv(socket_, room.data(), room.size(), 0);
        if (received > 0) return static_cast<std::size_t>(received);
        if (received == 0) return unavailable("closed the connection");
        if (errno != EINTR) return failure(errno);
    }
}

Result<void> BlockingSocket::send_encrypted() {
    const std::string_view bytes = tls_->outgoing();
    auto sent = send_plain(bytes);
    tls_->sent(bytes.size());
    return sent;
}

Result<void> BlockingSocket::receive_encrypted() {
    std::array<char, 16 << 10> room;
    const auto received = receive_plain(room);
    if (!received) return received.error();
    tls_->received({room.data(), *received});
    return {};
}

Result<void> BlockingSocket::send(std::string_view bytes) {
    if (!tls_) return send_plain(bytes);
    while (!bytes.empty()) {
        const std::size_t taken = tls_->encrypt(bytes.substr(0, kEncryptAtOnce));
        if (taken == 0) return unavailable("TLS: nothing can be sent any more");
        bytes.remove_prefix(taken);
        if (auto sent = send_encrypted(); !sent) return sent;
    }
    return {};
}

Result<std::size_t> BlockingSocket::receive(std::span<char> room) {
    if (!tls_) return receive_plain(room);
    while (true) {
        auto bytes = tls_->decrypt(room);
        if (auto sent = send_encrypted(); !sent && bytes) return sent.error();
        if (!bytes || *bytes > 0) return bytes;
        if (auto received = receive_encrypted(); !received) return received.error();
    }
}

}  // namespace freshet
