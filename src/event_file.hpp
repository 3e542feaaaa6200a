// Files of events (docs/cli.md): plain payloads, or records as Kafka holds them, one JSON object a line.
#pragma once

#include <cstddef>
#include <fstream>
#include <iosfwd>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "model/ids.hpp"
#include "model/result.hpp"

namespace freshet {

struct EventRecord {
    std::string topic;  // empty: plain
    PartitionId partition{0};
    Offset offset{0};
    Timestamp timestamp{};  // Kafka's; of a plain payload not known
    std::optional<std::string> key;
    std::optional<std::string> value;  // none: a tombstone
};

class EventFile {
public:
    enum class Format {
        plain,    // each line is the value of an event; its offset is the number of its line, from 0
        records,  // each line that is not blank has topic, partition, offset, timestamp, value or value_base64
    };
    // `path` may be "-", the standard input.
    static Result<std::unique_ptr<EventFile>> open(const std::string& path, Format format);
    ~EventFile();

    // False at the end.
    Result<bool> next(EventRecord& record);
    // FILE:LINE of what next() handed out last.
    std::string place() const;

private:
    struct Parser;
    EventFile(std::string path, Format format);
    Result<void> parse(EventRecord& record);

    std::string path_;
    Format format_;
    std::ifstream file_;
    std::istream* in_;
    std::unique_ptr<Parser> parser_;
    std::string line_;
    std::size_t number_ = 0;  // of line_, from 1
};

// A record as a line of such a file, without the line end.
std::string record_line(const EventRecord& record);

std::string base64_of(std::string_view bytes);
std::optional<std::string> from_base64(std::string_view text);

}  // namespace freshet
