// A redis-server of our own, as a child process: for `redis.address: embedded` and for tests. It keeps nothing
// when it stops and is reached through a unix socket, or at 127.0.0.1.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>
#include <vector>

#include "io/config/config.hpp"
#include "model/result.hpp"

namespace freshet {

class PrivateRedis {
public:
    enum class Listen { unix_socket, loopback_port };

    // `options` are redis-server's, as {"--maxmemory", "1gb"}. Start it on a thread that lives as long as the
    // server is needed: the kernel ends the server with that thread, even when the process is killed.
    static Result<std::unique_ptr<PrivateRedis>> start(Listen listen = Listen::unix_socket,
                                                       std::vector<std::string> options = {});
    ~PrivateRedis();
    PrivateRedis(const PrivateRedis&) = delete;
    PrivateRedis& operator=(const PrivateRedis&) = delete;

    // `config` with the address of this server.
    RedisConfig reached_by(RedisConfig config = {}) const;
    pid_t pid() const { return pid_; }  // 0: not running

    void stop();
    Result<void> restart();  // empty, at the same address

private:
    PrivateRedis(std::string directory, Listen listen, std::vector<std::string> options);
    std::vector<std::string> command_line() const;
    Result<void> launch();
    Result<void> wait_until_up();
    bool has_ended();
    std::string last_log_line() const;

    std::string directory_;
    Listen listen_;
    std::vector<std::string> options_;
    std::uint16_t port_ = 0;
    pid_t pid_ = 0;
};

}  // namespace freshet
