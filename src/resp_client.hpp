// A blocking client of the look-up protocol, for commands: one connection, one question at a time.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "io/config/config.hpp"
#include "io/redis/redis_replies.hpp"

namespace freshet {

class RespClient {
public:
    // `timeout`: of connecting, and of each reply.
    static Result<std::unique_ptr<RespClient>> connect(const Endpoint& address, Duration timeout);
    ~RespClient();
    RespClient(const RespClient&) = delete;
    RespClient& operator=(const RespClient&) = delete;

    // An error reply is an Error. The answer is valid during the call of `handle` only.
    using Handle = std::function<void(const RedisAnswer&)>;
    Result<void> ask(const std::vector<std::string>& command, const Handle& handle);

private:
    RespClient(int socket, std::string address, Duration timeout);
    Result<void> send(std::string_view bytes) const;
    Result<void> wait(short events) const;
    Error failed(const std::string& what) const;

    int socket_;
    std::string address_;
    Duration timeout_;
    RedisReplies replies_;
};

}  // namespace freshet
