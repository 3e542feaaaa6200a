// Replies of Redis as they arrive: hiredis parses, and builds into memory that is used again from reply to
// reply.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "model/result.hpp"

struct redisReader;

namespace freshet {

struct RedisAnswer {
    enum class Kind : std::uint8_t { nil, string, status, error, integer, array };
    Kind kind = Kind::nil;
    std::int64_t integer = 0;
    std::string_view text;                  // of a string, status or error
    std::span<const RedisAnswer> elements;  // of an array

    bool is_string() const { return kind == Kind::string; }
    bool is_error() const { return kind == Kind::error; }
    bool is_array() const { return kind == Kind::array; }
    bool is_nil() const { return kind == Kind::nil; }
};

// Memory for one reply at a time.
class ReplyArena {
public:
    RedisAnswer* replies(std::size_t count);
    std::string_view copy(std::string_view text);
    void clear();

private:
    struct Block {
        std::unique_ptr<std::byte[]> memory;
        std::size_t size;
    };
    std::byte* allocate(std::size_t bytes);

    std::vector<Block> blocks_;
    std::size_t block_ = 0;
    std::size_t used_ = 0;
};

class RedisReplies {
public:
    RedisReplies();
    ~RedisReplies();
    RedisReplies(const RedisReplies&) = delete;
    RedisReplies& operator=(const RedisReplies&) = delete;

    // Takes the next bytes of the stream and hands each reply that they complete to `handle(const
    // RedisAnswer&)`, which returns whether to go on. A reply is valid during the call only.
    template <class Handle>
    Result<void> take(std::span<const char> bytes, Handle&& handle) {
        while (!bytes.empty()) {
            feed(bytes.first(bytes.size() < kSlice ? bytes.size() : kSlice));
            bytes = bytes.subspan(bytes.size() < kSlice ? bytes.size() : kSlice);
            for (;;) {
                const Result<const RedisAnswer*> reply = next();
                if (!reply) return reply.error();
                if (!*reply) break;
                if (!handle(**reply)) return {};
            }
        }
        return {};
    }

    // Forgets what was received; for a new connection.
    void reset();

private:
    // hiredis moves what is left of its buffer after every kilobyte it has read: small slices keep that cheap.
    static constexpr std::size_t kSlice = 4096;

    void feed(std::span<const char> bytes);
    Result<const RedisAnswer*> next();

    ReplyArena arena_;
    redisReader* reader_ = nullptr;
};

}  // namespace freshet
