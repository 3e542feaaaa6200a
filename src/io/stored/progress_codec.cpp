#include "io/stored/progress_codec.hpp"

#include <algorithm>
#include <charconv>
#include <concepts>
#include <cstdint>
#include <optional>

namespace freshet {

namespace {

constexpr std::string_view kNone = "-";
constexpr std::string_view kPending = "pending";

// The whole of `text` as a number.
template <std::integral T>
bool parse(std::string_view text, T& number, int base = 10) {
    const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), number, base);
    return code == std::errc() && end == text.data() + text.size();
}

// The next word of `text`, which is shortened by it.
std::string_view take_word(std::string_view& text) {
    const std::string_view word = text.substr(0, text.find(' '));
    text.remove_prefix(std::min(text.size(), word.size() + 1));
    return word;
}

std::string encode_time(std::optional<Timestamp> t) {
    if (!t) return std::string(kNone);
    return t == kSincePending ? std::string(kPending) : std::to_string(unix_ms(*t));
}

bool parse_time(std::string_view text, std::optional<Timestamp>& t) {
    t.reset();
    if (text == kNone) return true;
    std::int64_t ms = 0;
    if (text != kPending && !parse(text, ms)) return false;
    t = text == kPending ? kSincePending : from_unix_ms(ms);
    return true;
}

Error corrupt(std::string_view what, std::string_view value) {
    return {Errc::corrupt, "the progress record's " + std::string(what) + " is \"" + std::string(value) + "\""};
}

// A field that is not one of a view. Unknown ones are of a later version.
bool parse_field(ProgressRecord& record, std::string_view name, std::string_view value) {
    using namespace record_field;
    if (name == kEpoch) return parse(value, record.epoch.value);
    if (name == kGeneration) return parse(value, record.generation.value);
    if (name == kCalls) return parse(value, record.calls);
    if (name == kPartitions) return parse(value, record.partitions);
    if (name == kNode) record.node = value;
    if (name == kCluster) record.kafka_cluster = value;
    if (name == kGroup) record.group = value;
    return true;
}

}  // namespace

std::string record_field::position(std::string_view view_id) { return "v:" + std::string(view_id); }
std::string record_field::definition(std::string_view view_id) { return "d:" + std::string(view_id); }

std::string encode_position(const ViewProgress& progress) {
    return std::to_string(progress.next.value) + " " + encode_time(progress.clock) + " " +
           encode_time(progress.watermark);
}

std::string encode_definition(const ViewProgress& progress) {
    char digits[16];
    char* const end = std::to_chars(digits, digits + sizeof digits, progress.fingerprint, 16).ptr;
    return std::string(digits, end) + " " + encode_time(progress.since);
}

Result<ViewProgress> decode_view(std::string_view position, std::string_view definition) {
    ViewProgress progress;
    std::string_view p = position;
    std::string_view d = definition;
    const bool position_ok = parse(take_word(p), progress.next.value) &&
                             parse_time(take_word(p), progress.clock) &&
                             parse_time(take_word(p), progress.watermark);
    if (!position_ok) return corrupt("position of a view", position);
    if (!parse(take_word(d), progress.fingerprint, 16) || !parse_time(take_word(d), progress.since))
        return corrupt("definition of a view", definition);
    return progress;
}

RecordFields encode_record(const ProgressRecord& record) {
    using namespace record_field;
    RecordFields fields = {{std::string(kEpoch), std::to_string(record.epoch.value)},
                           {std::string(kNode), record.node},
                           {std::string(kGeneration), std::to_string(record.generation.value)},
                           {std::string(kCalls), std::to_string(record.calls)},
                           {std::string(kPartitions), std::to_string(record.partitions)},
                           {std::string(kCluster), record.kafka_cluster},
                           {std::string(kGroup), record.group}};
    for (const auto& [id, progress] : record.views) {
        fields.emplace_back(position(id), encode_position(progress));
        fields.emplace_back(definition(id), encode_definition(progress));
    }
    return fields;
}

Result<ProgressRecord> decode_record(std::span<const std::string_view> names_and_values) {
    ProgressRecord record;
    std::map<std::string_view, std::string_view> positions, definitions;
    for (std::size_t i = 0; i + 1 < names_and_values.size(); i += 2) {
        const std::string_view name = names_and_values[i];
        const std::string_view value = names_and_values[i + 1];
        if (name.starts_with("v:")) {
            positions[name.substr(2)] = value;
        } else if (name.starts_with("d:")) {
            definitions[name.substr(2)] = value;
        } else if (!parse_field(record, name, value)) {
            return corrupt(name, value);
        }
    }
    if (record.epoch.value == 0) return corrupt(record_field::kEpoch, "");
    for (const auto& [id, position] : positions) {
        auto progress = decode_view(position, definitions[id]);
        if (!progress) return progress.error().within("view " + std::string(id));
        record.views.emplace(id, *progress);
    }
    return record;
}

}  // namespace freshet
