#include "io/lookup/answer_writers.hpp"

namespace freshet {

namespace {

// Numbers of the fields of proto/answer.proto.
constexpr std::uint8_t kFeature = wire_tag(1, WireType::bytes);
constexpr std::uint8_t kView = wire_tag(2, WireType::bytes);
constexpr std::uint8_t kRow = wire_tag(3, WireType::bytes);
constexpr std::uint8_t kValue = wire_tag(1, WireType::bytes);
constexpr std::uint8_t kStatuses = wire_tag(2, WireType::bytes);
constexpr std::uint8_t kFreshnessTag = wire_tag(3, WireType::bytes);
constexpr std::uint8_t kInteger = wire_tag(1, WireType::varint);
constexpr std::uint8_t kNumber = wire_tag(2, WireType::fixed64);
constexpr std::uint8_t kText = wire_tag(3, WireType::bytes);
constexpr std::uint8_t kBinary = wire_tag(4, WireType::bytes);
constexpr std::uint8_t kFlag = wire_tag(5, WireType::varint);
constexpr std::uint8_t kStaleness = wire_tag(1, WireType::varint);
constexpr std::uint8_t kNewestEvent = wire_tag(2, WireType::varint);

std::uint8_t status_number(std::string_view status) {
    switch (status.front()) {
        case 'f':  // fresh
            return 1;
        case 's':  // stale
            return 2;
        case 'i':  // incomplete
            return 3;
        case 'o':  // overflow
            return 4;
        default:  // missing
            return 5;
    }
}

}  // namespace

void ProtobufAnswerWriter::bytes(std::uint8_t tag, std::string_view text) {
    out_.byte(tag);
    out_.varint(text.size());
    out_.raw(text);
}

void ProtobufAnswerWriter::begin(const AnswerShape& shape, std::size_t) {
    for (const std::string_view name : shape.features) bytes(kFeature, name);
    for (const std::string_view name : shape.views) bytes(kView, name);
}

void ProtobufAnswerWriter::row(const AnswerShape& shape, const AnswerRow& row) {
    const std::size_t opened = out_.open(kRow);
    for (const AnswerValue& one : row.values) value(one);
    if (shape.meta) {
        const std::size_t statuses = out_.open(kStatuses);
        for (const std::string_view status : row.statuses) out_.byte(status_number(status));
        out_.close(statuses);
        for (const AnswerRow::Freshness& one : row.freshness) {
            const std::size_t freshness = out_.open(kFreshnessTag);
            const auto time = [&](std::uint8_t tag, const AnswerValue& ms) {
                if (ms.type != ':') return;
                out_.byte(tag);
                out_.varint(static_cast<std::uint64_t>(number_of<std::int64_t>(ms.text)));
            };
            time(kStaleness, one.staleness);
            time(kNewestEvent, one.newest_event);
            out_.close(freshness);
        }
    }
    out_.close(opened);
}

void ProtobufAnswerWriter::value(const AnswerValue& value) {
    const std::size_t opened = out_.open(kValue);
    switch (value.type) {
        case ':':
            out_.byte(kInteger);
            out_.sint(number_of<std::int64_t>(value.text));
            break;
        case ',':
            out_.byte(kNumber);
            out_.fixed(number_of<double>(value.text));
            break;
        case '$':
            bytes(is_utf8(value.text) ? kText : kBinary, value.text);
            break;
        case '#':
            out_.byte(kFlag);
            out_.byte(value.text == "t" ? 1 : 0);
            break;
        default:
            break;
    }
    out_.close(opened);
}

}  // namespace freshet
