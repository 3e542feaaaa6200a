// Requests of clients in the Redis protocol (RESP2 arrays of bulk strings, and inline commands), read from a
// byte stream that may be cut anywhere. Hostile lengths cost nothing: memory follows the bytes received, not
// announced.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace freshet {

struct RespLimits {
    std::size_t max_request_bytes = 1 << 20;  // of one request, its framing included
    std::size_t max_arguments = 1 << 20;
};

class RespParser {
public:
    explicit RespParser(RespLimits limits);

    // Where the next bytes of the stream go; never empty. Arguments handed out before are invalid from here on.
    std::span<char> room();
    // So many bytes were written into room().
    void filled(std::size_t bytes);

    enum class Outcome {
        request,    // arguments() holds at least one
        need_more,  // no whole request is left
        broken,     // error() says why; the stream cannot be read any further
    };
    Outcome next();

    // Valid until room() is called or next() is called again.
    std::span<const std::string_view> arguments() const { return arguments_; }
    const std::string& error() const { return error_; }
    // Bytes received of requests that are not complete yet.
    std::size_t buffered() const { return end_ - begin_; }

private:
    struct Extent {
        std::uint32_t offset;  // from begin_
        std::uint32_t size;
    };

    Outcome next_array();
    Outcome next_inline();
    // One line of an array's framing: its text, without the line end, when it is complete.
    Outcome line(std::string_view& text, std::string_view what);
    Outcome header();
    Outcome bulk();
    Outcome fail(std::string error);
    Outcome too_large();
    void start_over();
    void hand_out();

    RespLimits limits_;
    std::unique_ptr<char[]> buffer_;
    std::size_t capacity_ = 0;
    std::size_t begin_ = 0;        // of the request being read
    std::size_t scan_ = 0;         // read up to here
    std::size_t end_ = 0;          // of the bytes received
    std::int64_t left_ = -1;       // arguments still to come; -1: the header is
    std::int64_t bulk_size_ = -1;  // of the argument being read; -1: its length is to come
    std::vector<Extent> extents_;
    std::vector<std::string_view> arguments_;
    std::string error_;
};

}  // namespace freshet
