#include "io/lookup/answer_writers.hpp"

#include <bit>
#include <concepts>
#include <limits>
#include <span>

namespace freshet {

namespace {

// MessagePack: a byte that says what follows, and a number in big-endian.
template <std::unsigned_integral Number>
void append(std::string& out, unsigned mark, Number number) {
    out += static_cast<char>(mark);
    for (int shift = 8 * (static_cast<int>(sizeof number) - 1); shift >= 0; shift -= 8)
        out += static_cast<char>(number >> shift);
}

// A length, in as few bytes as hold it; marks of 0 are not there.
void append_length(std::string& out, std::size_t length, unsigned mark8, unsigned mark16, unsigned mark32) {
    if (mark8 != 0 && length <= 0xff) return append(out, mark8, static_cast<std::uint8_t>(length));
    if (length <= 0xffff) return append(out, mark16, static_cast<std::uint16_t>(length));
    append(out, mark32, static_cast<std::uint32_t>(length));
}

void append_array(std::string& out, std::size_t elements) {
    if (elements > 15) return append_length(out, elements, 0, 0xdc, 0xdd);
    out += static_cast<char>(0x90 | elements);
}

void append_map(std::string& out, unsigned pairs) { out += static_cast<char>(0x80 | pairs); }

void append_text(std::string& out, std::string_view text) {
    if (text.size() > 31) {
        append_length(out, text.size(), 0xd9, 0xda, 0xdb);
    } else {
        out += static_cast<char>(0xa0 | text.size());
    }
    out += text;
}

void append_texts(std::string& out, std::span<const std::string_view> texts) {
    append_array(out, texts.size());
    for (const std::string_view text : texts) append_text(out, text);
}

void append_integer(std::string& out, std::int64_t number) {
    const auto bits = static_cast<std::uint64_t>(number);
    if (number >= -32 && number <= 127) {
        out += static_cast<char>(number);
    } else if (number > 0) {
        if (number <= 0xff) return append(out, 0xcc, static_cast<std::uint8_t>(bits));
        if (number <= 0xffff) return append(out, 0xcd, static_cast<std::uint16_t>(bits));
        if (number <= 0xffff'ffff) return append(out, 0xce, static_cast<std::uint32_t>(bits));
        append(out, 0xcf, bits);
    } else {
        if (number >= std::numeric_limits<std::int8_t>::min())
            return append(out, 0xd0, static_cast<std::uint8_t>(bits));
        if (number >= std::numeric_limits<std::int16_t>::min())
            return append(out, 0xd1, static_cast<std::uint16_t>(bits));
        if (number >= std::numeric_limits<std::int32_t>::min())
            return append(out, 0xd2, static_cast<std::uint32_t>(bits));
        append(out, 0xd3, bits);
    }
}

}  // namespace

void MsgpackAnswerWriter::begin(const AnswerShape& shape, std::size_t rows) {
    append_map(out_, 3);
    append_text(out_, "features");
    append_texts(out_, shape.features);
    append_text(out_, "views");
    append_texts(out_, shape.views);
    append_text(out_, "rows");
    append_array(out_, rows);
}

void MsgpackAnswerWriter::row(const AnswerShape& shape, const AnswerRow& row) {
    append_map(out_, shape.meta ? 3 : 1);
    append_text(out_, "values");
    append_array(out_, row.values.size());
    for (const AnswerValue& one : row.values) value(one);
    if (!shape.meta) return;
    append_text(out_, "statuses");
    append_texts(out_, row.statuses);
    append_text(out_, "freshness");
    append_array(out_, row.freshness.size());
    for (const AnswerRow::Freshness& one : row.freshness) {
        append_map(out_, 2);
        append_text(out_, "staleness_ms");
        value(one.staleness);
        append_text(out_, "newest_event_ms");
        value(one.newest_event);
    }
}

void MsgpackAnswerWriter::value(const AnswerValue& value) {
    switch (value.type) {
        case ':':
            return append_integer(out_, number_of<std::int64_t>(value.text));
        case ',':
            return append(out_, 0xcb, std::bit_cast<std::uint64_t>(number_of<double>(value.text)));
        case '$':
            if (is_utf8(value.text)) return append_text(out_, value.text);
            append_length(out_, value.text.size(), 0xc4, 0xc5, 0xc6);
            out_ += value.text;
            return;
        case '#':
            out_ += static_cast<char>(value.text == "t" ? 0xc3 : 0xc2);
            return;
        default:
            out_ += static_cast<char>(0xc0);
    }
}

}  // namespace freshet
