#include "resp_client.hpp"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "io/redis/resp_writer.hpp"

namespace freshet {

namespace {

struct FreeAddresses {
    void operator()(addrinfo* list) const { freeaddrinfo(list); }
};

std::string no_node(const std::string& address, const std::string& why) {
    return "no node answers at " + address + ": " + why + "; is it running, and is lookup.listen this address?";
}

// 0 or an errno.
int connect_within(int socket, const addrinfo& to, Duration timeout) {
    if (::connect(socket, to.ai_addr, to.ai_addrlen) == 0) return 0;
    if (errno != EINPROGRESS) return errno;
    pollfd waiting{socket, POLLOUT, 0};
    const int ready = poll(&waiting, 1, static_cast<int>(timeout.count()));
    if (ready == 0) return ETIMEDOUT;
    int error = 0;
    socklen_t size = sizeof error;
    if (ready < 0 || getsockopt(socket, SOL_SOCKET, SO_ERROR, &error, &size) != 0) return errno;
    return error;
}

}  // namespace

RespClient::RespClient(int socket, std::string address, Duration timeout)
    : socket_(socket), address_(std::move(address)), timeout_(timeout) {}

RespClient::~RespClient() { close(socket_); }

Result<std::unique_ptr<RespClient>> RespClient::connect(const Endpoint& address, Duration timeout) {
    addrinfo wanted{};
    wanted.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    const int unknown =
        getaddrinfo(address.host.c_str(), std::to_string(address.port).c_str(), &wanted, &found);
    if (unknown != 0) return Error{Errc::unavailable, no_node(address.text(), gai_strerror(unknown))};
    const std::unique_ptr<addrinfo, FreeAddresses> addresses(found);
    int error = 0;
    for (const addrinfo* to = found; to; to = to->ai_next) {
        const int socket = ::socket(to->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (socket < 0) {
            error = errno;
            continue;
        }
        error = connect_within(socket, *to, timeout);
        if (error == 0) {
            const int on = 1;
            setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
            return std::unique_ptr<RespClient>(new RespClient(socket, address.text(), timeout));
        }
        close(socket);
    }
    return Error{Errc::unavailable, no_node(address.text(), std::strerror(error))};
}

Error RespClient::failed(const std::string& what) const {
    return {Errc::unavailable, "the node at " + address_ + " " + what};
}

Result<void> RespClient::wait(short events) const {
    pollfd waiting{socket_, events, 0};
    int ready = 0;
    do {
        ready = poll(&waiting, 1, static_cast<int>(timeout_.count()));
    } while (ready < 0 && errno == EINTR);
    if (ready > 0) return {};
    return failed("does not answer within " + std::to_string(timeout_.count()) + " ms");
}

Result<void> RespClient::send(std::string_view bytes) const {
    while (!bytes.empty()) {
        if (auto ready = wait(POLLOUT); !ready) return ready;
        const ssize_t sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (sent < 0 && errno != EAGAIN && errno != EINTR) return failed("closed the connection");
        if (sent > 0) bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return {};
}

Result<void> RespClient::ask(const std::vector<std::string>& command, const Handle& handle) {
    std::string request;
    RespWriter writer(request);
    writer.array(command.size());
    for (const std::string& argument : command) writer.bulk(argument);
    if (auto sent = send(request); !sent) return sent;

    std::optional<Error> refused;
    bool answered = false;
    while (!answered) {
        if (auto ready = wait(POLLIN); !ready) return ready;
        const std::span<char> room = replies_.room();
        const ssize_t received = recv(socket_, room.data(), room.size(), 0);
        if (received < 0 && (errno == EAGAIN || errno == EINTR)) continue;
        if (received <= 0) return failed("closed the connection");
        const auto taken =
            replies_.received(static_cast<std::size_t>(received), [&](const RedisAnswer& answer) {
                answered = true;
                if (answer.is_error()) {
                    refused = Error{Errc::refused, std::string(answer.text)};
                } else {
                    handle(answer);
                }
                return false;
            });
        if (!taken) return failed("does not speak the look-up protocol: " + taken.error().message);
    }
    if (refused) return *refused;
    return {};
}

}  // namespace freshet
