// Replies in RESP2, appended to a buffer.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace freshet {

class RespWriter {
public:
    explicit RespWriter(std::string& out) : out_(out) {}

    void array(std::size_t elements);
    void bulk(std::string_view text);
    void integer(std::int64_t number);
    // As a bulk string: the shortest text that reads back as `number`, always with a '.' or an 'e'.
    void floating(double number);
    void null() { out_ += "$-1\r\n"; }
    void null_array() { out_ += "*-1\r\n"; }
    void status(std::string_view text);
    // `code` is the first word, e.g. NOVIEW. Bytes of `message` that would break the line become '?'.
    void error(std::string_view code, std::string_view message);

    std::string& out() { return out_; }

private:
    std::string& out_;
};

// `number` as floating() writes it.
std::string float_text(double number);

// What a client sent, fit for an error message: printable and not long.
std::string shown(std::string_view text);

}  // namespace freshet
