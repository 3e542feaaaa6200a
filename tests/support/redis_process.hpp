// A redis-server for one test file: private, at a unix socket or 127.0.0.1, nothing kept. Tests talk to no
// other one.
#pragma once

#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "io/redis/private_redis.hpp"
#include "io/redis/redis_connection.hpp"

namespace freshet::test {

class RedisProcess {
public:
    using Listen = PrivateRedis::Listen;

    explicit RedisProcess(Listen listen = Listen::unix_socket, std::vector<std::string> options = {}) {
        for (const std::string& option : options)
            if (option == "--bind" || option == "--port")
                throw std::invalid_argument(option + " is not for tests");
        auto started = PrivateRedis::start(listen, std::move(options));
        if (!started) throw std::runtime_error(started.error().message);
        server_ = *std::move(started);
    }

    RedisConfig config(RedisConfig config = {}) const { return server_->reached_by(std::move(config)); }
    pid_t pid() const { return server_->pid(); }
    void stop() { server_->stop(); }
    void restart() {
        if (auto up = server_->restart(); !up) throw std::runtime_error(up.error().message);
    }

    // A command on a connection of its own; throws what goes wrong.
    RedisReply run(std::initializer_list<std::string_view> argv) const {
        RedisConnection connection(config());
        auto reply = connection.command(argv);
        if (!reply) throw std::runtime_error(reply.error().message);
        return *std::move(reply);
    }

private:
    std::unique_ptr<PrivateRedis> server_;
};

}  // namespace freshet::test
