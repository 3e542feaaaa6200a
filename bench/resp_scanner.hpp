// Finds where RESP2 and RESP3 replies end, without building them: what a load generator needs to know.
#pragma once

#include <charconv>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace freshet::bench {

class RespScanner {
public:
    // Takes bytes as they arrive; calls done(first_error) for each reply that is complete, where first_error is
    // the text of the first error within it, or empty. False: these are no replies.
    template <class Done>
    bool feed(const char* data, std::size_t size, Done&& done) {
        const char* at = data;
        const char* const end = data + size;
        while (at < end) {
            if (skip_ > 0) {
                const auto here = std::min<std::size_t>(skip_, static_cast<std::size_t>(end - at));
                at += here;
                skip_ -= here;
            } else {
                const auto* newline =
                    static_cast<const char*>(std::memchr(at, '\n', static_cast<std::size_t>(end - at)));
                if (!newline) {
                    line_.append(at, end);
                    return line_.size() < kLongestLine;
                }
                if (line_.empty()) {
                    if (!take_line({at, static_cast<std::size_t>(newline - at)})) return false;
                } else {
                    line_.append(at, newline);
                    if (!take_line(line_)) return false;
                    line_.clear();
                }
                at = newline + 1;
            }
            if (skip_ == 0 && open_ == 0) {
                done(std::string_view(error_));
                error_.clear();
                open_ = 1;
            }
        }
        return true;
    }

private:
    static constexpr std::size_t kLongestLine = 1 << 16;

    // A line without its '\n'.
    bool take_line(std::string_view line) {
        if (line.size() < 2 || line.back() != '\r') return false;
        const char kind = line.front();
        const std::string_view rest = line.substr(1, line.size() - 2);
        --open_;
        switch (kind) {
            case '+':
            case ':':
            case '_':
            case ',':
            case '#':
                return true;
            case '-':
                if (error_.empty()) error_ = rest;
                return true;
            case '$':
                return take_count(rest, [this](std::int64_t n) { skip_ = static_cast<std::size_t>(n) + 2; });
            case '*':
                return take_count(rest, [this](std::int64_t n) { open_ += n; });
            case '%':
                return take_count(rest, [this](std::int64_t n) { open_ += 2 * n; });
            default:
                return false;
        }
    }

    template <class Take>
    bool take_count(std::string_view text, Take&& take) {
        std::int64_t n = 0;
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), n);
        if (error != std::errc{} || end != text.data() + text.size() || n < -1 || n > 1 << 30) return false;
        if (n >= 0) take(n);
        return true;
    }

    std::int64_t open_ = 1;  // elements still to come of the current reply
    std::size_t skip_ = 0;   // bytes still to come of the current bulk string
    std::string line_;       // a line whose end has not arrived
    std::string error_;
};

}  // namespace freshet::bench
