// A blocking connection to one Redis server that mends itself: an I/O error closes it, the next use reconnects.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "io/blocking_socket.hpp"
#include "io/config/config.hpp"
#include "model/ids.hpp"
#include "model/result.hpp"

struct redisReader;
struct redisReply;

namespace freshet {

// A reply or a part of one, borrowed: valid as long as the RedisReply it was taken from.
class RedisValue {
public:
    explicit RedisValue(const redisReply* value) : value_(value) {}

    bool is_nil() const;
    bool is_text() const;  // a bulk string or a status
    bool is_array() const;
    bool is_integer() const;
    bool is_error() const;

    std::string_view text() const;  // also of an error; empty when it is neither
    std::int64_t integer() const;   // 0 when it is none
    std::size_t size() const;       // of an array; 0 when it is none
    RedisValue operator[](std::size_t i) const;

protected:
    const redisReply* value_;
};

class RedisReply : public RedisValue {
public:
    explicit RedisReply(redisReply* owned) : RedisValue(owned), owned_(owned) {}

private:
    struct Free {
        void operator()(redisReply* reply) const;
    };
    std::unique_ptr<redisReply, Free> owned_;
};

struct RedisTimeouts {
    Duration connect{2'000};
    Duration command{5'000};  // without a byte from the server
};

// Not thread-safe.
class RedisConnection {
public:
    explicit RedisConnection(const RedisConfig& config, RedisTimeouts timeouts = {});
    ~RedisConnection();
    RedisConnection(const RedisConnection&) = delete;
    RedisConnection& operator=(const RedisConnection&) = delete;

    // Queues a command; what goes wrong is told by the read() that belongs to it.
    void append(std::span<const std::string_view> argv);

    // The reply to the oldest command not yet read. Error replies are replies: see error_of(). After an I/O
    // error all commands in flight get that error; whether the server has run them is not known.
    Result<RedisReply> read();

    // append() and read(); an error reply becomes an Error. Nothing may be in flight.
    Result<RedisReply> command(std::span<const std::string_view> argv);
    Result<RedisReply> command(std::initializer_list<std::string_view> argv) {
        return command(std::span(argv.begin(), argv.size()));
    }

    // Errc::unavailable when it may pass by itself, Errc::corrupt for a key of another type, else
    // Errc::refused.
    Error error_of(const RedisValue& error_reply) const;
    Error error(Errc code, std::string_view what) const;

    // "redis 127.0.0.1:6379": begins every message.
    const std::string& where() const { return where_; }

    void close();

private:
    Result<void> open();
    Result<void> authenticate();
    Result<void> flush();
    Result<RedisReply> receive();
    Error fail(const Error& why);
    Error fail_io(const Error& why);

    RedisConfig config_;
    RedisTimeouts timeouts_;
    std::string where_;
    std::optional<BlockingSocket> socket_;
    struct FreeReader {
        void operator()(redisReader* reader) const;
    };
    std::unique_ptr<redisReader, FreeReader> reader_;
    bool heard_ = false;  // an answer of this server, on this connection
    std::string out_;
    std::size_t in_flight_ = 0;
    std::optional<Error> broken_;  // by what, for the commands still in flight
};

// Refuses a server that could evict a partial or is older than 7.0. The value: warnings, each with its mend.
Result<std::vector<std::string>> check_server(RedisConnection& connection);

}  // namespace freshet
