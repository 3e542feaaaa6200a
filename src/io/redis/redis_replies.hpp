// Replies of Redis as they arrive, read where they lie: a look-up's value is looked at, never copied.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "model/result.hpp"

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

// Memory for the elements of one reply at a time.
class AnswerArena {
public:
    std::span<RedisAnswer> take(std::size_t count);
    void clear();

private:
    std::vector<std::vector<RedisAnswer>> blocks_;
    std::size_t block_ = 0;
    std::size_t used_ = 0;
};

// RESP2, as a server sends it.
class RedisReplies {
public:
    // Where the next bytes of the stream go; never empty.
    std::span<char> room();

    // `bytes` were put there. Hands each reply that is complete to `handle(const RedisAnswer&)`, which returns
    // whether to go on. A reply is valid during the call only; the handler may reset().
    template <class Handle>
    Result<void> received(std::size_t bytes, Handle&& handle) {
        end_ += bytes;
        for (;;) {
            const Result<const RedisAnswer*> reply = next();
            if (!reply) return reply.error();
            if (!*reply || !handle(**reply)) return {};
        }
    }

    // Forgets what was received; for a new connection.
    void reset() { begin_ = end_ = 0; }

private:
    // Null: the next reply has not arrived whole.
    Result<const RedisAnswer*> next();

    std::vector<char> buffer_;
    std::size_t begin_ = 0;  // of what is not yet handed out
    std::size_t end_ = 0;
    AnswerArena arena_;
    RedisAnswer reply_;
};

}  // namespace freshet
