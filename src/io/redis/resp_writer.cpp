#include "io/redis/resp_writer.hpp"

#include <fmt/compile.h>

#include <array>
#include <charconv>
#include <cmath>
#include <cstring>

namespace freshet {

namespace {

constexpr std::size_t kLongestShown = 64;
constexpr std::size_t kFrameText = 32;  // of a mark, a number and the end of the line
constexpr std::size_t kFloatText = 40;

char* line_end(char* out) {
    *out++ = '\r';
    *out++ = '\n';
    return out;
}

// Room for `most` bytes behind `out`, to be written in place: digits that are gathered elsewhere and copied at
// once cost more to copy than to write, since the processor must wait for each to be stored.
char* room(std::string& out, std::size_t most) {
    const std::size_t size = out.size();
    out.resize(size + most);
    return out.data() + size;
}

void end_at(std::string& out, const char* end) { out.resize(static_cast<std::size_t>(end - out.data())); }

// "<mark><number>\r\n"
char* framing(char* out, char mark, std::int64_t number) {
    *out++ = mark;
    return line_end(std::to_chars(out, out + 24, number).ptr);
}

// Amounts of money and the like, n / 100 with n of 15 digits at most: no other decimal of so many digits is
// nearest to the same double, so these are the shortest. Null for any other number.
char* hundredths(char* out, double number) {
    const double scaled = number * 100;
    if (!(std::fabs(scaled) < 1e15) || scaled == 0) return nullptr;
    const std::int64_t n = std::llrint(scaled);
    if (static_cast<double>(n) / 100 != number) return nullptr;
    const std::uint64_t cents = static_cast<std::uint64_t>(n < 0 ? -n : n);
    if (n < 0) *out++ = '-';
    out = std::to_chars(out, out + 20, cents / 100).ptr;
    const auto rest = static_cast<char>(cents % 100);
    *out++ = '.';
    *out++ = static_cast<char>('0' + rest / 10);
    if (rest % 10 != 0) *out++ = static_cast<char>('0' + rest % 10);
    return out;
}

// The shortest that reads back as the same; std::to_chars takes more than twice the time.
char* float_digits(char* out, double number) {
    if (char* const end = hundredths(out, number)) return end;
    char* const end = fmt::format_to(out, FMT_COMPILE("{}"), number);
    for (const char* c = out; c != end; ++c)
        if (*c == '.' || *c == 'e') return end;
    if (!std::isfinite(number)) return end;
    end[0] = '.';
    end[1] = '0';
    return end + 2;
}

bool is_printable(char c) { return c >= ' ' && c != 0x7f; }

}  // namespace

void RespWriter::frame(char mark, std::int64_t number) {
    end_at(out_, framing(room(out_, kFrameText), mark, number));
}

void RespWriter::array(std::size_t elements) { frame('*', static_cast<std::int64_t>(elements)); }

void RespWriter::pairs(std::size_t count) {
    const auto number = static_cast<std::int64_t>(count);
    version_ == Resp::v3 ? frame('%', number) : frame('*', 2 * number);
}

void RespWriter::bulk(std::string_view text) {
    frame('$', static_cast<std::int64_t>(text.size()));
    out_ += text;
    out_ += "\r\n";
}

void RespWriter::integer(std::int64_t number) { frame(':', number); }

void RespWriter::floating(double number) {
    char* const begin = room(out_, kFrameText + kFloatText);
    if (version_ == Resp::v3) {
        *begin = ',';
        return end_at(out_, line_end(float_digits(begin + 1, number)));
    }
    // Most have ten digits or more, and so a length of two.
    char* const digits = begin + 5;
    char* end = float_digits(digits, number);
    const auto size = end - digits;
    if (size < 10) end = std::copy(digits, end, begin + 4);
    framing(begin, '$', size);
    end_at(out_, line_end(end));
}

void RespWriter::boolean(bool value) {
    if (version_ == Resp::v2) return integer(value ? 1 : 0);
    out_ += value ? "#t\r\n" : "#f\r\n";
}

void RespWriter::status(std::string_view text) {
    out_ += '+';
    out_ += text;
    out_ += "\r\n";
}

void RespWriter::error(std::string_view code, std::string_view message) {
    out_ += '-';
    out_ += code;
    out_ += ' ';
    for (const char c : message) out_ += is_printable(c) || static_cast<signed char>(c) < 0 ? c : '?';
    out_ += "\r\n";
}

std::string float_text(double number) {
    std::array<char, kFloatText> digits;
    return {digits.data(), float_digits(digits.data(), number)};
}

std::string shown(std::string_view text) {
    std::string out;
    for (const char c : text.substr(0, kLongestShown)) out += c >= ' ' && c <= '~' ? c : '?';
    if (text.size() > kLongestShown) out += "...";
    return out;
}

}  // namespace freshet
