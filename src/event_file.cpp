#include "event_file.hpp"

#include <simdjson.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <iostream>
#include <nlohmann/json.hpp>

namespace freshet {

namespace {

constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

using Object = simdjson::dom::object;

Error not_a_record(const std::string& why) { return {Errc::invalid_argument, "not a record: " + why}; }

Result<std::int64_t> integer_of(const Object& object, const char* name) {
    std::int64_t number = 0;
    if (object[name].get(number)) return not_a_record(std::string(name) + " is missing or not an integer");
    return number;
}

// `name`, or `name`_base64: text, bytes, or null where that is allowed by the caller.
Result<std::optional<std::string>> bytes_of(const Object& object, const std::string& name) {
    std::string_view text;
    if (!object[name + "_base64"].get(text)) {
        auto bytes = from_base64(text);
        if (!bytes) return not_a_record(name + "_base64 is not base64");
        return bytes;
    }
    const auto found = object[name];
    if (found.error() || found.is_null()) return std::optional<std::string>{};
    if (found.get(text)) return not_a_record(name + " is neither text nor null");
    return std::optional<std::string>{text};
}

void put_bytes(nlohmann::ordered_json& line, const std::string& name, const std::string& bytes) {
    if (simdjson::validate_utf8(bytes.data(), bytes.size())) {
        line[name] = bytes;
    } else {
        line[name + "_base64"] = base64_of(bytes);
    }
}

}  // namespace

struct EventFile::Parser {
    simdjson::dom::parser json;
};

EventFile::EventFile(std::string path, Format format)
    : path_(std::move(path)), format_(format), in_(&std::cin), parser_(std::make_unique<Parser>()) {}

EventFile::~EventFile() = default;

Result<std::unique_ptr<EventFile>> EventFile::open(const std::string& path, Format format) {
    std::unique_ptr<EventFile> file(new EventFile(path, format));
    if (path == "-") {
        std::ios::sync_with_stdio(false);
        return file;
    }
    errno = 0;
    file->file_.open(path, std::ios::binary);
    // A folder can be opened, but not read.
    if (!file->file_ || (file->file_.peek() == std::ifstream::traits_type::eof() && file->file_.bad()))
        return Error{Errc::invalid_argument, path + ": cannot be read: " + std::strerror(errno)};
    file->file_.clear();
    file->in_ = &file->file_;
    return file;
}

std::string EventFile::place() const {
    return (path_ == "-" ? "stdin" : path_) + ":" + std::to_string(number_);
}

Result<bool> EventFile::next(EventRecord& record) {
    do {
        if (!std::getline(*in_, line_)) return false;
        ++number_;
    } while (format_ == Format::records && line_.find_first_not_of(" \t\r") == std::string::npos);
    if (format_ == Format::plain) {
        record.offset = Offset{static_cast<std::int64_t>(number_ - 1)};
        record.value = line_;
        return true;
    }
    if (auto parsed = parse(record); !parsed) return parsed.error().within(place());
    return true;
}

Result<void> EventFile::parse(EventRecord& record) {
    Object object;
    if (parser_->json.parse(line_).get(object)) return not_a_record("not a JSON object");
    std::string_view topic;
    if (object["topic"].get(topic)) return not_a_record("topic is missing or not text");
    const auto partition = integer_of(object, "partition");
    if (!partition) return partition.error();
    if (*partition < 0 || *partition > INT32_MAX) return not_a_record("partition is out of range");
    const auto offset = integer_of(object, "offset");
    if (!offset) return offset.error();
    if (*offset < 0) return not_a_record("offset is negative");
    const auto timestamp = integer_of(object, "timestamp");
    if (!timestamp) return timestamp.error();
    if (object["value"].error() == object["value_base64"].error())
        return not_a_record("it needs either value or value_base64");
    auto key = bytes_of(object, "key");
    if (!key) return key.error();
    auto value = bytes_of(object, "value");
    if (!value) return value.error();
    record = {std::string(topic), PartitionId{static_cast<std::int32_t>(*partition)},
              Offset{*offset},    from_unix_ms(*timestamp),
              *std::move(key),    *std::move(value)};
    return {};
}

std::string record_line(const EventRecord& record) {
    nlohmann::ordered_json line;
    line["topic"] = record.topic;
    line["partition"] = record.partition.value;
    line["offset"] = record.offset.value;
    line["timestamp"] = unix_ms(record.timestamp);
    if (record.key) put_bytes(line, "key", *record.key);
    if (record.value) {
        put_bytes(line, "value", *record.value);
    } else {
        line["value"] = nullptr;
    }
    return line.dump();
}

std::string base64_of(std::string_view bytes) {
    std::string text;
    for (std::size_t i = 0; i < bytes.size(); i += 3) {
        const std::size_t have = std::min<std::size_t>(3, bytes.size() - i);
        std::uint32_t word = 0;
        for (std::size_t k = 0; k < 3; ++k)
            word = word << 8 | (k < have ? static_cast<unsigned char>(bytes[i + k]) : 0U);
        for (std::size_t k = 0; k < 4; ++k) text += k <= have ? kDigits[word >> (18 - 6 * k) & 63] : '=';
    }
    return text;
}

std::optional<std::string> from_base64(std::string_view text) {
    if (text.size() % 4 != 0) return std::nullopt;
    const std::size_t padding = text.ends_with("==") ? 2 : text.ends_with("=") ? 1 : 0;
    text.remove_suffix(padding);
    std::string bytes;
    std::uint32_t word = 0;
    int bits = 0;
    for (const char c : text) {
        const std::size_t digit = kDigits.find(c);
        if (digit == std::string_view::npos) return std::nullopt;
        word = word << 6 | static_cast<std::uint32_t>(digit);
        bits += 6;
        if (bits < 8) continue;
        bits -= 8;
        bytes += static_cast<char>(word >> bits & 0xff);
    }
    return bytes;
}

}  // namespace freshet
