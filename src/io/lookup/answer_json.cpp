#include "io/lookup/answer_writers.hpp"

#include <span>

namespace freshet {

namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD

unsigned byte_at(std::string_view text, std::size_t i) { return static_cast<unsigned char>(text[i]); }

// Of a double.
bool is_finite(std::string_view text) { return text.find('n') == std::string_view::npos; }

void escape(std::string& out, char c) {
    constexpr const char* kDigits = "0123456789abcdef";
    if (c == '"' || c == '\\') {
        out += '\\';
        out += c;
        return;
    }
    out += "\\u00";
    out += kDigits[c >> 4];
    out += kDigits[c & 15];
}

void append_json(std::string& out, std::string_view text) {
    out += '"';
    while (!text.empty()) {
        const char c = text.front();
        std::size_t taken = 1;
        if (static_cast<unsigned char>(c) >= 0x80) {
            taken = utf8_character(text);
            out += taken > 0 ? text.substr(0, taken) : kReplacement;
        } else if (c < ' ' || c == '"' || c == '\\') {
            escape(out, c);
        } else {
            out += c;
        }
        text.remove_prefix(taken > 0 ? taken : 1);
    }
    out += '"';
}

void append_json(std::string& out, std::span<const std::string_view> texts) {
    out += '[';
    for (std::size_t i = 0; i < texts.size(); ++i) {
        if (i > 0) out += ',';
        append_json(out, texts[i]);
    }
    out += ']';
}

}  // namespace

std::size_t utf8_character(std::string_view text) {
    if (text.empty()) return 0;
    const unsigned first = byte_at(text, 0);
    if (first < 0x80) return 1;
    if (first < 0xc2 || first > 0xf4) return 0;
    const std::size_t size = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    if (text.size() < size) return 0;
    for (std::size_t i = 1; i < size; ++i)
        if ((byte_at(text, i) & 0xc0) != 0x80) return 0;
    const unsigned second = byte_at(text, 1);
    if (first == 0xe0 && second < 0xa0) return 0;   // longer than need be
    if (first == 0xed && second >= 0xa0) return 0;  // half of a pair of UTF-16
    if (first == 0xf0 && second < 0x90) return 0;
    if (first == 0xf4 && second >= 0x90) return 0;  // beyond U+10FFFF
    return size;
}

bool is_utf8(std::string_view text) {
    while (!text.empty()) {
        const std::size_t taken = utf8_character(text);
        if (taken == 0) return false;
        text.remove_prefix(taken);
    }
    return true;
}

void JsonAnswerWriter::begin(const AnswerShape& shape, std::size_t) {
    out_ += R"({"features":)";
    append_json(out_, shape.features);
    out_ += R"(,"views":)";
    append_json(out_, shape.views);
    out_ += R"(,"rows":[)";
}

void JsonAnswerWriter::row(const AnswerShape& shape, const AnswerRow& row) {
    out_ += first_ ? R"({"values":[)" : R"(,{"values":[)";
    first_ = false;
    for (std::size_t i = 0; i < row.values.size(); ++i) {
        if (i > 0) out_ += ',';
        value(row.values[i]);
    }
    out_ += ']';
    if (shape.meta) {
        out_ += R"(,"statuses":)";
        append_json(out_, row.statuses);
        out_ += R"(,"freshness":[)";
        for (std::size_t i = 0; i < row.freshness.size(); ++i) {
            out_ += i > 0 ? R"(,{"staleness_ms":)" : R"({"staleness_ms":)";
            value(row.freshness[i].staleness);
            out_ += R"(,"newest_event_ms":)";
            value(row.freshness[i].newest_event);
            out_ += '}';
        }
        out_ += ']';
    }
    out_ += '}';
}

void JsonAnswerWriter::value(const AnswerValue& value) {
    switch (value.type) {
        case ':':
            out_ += value.text;
            return;
        case ',':
            out_ += is_finite(value.text) ? value.text : "null";
            return;
        case '$':
            return append_json(out_, value.text);
        case '#':
            out_ += value.text == "t" ? "true" : "false";
            return;
        default:
            out_ += "null";
    }
}

}  // namespace freshet
