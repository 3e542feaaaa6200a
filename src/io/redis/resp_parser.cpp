#include "io/redis/resp_parser.hpp"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <utility>

namespace freshet {

namespace {

constexpr std::size_t kRead = 16 * 1024;
constexpr std::size_t kKept = 64 * 1024;    // a larger buffer is given back once it is empty
constexpr std::size_t kLongestLength = 32;  // of an array's framing
constexpr std::size_t kLongestInline = 64 * 1024;

bool is_blank(char c) {
    return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\v' || c == '\f' || c == 0;
}

int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

// Reads the words of one inline command in place: what quotes and escapes stand for is never longer than they
// are.
class InlineWords {
public:
    InlineWords(char* begin, char* end) : read_(begin), end_(end) {}

    // False at the end, or when the quotes do not match: then broken() is true.
    bool next(std::string_view& word) {
        while (read_ != end_ && is_blank(*read_)) ++read_;
        if (read_ == end_) return false;
        char* const start = read_;
        char* out = read_;
        while (read_ != end_ && !is_blank(*read_)) {
            const char c = *read_;
            if (c == '"' || c == '\'') {
                ++read_;
                if (!quoted(c, out)) return false;
            } else {
                *out++ = *read_++;
            }
        }
        word = {start, static_cast<std::size_t>(out - start)};
        return true;
    }
    bool broken() const { return broken_; }

private:
    bool quoted(char quote, char*& out) {
        while (read_ != end_ && *read_ != quote) *out++ = *read_ == '\\' ? escape(quote) : *read_++;
        if (read_ == end_) return !(broken_ = true);
        ++read_;
        broken_ = read_ != end_ && !is_blank(*read_);
        return !broken_;
    }

    char escape(char quote) {
        const std::ptrdiff_t left = end_ - read_;
        if (quote == '\'') {
            if (left > 1 && read_[1] == '\'') ++read_;
            return *read_++;
        }
        if (left > 3 && read_[1] == 'x' && hex_digit(read_[2]) >= 0 && hex_digit(read_[3]) >= 0) {
            const int value = hex_digit(read_[2]) * 16 + hex_digit(read_[3]);
            read_ += 4;
            return static_cast<char>(value);
        }
        if (left < 2) return *read_++;
        const char c = read_[1];
        read_ += 2;
        switch (c) {
            case 'n':
                return '\n';
            case 'r':
                return '\r';
            case 't':
                return '\t';
            case 'b':
                return '\b';
            case 'a':
                return '\a';
            default:
                return c;
        }
    }

    char* read_;
    char* end_;
    bool broken_ = false;
};

bool parse_length(std::string_view text, std::int64_t& value) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc{} && end == text.data() + text.size();
}

}  // namespace

RespParser::RespParser(RespLimits limits) : limits_(limits) {}

std::span<char> RespParser::room() {
    arguments_.clear();
    const std::size_t used = end_ - begin_;
    if (used == 0 && capacity_ > kKept) {
        buffer_.reset();
        capacity_ = 0;
    }
    if (used == 0 || capacity_ - end_ < kRead / 2) {
        std::unique_ptr<char[]> old;
        if (capacity_ < used + kRead) {
            const std::size_t larger = std::max(kRead, 2 * (used + kRead / 2));
            old = std::exchange(buffer_, std::make_unique_for_overwrite<char[]>(larger));
            capacity_ = larger;
        }
        if (used > 0) std::memmove(buffer_.get(), (old ? old.get() : buffer_.get()) + begin_, used);
        scan_ -= begin_;
        end_ = used;
        begin_ = 0;
    }
    return {buffer_.get() + end_, capacity_ - end_};
}

void RespParser::filled(std::size_t bytes) { end_ += bytes; }

RespParser::Outcome RespParser::next() {
    arguments_.clear();
    if (!error_.empty()) return Outcome::broken;
    while (begin_ != end_) {
        const Outcome outcome = buffer_[begin_] == '*' ? next_array() : next_inline();
        if (outcome != Outcome::request || !arguments_.empty()) return outcome;
    }
    return Outcome::need_more;
}

RespParser::Outcome RespParser::fail(std::string error) {
    error_ = "Protocol error: " + std::move(error);
    return Outcome::broken;
}

RespParser::Outcome RespParser::too_large() {
    return fail("request larger than " + std::to_string(limits_.max_request_bytes) + " bytes");
}

void RespParser::start_over() {
    begin_ = scan_;
    left_ = -1;
    bulk_size_ = -1;
    extents_.clear();
}

void RespParser::hand_out() {
    for (const Extent& extent : extents_)
        arguments_.emplace_back(buffer_.get() + begin_ + extent.offset, extent.size);
    start_over();
}

RespParser::Outcome RespParser::line(std::string_view& text, std::string_view what) {
    const char* const start = buffer_.get() + scan_;
    const std::size_t seen = std::min(end_ - scan_, kLongestLength + 1);
    const auto* const stop = static_cast<const char*>(std::memchr(start, '\r', seen));
    if (!stop)
        return seen > kLongestLength ? fail("invalid " + std::string(what) + " length") : Outcome::need_more;
    if (stop + 1 == buffer_.get() + end_) return Outcome::need_more;
    if (stop[1] != '\n') return fail("invalid " + std::string(what) + " length");
    text = {start, static_cast<std::size_t>(stop - start)};
    scan_ += text.size() + 2;
    return Outcome::request;
}

RespParser::Outcome RespParser::header() {
    std::string_view text;
    if (const Outcome outcome = line(text, "multibulk"); outcome != Outcome::request) return outcome;
    const bool valid = parse_length(text.substr(1), left_);
    if (!valid || left_ > static_cast<std::int64_t>(limits_.max_arguments))
        return fail("invalid multibulk length");
    return Outcome::request;
}

RespParser::Outcome RespParser::bulk() {
    if (bulk_size_ < 0) {
        if (scan_ == end_) return Outcome::need_more;
        const char first = buffer_[scan_];
        if (first != '$') {
            const char shown = first >= ' ' && first <= '~' ? first : '?';
            return fail(std::string("expected '$', got '") + shown + "'");
        }
        std::string_view text;
        if (const Outcome outcome = line(text, "bulk"); outcome != Outcome::request) return outcome;
        if (!parse_length(text.substr(1), bulk_size_) || bulk_size_ < 0) return fail("invalid bulk length");
    }
    const auto size = static_cast<std::uint64_t>(bulk_size_);
    if (size > limits_.max_request_bytes || scan_ - begin_ + size > limits_.max_request_bytes)
        return too_large();
    if (end_ - scan_ < size + 2) return Outcome::need_more;
    if (buffer_[scan_ + size] != '\r' || buffer_[scan_ + size + 1] != '\n')
        return fail("expected a line end after a bulk string");
    extents_.push_back({static_cast<std::uint32_t>(scan_ - begin_), static_cast<std::uint32_t>(size)});
    scan_ += size + 2;
    bulk_size_ = -1;
    --left_;
    return Outcome::request;
}

RespParser::Outcome RespParser::next_array() {
    if (left_ < 0) {
        if (const Outcome outcome = header(); outcome != Outcome::request) return outcome;
    }
    while (left_ > 0) {
        if (const Outcome outcome = bulk(); outcome != Outcome::request) return outcome;
    }
    hand_out();
    return Outcome::request;
}

RespParser::Outcome RespParser::next_inline() {
    const std::size_t longest = std::min(kLongestInline, limits_.max_request_bytes);
    char* const start = buffer_.get() + begin_;
    auto* const stop = static_cast<char*>(std::memchr(buffer_.get() + scan_, '\n', end_ - scan_));
    const std::size_t size = stop ? static_cast<std::size_t>(stop - start) : end_ - begin_;
    if (size > longest) return fail("too big inline request");
    scan_ = begin_ + size;
    if (!stop) return Outcome::need_more;
    ++scan_;

    InlineWords words(start, stop);
    std::string_view word;
    while (words.next(word)) arguments_.push_back(word);
    if (words.broken()) return fail("unbalanced quotes in request");
    start_over();
    return Outcome::request;
}

}  // namespace freshet
