#include "io/redis/redis_replies.hpp"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <string>

#include "io/redis/resp_writer.hpp"

namespace freshet {

namespace {

constexpr std::size_t kBlock = 1024;
constexpr std::size_t kLeastRoom = 16 * 1024;
constexpr std::size_t kFirstBuffer = 64 * 1024;
constexpr std::size_t kKeptBuffer = 1 << 20;
constexpr std::int64_t kLongestString = 512 << 20;  // Redis's own limit
constexpr std::size_t kLongestLine = 64 * 1024;
constexpr std::int64_t kLeastElement = 3;  // bytes
constexpr int kDeepest = 8;

enum class Parsed { whole, part, broken };

class ReplyReader {
public:
    ReplyReader(std::string_view bytes, AnswerArena& arena)
        : at_(bytes.data()), end_(bytes.data() + bytes.size()), arena_(arena) {}

    const char* at() const { return at_; }

    Parsed answer(RedisAnswer& out, int depth = 0) {
        if (at_ == end_) return Parsed::part;
        out = {};
        switch (*at_++) {
            case '$':
                return string(out);
            case '*':
                return depth < kDeepest ? array(out, depth) : Parsed::broken;
            case ':':
                out.kind = RedisAnswer::Kind::integer;
                return number(out.integer);
            case '+':
                out.kind = RedisAnswer::Kind::status;
                return line(out.text);
            case '-':
                out.kind = RedisAnswer::Kind::error;
                return line(out.text);
            default:
                return Parsed::broken;
        }
    }

private:
    std::int64_t left() const { return end_ - at_; }

    Parsed line(std::string_view& out) {
        const auto* newline =
            static_cast<const char*>(std::memchr(at_, '\n', static_cast<std::size_t>(left())));
        if (!newline) return left() < static_cast<std::int64_t>(kLongestLine) ? Parsed::part : Parsed::broken;
        if (newline == at_ || newline[-1] != '\r') return Parsed::broken;
        out = {at_, static_cast<std::size_t>(newline - 1 - at_)};
        at_ = newline + 1;
        return Parsed::whole;
    }

    Parsed number(std::int64_t& out) {
        const auto [stop, error] = std::from_chars(at_, end_, out);
        if (end_ - stop < 2 && (stop == end_ || *stop == '\r' || *stop == '-'))
            return left() < 24 ? Parsed::part : Parsed::broken;
        // So long a number is refused wherever it is cut, zeros in front or not.
        if (error != std::errc() || stop - at_ >= 23 || stop[0] != '\r' || stop[1] != '\n')
            return Parsed::broken;
        at_ = stop + 2;
        return Parsed::whole;
    }

    Parsed string(RedisAnswer& out) {
        std::int64_t size = 0;
        if (const Parsed parsed = number(size); parsed != Parsed::whole) return parsed;
        if (size == -1) return Parsed::whole;
        if (size < 0 || size > kLongestString) return Parsed::broken;
        if (left() < size + 2) return Parsed::part;
        out.kind = RedisAnswer::Kind::string;
        out.text = {at_, static_cast<std::size_t>(size)};
        at_ += size;
        if (at_[0] != '\r' || at_[1] != '\n') return Parsed::broken;
        at_ += 2;
        return Parsed::whole;
    }

    Parsed array(RedisAnswer& out, int depth) {
        std::int64_t count = 0;
        if (const Parsed parsed = number(count); parsed != Parsed::whole) return parsed;
        if (count == -1) return Parsed::whole;
        if (count < 0 || count > kLongestString) return Parsed::broken;
        if (left() < count * kLeastElement) return Parsed::part;  // before memory is taken for them
        const std::span<RedisAnswer> elements = arena_.take(static_cast<std::size_t>(count));
        for (RedisAnswer& element : elements)
            if (const Parsed parsed = answer(element, depth + 1); parsed != Parsed::whole) return parsed;
        out.kind = RedisAnswer::Kind::array;
        out.elements = elements;
        return Parsed::whole;
    }

    const char* at_;
    const char* end_;
    AnswerArena& arena_;
};

}  // namespace

std::span<RedisAnswer> AnswerArena::take(std::size_t count) {
    while (block_ < blocks_.size() && blocks_[block_].size() - used_ < count) {
        ++block_;
        used_ = 0;
    }
    if (block_ == blocks_.size()) blocks_.emplace_back(std::max(kBlock, count));
    const std::span<RedisAnswer> taken = std::span(blocks_[block_]).subspan(used_, count);
    used_ += count;
    return taken;
}

void AnswerArena::clear() {
    if (blocks_.size() > 1) blocks_.resize(1);
    if (!blocks_.empty() && blocks_.front().size() > kBlock) blocks_.clear();
    block_ = 0;
    used_ = 0;
}

std::span<char> RedisReplies::room() {
    if (begin_ == end_) {
        begin_ = end_ = 0;
        if (buffer_.size() > kKeptBuffer) buffer_ = {};
    }
    if (buffer_.size() - end_ < kLeastRoom) {
        if (begin_ > 0) std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
        end_ -= begin_;
        begin_ = 0;
        if (buffer_.size() - end_ < kLeastRoom) buffer_.resize(std::max(kFirstBuffer, 2 * buffer_.size()));
    }
    return std::span(buffer_).subspan(end_);
}

Result<const RedisAnswer*> RedisReplies::next() {
    arena_.clear();
    const std::string_view bytes(buffer_.data() + begin_, end_ - begin_);
    ReplyReader reader(bytes, arena_);
    switch (reader.answer(reply_)) {
        case Parsed::part:
            return nullptr;
        case Parsed::broken:
            return Error{Errc::corrupt, "redis does not speak its protocol: '" + shown(bytes) + "'"};
        case Parsed::whole:
            break;
    }
    begin_ = static_cast<std::size_t>(reader.at() - buffer_.data());
    return &reply_;
}

}  // namespace freshet
