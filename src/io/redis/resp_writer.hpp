// Replies in RESP2 or RESP3, appended to a buffer.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace freshet {

enum class Resp : std::uint8_t { v2 = 2, v3 = 3 };

class RespWriter {
public:
    explicit RespWriter(std::string& out, Resp version = Resp::v2) : out_(out), version_(version) {}

    void array(std::size_t elements);
    // So many names, each with its value behind it: a map, in RESP2 a flat array.
    void pairs(std::size_t count);
    void bulk(std::string_view text);
    void integer(std::int64_t number);
    // The shortest text that reads back as `number`, always with a '.' or an 'e'; in RESP2 as a bulk string.
    void floating(double number);
    // In RESP2 the integer 1 or 0.
    void boolean(bool value);
    void null() { out_ += version_ == Resp::v3 ? "_\r\n" : "$-1\r\n"; }
    void status(std::string_view text);
    // `code` is the first word, e.g. NOVIEW. Bytes of `message` that would break the line become '?'.
    void error(std::string_view code, std::string_view message);

    std::string& out() { return out_; }
    Resp version() const { return version_; }

private:
    void frame(char mark, std::int64_t number);

    std::string& out_;
    Resp version_;
};

// `number` as floating() writes it.
std::string float_text(double number);

// What a client sent, fit for an error message: printable and not long.
std::string shown(std::string_view text);

}  // namespace freshet
