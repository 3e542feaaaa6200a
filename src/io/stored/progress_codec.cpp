#include "io/stored/progress_codec.hpp"

#include <algorithm>
#include <charconv>
#include <concepts>
#include <cstdint>
#include <optional>

#include "io/stored/hex.hpp"

namespace freshet {

namespace {

constexpr std::string_view kNone = "-";
constexpr std::string_view kPending = "pending";
constexpr RecordSlot kSlotsOfACluster = 16'384;

// The whole of `text` as a number.
template <std::integral T>
bool parse(std::string_view text, T& number, int base = 10) {
    const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), number, base);
    return code == std::errc() && end == text.data() + text.size();
}

// The next word of `text`, which is shortened by it.
std::string_view take_word(std::string_view& text, char end = ' ') {
    const std::string_view word = text.substr(0, text.find(end));
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

Error bad_value(std::string_view what, std::string_view value) {
    return {Errc::corrupt, "the progress record's " + std::string(what) + " is \"" + std::string(value) + "\""};
}

bool parse_features(std::string_view list, ViewProgress& progress) {
    if (list == kNone) return true;
    while (!list.empty()) {
        std::string_view one = take_word(list, ',');
        const std::string_view name = take_word(one, ':');
        FeatureProgress feature;
        const bool parsed = !name.empty() && parse(take_word(one, ':'), feature.fingerprint, 16) &&
                            (one.empty() || parse_time(one, feature.since));
        if (!parsed || !progress.features.emplace(name, feature).second) return false;
    }
    return !progress.features.empty();
}

bool parse_mark(std::string_view text, LogMark& mark) {
    const std::size_t time = text.find(':');
    const std::size_t content = text.rfind(':');
    if (time == content) return false;
    std::int64_t ms = 0;
    const bool parsed = parse(text.substr(0, time), mark.offset.value) &&
                        parse(text.substr(time + 1, content - time - 1), ms) &&
                        parse(text.substr(content + 1), mark.content, 16);
    mark.time = from_unix_ms(ms);
    return parsed && mark.offset.value >= 0;
}

bool parse_marks(std::string_view text, std::vector<LogMark>& marks) {
    while (!text.empty())
        if (!parse_mark(take_word(text), marks.emplace_back())) return false;
    const auto not_behind = [](const LogMark& a, const LogMark& b) { return a.offset > b.offset; };
    return std::adjacent_find(marks.begin(), marks.end(), not_behind) == marks.end();
}

// A field that is not one of a view. Unknown ones are of a later version.
bool parse_field(ProgressRecord& record, std::string_view name, std::string_view value) {
    using namespace record_field;
    if (name == kEpoch) return parse(value, record.epoch.value);
    if (name == kGeneration) return parse(value, record.log.generation.value);
    if (name == kBegins)
        return parse(take_word(value), record.log.begins.value) &&
               parse(take_word(value), record.log.low.value);
    if (name == kMarks) return parse_marks(value, record.log.marks);
    if (name == kCalls) return parse(value, record.calls);
    if (name == kPartitions) return parse(value, record.partitions);
    if (name == kSlots) return !(record.slots = decode_slots(value)).empty();
    if (name == kCovers) return !(record.covers = decode_covers(value)).empty() || value.empty();
    if (name == kAdvance) return parse(value, record.advance);
    if (name == kRebuilds) return (record.rebuilds = value == "1") || value == "0";
    if (name == kNode) record.node = value;
    if (name == kCluster) record.kafka_cluster = value;
    if (name == kGroup) record.group = value;
    return true;
}

}  // namespace

std::string record_field::position(std::string_view view_id) { return "v:" + std::string(view_id); }
std::string record_field::definition(std::string_view view_id) { return "d:" + std::string(view_id); }
std::string record_field::layouts(std::string_view view_id) { return "l:" + std::string(view_id); }

std::string encode_position(const ViewProgress& progress) {
    return std::to_string(progress.next.value) + " " + encode_time(progress.clock) + " " +
           encode_time(progress.watermark) + " " + std::to_string(progress.generation.value);
}

std::string encode_begins(const LogIdentity& log) {
    return std::to_string(log.begins.value) + " " + std::to_string(log.low.value);
}

std::string encode_marks(std::span<const LogMark> marks) {
    std::string text;
    for (const LogMark& mark : marks) {
        text += (text.empty() ? "" : " ") + std::to_string(mark.offset.value) + ":" +
                std::to_string(unix_ms(mark.time)) + ":" + in_hex(mark.content);
    }
    return text;
}

std::string encode_slots(std::span<const RecordSlot> slots) {
    std::string text;
    for (const RecordSlot slot : slots) text += (text.empty() ? "" : " ") + std::to_string(slot);
    return text;
}

std::string encode_covers(const SlotRanges& ranges) {
    std::string text;
    for (const SlotRange& range : ranges)
        text += (text.empty() ? "" : " ") + std::to_string(range.first) + "-" + std::to_string(range.last);
    return text;
}

std::vector<RecordSlot> decode_slots(std::string_view text) {
    std::vector<RecordSlot> slots;
    while (!text.empty()) {
        RecordSlot slot = 0;
        if (!parse(take_word(text), slot) || slot >= kSlotsOfACluster) return {};
        slots.push_back(slot);
    }
    return slots;
}

SlotRanges decode_covers(std::string_view text) {
    SlotRanges ranges;
    while (!text.empty()) {
        std::string_view one = take_word(text);
        SlotRange& range = ranges.emplace_back();
        const bool parsed = parse(take_word(one, '-'), range.first) && parse(one, range.last);
        if (!parsed || range.first > range.last || range.last >= kSlotsOfACluster) return {};
    }
    return ranges;
}

std::string encode_definition(const ViewProgress& progress) {
    std::string features;
    for (const auto& [name, feature] : progress.features) {
        features += (features.empty() ? "" : ",") + name + ":" + in_hex(feature.fingerprint);
        if (feature.since) features += ":" + encode_time(feature.since);
    }
    return in_hex(progress.fingerprint) + " " + encode_time(progress.since) + " " +
           std::to_string(progress.retain.count()) + " " + (features.empty() ? std::string(kNone) : features);
}

Result<void> decode_position(std::string_view position, ViewProgress& progress) {
    std::string_view p = position;
    const bool parsed = parse(take_word(p), progress.next.value) && parse_time(take_word(p), progress.clock) &&
                        parse_time(take_word(p), progress.watermark) &&
                        parse(take_word(p), progress.generation.value);
    if (!parsed) return bad_value("position of a view", position);
    return {};
}

Result<void> decode_definition(std::string_view definition, ViewProgress& progress) {
    std::string_view d = definition;
    std::int64_t retain = 0;
    progress.features.clear();
    const bool parsed = parse(take_word(d), progress.fingerprint, 16) &&
                        parse_time(take_word(d), progress.since) && parse(take_word(d), retain) &&
                        parse_features(take_word(d), progress);
    progress.retain = Duration{retain};
    if (!parsed) return bad_value("definition of a view", definition);
    return {};
}

Result<ViewProgress> decode_view(std::string_view position, std::string_view definition) {
    ViewProgress progress;
    if (auto decoded = decode_position(position, progress); !decoded) return decoded.error();
    if (auto decoded = decode_definition(definition, progress); !decoded) return decoded.error();
    return progress;
}

RecordFields encode_record(const ProgressRecord& record) {
    using namespace record_field;
    RecordFields fields = {{std::string(kEpoch), std::to_string(record.epoch.value)},
                           {std::string(kNode), record.node},
                           {std::string(kGeneration), std::to_string(record.log.generation.value)},
                           {std::string(kBegins), encode_begins(record.log)},
                           {std::string(kMarks), encode_marks(record.log.marks)},
                           {std::string(kCalls), std::to_string(record.calls)},
                           {std::string(kPartitions), std::to_string(record.partitions)},
                           {std::string(kCluster), record.kafka_cluster},
                           {std::string(kGroup), record.group}};
    for (const auto& [id, progress] : record.views) {
        fields.emplace_back(position(id), encode_position(progress));
        fields.emplace_back(definition(id), encode_definition(progress));
    }
    for (const auto& [id, list] : record.layouts) fields.emplace_back(layouts(id), list);
    if (!record.slots.empty()) {
        fields.emplace_back(kSlots, encode_slots(record.slots));
        fields.emplace_back(kCovers, encode_covers(record.covers));
        fields.emplace_back(kAdvance, std::to_string(record.advance));
        fields.emplace_back(kRebuilds, record.rebuilds ? "1" : "0");
    }
    return fields;
}

Result<ProgressRecord> decode_record(std::span<const std::string_view> names_and_values) {
    ProgressRecord record;
    std::map<std::string_view, std::string_view> positions, definitions;
    std::string_view read;
    for (std::size_t i = 0; i + 1 < names_and_values.size(); i += 2) {
        const std::string_view name = names_and_values[i];
        const std::string_view value = names_and_values[i + 1];
        if (name == record_field::kRead) {
            read = value;
        } else if (name.starts_with("v:")) {
            positions[name.substr(2)] = value;
        } else if (name.starts_with("d:")) {
            definitions[name.substr(2)] = value;
        } else if (name.starts_with("l:")) {
            record.layouts.emplace(name.substr(2), value);
        } else if (!parse_field(record, name, value)) {
            return bad_value(name, value);
        }
    }
    std::vector<LogMark> marks;
    if (!parse_marks(read, marks)) return bad_value(record_field::kRead, read);
    for (const LogMark& mark : marks) add_mark(record.log.marks, mark);
    if (record.epoch.value == 0) return bad_value(record_field::kEpoch, "");
    for (const auto& [id, position] : positions) {
        auto progress = decode_view(position, definitions[id]);
        if (!progress) return progress.error().within("view " + std::string(id));
        record.views.emplace(id, *progress);
    }
    return record;
}

}  // namespace freshet
