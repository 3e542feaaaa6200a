// A blocking client of the look-up protocol, for commands: one connection, one question at a time.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "io/blocking_socket.hpp"
#include "io/redis/redis_replies.hpp"
#include "io/tls.hpp"

namespace freshet {

class RespClient {
public:
    // `timeout`: of connecting, and of each wait for a reply. `tls`: null for a plain connection.
    static Result<std::unique_ptr<RespClient>> connect(const Endpoint& address, Duration timeout,
                                                       std::unique_ptr<TlsStream> tls);

    // An error reply is an Error. The answer is valid during the call of `handle` only.
    using Handle = std::function<void(const RedisAnswer&)>;
    Result<void> ask(const std::vector<std::string>& command, const Handle& handle);

private:
    RespClient(BlockingSocket socket, std::string address)
        : socket_(std::move(socket)), address_(std::move(address)) {}
    Error failed(const std::string& what) const;

    BlockingSocket socket_;
    std::string address_;
    bool heard_ = false;  // an answer, ever
    RedisReplies replies_;
};

}  // namespace freshet
