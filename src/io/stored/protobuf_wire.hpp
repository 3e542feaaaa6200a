// The part of protobuf's wire format that the stored values use, without descriptors or message objects.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace freshet {

static_assert(std::endian::native == std::endian::little, "fixed fields are copied as they are");

enum class WireType : std::uint8_t { varint = 0, fixed64 = 1, bytes = 2, fixed32 = 5 };

// Field numbers up to 15: a tag is one byte.
constexpr std::uint8_t wire_tag(unsigned field, WireType type) {
    return static_cast<std::uint8_t>(field << 3 | static_cast<unsigned>(type));
}

// Appends to a string. The string is whole again when the writer is destroyed.
class WireWriter {
public:
    explicit WireWriter(std::string& out) : out_(out), start_(out.size()) { point_to(start_); }
    ~WireWriter() { out_.resize(size()); }
    WireWriter(const WireWriter&) = delete;
    WireWriter& operator=(const WireWriter&) = delete;

    void byte(std::uint8_t value) {
        need(1);
        *at_++ = static_cast<char>(value);
    }
    void varint(std::uint64_t value) {
        need(10);
        for (; value >= 0x80; value >>= 7) *at_++ = static_cast<char>(value | 0x80);
        *at_++ = static_cast<char>(value);
    }
    void sint(std::int64_t value) {
        varint(static_cast<std::uint64_t>(value) << 1 ^ static_cast<std::uint64_t>(value >> 63));
    }
    template <class T>
    void fixed(T value) {
        need(sizeof value);
        std::memcpy(at_, &value, sizeof value);
        at_ += sizeof value;
    }
    void raw(std::string_view bytes) {
        need(bytes.size());
        std::memcpy(at_, bytes.data(), bytes.size());
        at_ += bytes.size();
    }
    // At most `most` bytes, which `write(char*)` writes; it gives where they end.
    void written(std::size_t most, const auto& write) {
        need(most);
        at_ = write(at_);
    }
    // What `append(std::string&)` appends.
    void appended(const auto& append) {
        out_.resize(size());
        append(out_);
        point_to(out_.size());
    }

    // A length-delimited field: open it, write its bytes, close it with what open() gave.
    std::size_t open(std::uint8_t tag) {
        need(2);
        *at_++ = static_cast<char>(tag);
        *at_++ = 0;
        return size();
    }
    void close(std::size_t opened) {
        std::size_t length = size() - opened;
        if (length >= 0x80) shift_for_length(opened, length);
        char* place = out_.data() + opened - 1;
        for (; length >= 0x80; length >>= 7) *place++ = static_cast<char>(length | 0x80);
        *place = static_cast<char>(length);
    }

private:
    std::size_t size() const { return static_cast<std::size_t>(at_ - out_.data()); }
    void point_to(std::size_t size) {
        at_ = out_.data() + size;
        end_ = out_.data() + out_.size();
    }
    void need(std::size_t room) {
        if (static_cast<std::size_t>(end_ - at_) < room) grow(room);
    }
    void grow(std::size_t room) {
        const std::size_t used = size();
        out_.resize(used + std::max<std::size_t>({room, 256, used - start_}));
        point_to(used);
    }
    void shift_for_length(std::size_t opened, std::size_t length) {
        std::size_t more = 0;
        for (std::size_t rest = length >> 7; rest > 0; rest >>= 7) ++more;
        need(more);
        std::memmove(out_.data() + opened + more, out_.data() + opened, length);
        at_ += more;
    }

    std::string& out_;
    std::size_t start_;
    char* at_;
    char* end_;
};

// Walks over bytes from outside. After the first fault nothing more is read and ok() stays false.
class WireReader {
public:
    WireReader() = default;
    explicit WireReader(std::string_view bytes) : at_(bytes.data()), end_(bytes.data() + bytes.size()) {}

    bool ok() const { return ok_; }
    bool done() const { return ok_ && at_ == end_; }

    // Steps over the tag if it is next.
    bool next(std::uint8_t tag) {
        if (at_ == end_ || static_cast<std::uint8_t>(*at_) != tag) return false;
        ++at_;
        return true;
    }

    std::uint64_t varint() {
        if (at_ != end_ && static_cast<std::uint8_t>(*at_) < 0x80) return static_cast<std::uint8_t>(*at_++);
        const auto [value, behind] = long_varint(at_, end_);
        at_ = behind;
        if (!behind) fail();
        return value;
    }
    std::int64_t sint() {
        const std::uint64_t value = varint();
        return static_cast<std::int64_t>(value >> 1 ^ (0 - (value & 1)));
    }
    template <class T>
    T fixed() {
        T value{};
        if (left() < sizeof value) {
            fail();
            return value;
        }
        std::memcpy(&value, at_, sizeof value);
        at_ += sizeof value;
        return value;
    }
    std::string_view bytes() {
        const std::uint64_t length = varint();
        if (length > left()) {
            fail();
            return {};
        }
        const char* start = at_;
        at_ += length;
        return {start, static_cast<std::size_t>(length)};
    }

private:
    std::size_t left() const { return static_cast<std::size_t>(end_ - at_); }
    void fail() {
        ok_ = false;
        at_ = end_;
    }
    // By value, so that a reader's members can stay in registers; `behind` is null where there is no varint.
    struct Varint {
        std::uint64_t value;
        const char* behind;
    };
    static Varint long_varint(const char* at, const char* end) {
        std::uint64_t value = 0;
        for (int shift = 0; shift < 70 && at != end; shift += 7) {
            const auto byte = static_cast<std::uint8_t>(*at++);
            if (shift == 63 && byte > 1) break;
            value |= std::uint64_t{byte & 0x7fu} << shift;
            if (byte < 0x80) return {value, at};
        }
        return {0, nullptr};
    }

    const char* at_ = nullptr;
    const char* end_ = nullptr;
    bool ok_ = true;
};

}  // namespace freshet
