#include "io/redis/resp_writer.hpp"

#include <fmt/compile.h>

#include <array>
#include <charconv>
#include <cmath>
#include <cstring>

namespace freshet {

namespace {

constexpr std::size_t kLongestShown = 64;
constexpr std::size_t kFloatText = 40;

char* line_end(char* out) {
    *out++ = '\r';
    *out++ = '\n';
    return out;
}

// "<mark><number>\r\n"
char* framing(char* out, char mark, std::int64_t number) {
    *out++ = mark;
    return line_end(std::to_chars(out, out + 24, number).ptr);
}

// The shortest that reads back as the same; std::to_chars takes more than twice the time.
char* float_digits(char* out, double number) {
    char* const end = fmt::format_to(out, FMT_COMPILE("{}"), number);
    for (const char* c = out; c != end; ++c)
        if (*c == '.' || *c == 'e') return end;
    if (!std::isfinite(number)) return end;
    end[0] = '.';
    end[1] = '0';
    return end + 2;
}

// append(first, last) of std::string takes a slower way.
void append(std::string& out, const char* begin, const char* end) {
    out.append(begin, static_cast<std::size_t>(end - begin));
}

bool is_printable(char c) { return c >= ' ' && c != 0x7f; }

}  // namespace

void RespWriter::frame(char mark, std::size_t number) {
    std::array<char, 32> text;
    append(out_, text.data(), framing(text.data(), mark, static_cast<std::int64_t>(number)));
}

void RespWriter::array(std::size_t elements) { frame('*', elements); }

void RespWriter::pairs(std::size_t count) { version_ == Resp::v3 ? frame('%', count) : frame('*', 2 * count); }

void RespWriter::bulk(std::string_view text) {
    std::array<char, 256> whole;
    char* end = framing(whole.data(), '$', static_cast<std::int64_t>(text.size()));
    if (text.size() <= 200) {
        std::memcpy(end, text.data(), text.size());
        end = line_end(end + text.size());
        append(out_, whole.data(), end);
        return;
    }
    append(out_, whole.data(), end);
    out_ += text;
    out_ += "\r\n";
}

void RespWriter::integer(std::int64_t number) {
    std::array<char, 32> text;
    append(out_, text.data(), framing(text.data(), ':', number));
}

void RespWriter::floating(double number) {
    std::array<char, kFloatText> digits;
    const char* const end = float_digits(digits.data(), number);
    const std::string_view text(digits.data(), static_cast<std::size_t>(end - digits.data()));
    if (version_ == Resp::v2) return bulk(text);
    out_ += ',';
    out_ += text;
    out_ += "\r\n";
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
