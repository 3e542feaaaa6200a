// Answers in the encodings that docs/protocol.md describes, appended to a string row by row.
#pragma once

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "io/lookup/answer_encoding.hpp"
#include "io/stored/protobuf_wire.hpp"

namespace freshet {

// Of each writer: begin(), a row() as many times as it was told, end().

class JsonAnswerWriter {
public:
    explicit JsonAnswerWriter(std::string& out) : out_(out) {}

    void begin(const AnswerShape& shape, std::size_t rows);
    void row(const AnswerShape& shape, const AnswerRow& row);
    void end() { out_ += "]}"; }

private:
    void value(const AnswerValue& value);

    std::string& out_;
    bool first_ = true;
};

class MsgpackAnswerWriter {
public:
    explicit MsgpackAnswerWriter(std::string& out) : out_(out) {}

    void begin(const AnswerShape& shape, std::size_t rows);
    void row(const AnswerShape& shape, const AnswerRow& row);
    void end() {}

private:
    void value(const AnswerValue& value);

    std::string& out_;
};

// Messages of proto/answer.proto.
class ProtobufAnswerWriter {
public:
    explicit ProtobufAnswerWriter(std::string& out) : out_(out) {}

    void begin(const AnswerShape& shape, std::size_t rows);
    void row(const AnswerShape& shape, const AnswerRow& row);
    void end() {}

private:
    void bytes(std::uint8_t tag, std::string_view text);
    void value(const AnswerValue& value);

    WireWriter out_;
};

// Of the text of an AnswerValue.
template <class Number>
Number number_of(std::string_view text) {
    Number number{};
    std::from_chars(text.data(), text.data() + text.size(), number);
    return number;
}

// How many bytes of `text` are its first character in UTF-8; 0 when it does not begin with one.
std::size_t utf8_character(std::string_view text);
bool is_utf8(std::string_view text);

}  // namespace freshet
