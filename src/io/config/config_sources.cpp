#include "io/config/config_sources.hpp"

#include <algorithm>
#include <filesystem>

#include "io/config/config_text.hpp"
#include "model/characters.hpp"

namespace freshet {
namespace {

using Kind = ConfigNode::Kind;
using Format = TimeSpec::Format;

// The first four in the order of FieldType.
constexpr Choice kTypes[] = {
    {"int"},
    {"float"},
    {"string"},
    {"bool"},
    {"integer", true, "int"},
    {"int64", true, "int"},
    {"long", true, "int"},
    {"double", true, "float"},
    {"number", true, "float"},
    {"float64", true, "float"},
    {"text", true, "string"},
    {"boolean", true, "bool"},
};
constexpr std::string_view kKeywords[] = {"and", "or", "not", "in", "is", "null", "true", "false"};

// `a.b` as {a, b}; empty if a step is.
std::vector<std::string> split_path(std::string_view text) {
    std::vector<std::string> path;
    for (std::size_t start = 0; start <= text.size();) {
        const std::size_t dot = std::min(text.find('.', start), text.size());
        if (dot == start) return {};
        path.emplace_back(text.substr(start, dot - start));
        start = dot + 1;
    }
    return path;
}

std::vector<std::string> read_path(const ConfigNode& node, const std::string& what, ConfigErrors& errors) {
    const auto text = read_text(node, what, errors);
    if (!text) return {};
    auto path = split_path(*text);
    if (path.empty())
        errors.add(node.place, what + " is no path; write the keys from the outside in, such as a.b");
    return path;
}

void read_field(const ConfigEntry& entry, const std::string& source, std::vector<FieldDef>& fields,
                ConfigErrors& errors) {
    const std::string what = source + ".fields." + entry.key;
    FieldDef field{entry.key, {entry.key}, FieldType::int64};
    if (!is_name(entry.key)) {
        errors.add(entry.place, in_quotes(entry.key) +
                                    " cannot name a field; write a lower-case name of a-z, 0-9 and _, and "
                                    "the key of the event as its path, such as user_id: {type: int, path: " +
                                    entry.key + "}");
    } else if (std::ranges::find(kKeywords, entry.key) != std::end(kKeywords)) {
        errors.add(entry.place, in_quotes(entry.key) +
                                    " is a word of `where` and cannot name a field; choose another name and "
                                    "write path: " +
                                    entry.key);
    }
    const ConfigNode* type = &entry.value;
    if (entry.value.kind == Kind::map) {
        const MapReader map{entry.value, what, {{"type", "path"}, {}, {}}, errors};
        type = map.require("type", "type: int");
        if (const ConfigNode* path = map.find("path")) field.path = read_path(*path, what + ".path", errors);
    }
    if (type != nullptr) {
        const auto read = read_choice(*type, what, kTypes, errors);
        if (read) field.type = static_cast<FieldType>(*read);
    }
    fields.push_back(std::move(field));
}

// What is wrong with a pattern of %Y %m %d %H %M %S and literal characters; empty if nothing.
std::string pattern_fault(std::string_view pattern) {
    std::string seen;
    for (std::size_t i = 0; i < pattern.size(); ++i) {
        if (pattern[i] != '%') continue;
        const char c = i + 1 < pattern.size() ? pattern[++i] : '\0';
        if (c == '\0' || std::string_view{"YmdHMS"}.find(c) == std::string_view::npos) {
            return "%" + std::string(c == '\0' ? 0 : 1, c) + " is not one of %Y %m %d %H %M %S";
        }
        if (seen.find(c) != std::string::npos) return "%" + std::string(1, c) + " is written twice";
        seen += c;
    }
    const auto has = [&](char c) { return seen.find(c) != std::string::npos; };
    if (!has('Y') || !has('m') || !has('d')) return "a pattern needs at least %Y, %m and %d";
    if ((has('M') && !has('H')) || (has('S') && !has('M'))) return "%M needs %H, and %S needs %M";
    return {};
}

void read_time_format(const ConfigNode& node, const std::string& what, TimeSpec& time, ConfigErrors& errors) {
    const auto text = read_text(node, what, errors);
    if (!text) return;
    const KnownNames known{
        {"unix", "unix_ms", "iso8601"},
        {},
        {{"rfc3339", "iso8601"}, {"iso", "iso8601"}, {"epoch", "unix"}, {"unix_seconds", "unix"}}};
    if (text->find('%') != std::string::npos) {
        time.format = Format::pattern;
        time.pattern = *text;
        const std::string fault = pattern_fault(*text);
        if (!fault.empty()) {
            errors.add(node.place, what + ": " + fault + "; write a pattern such as \"%Y-%m-%d %H:%M:%S\"");
        }
    } else if (known.holds(*text)) {
        time.format = *text == "unix"      ? Format::unix_seconds
                      : *text == "unix_ms" ? Format::unix_ms
                                           : Format::iso8601;
    } else {
        errors.add(node.place, what + ": " + known.explain("time format", *text) +
                                   " (or a pattern such as \"%Y-%m-%d %H:%M:%S\")");
    }
}

// The machine's zones decide where they are installed; elsewhere the decoder finds out.
bool is_zone(const std::string& name) {
    if (name == "UTC") return true;
    const bool plain = std::ranges::all_of(name, [](char c) {
        return is_letter(c) || is_digit(c) || c == '_' || c == '-' || c == '+' || c == '/';
    });
    if (!plain || name.empty() || name.front() == '/') return false;
    const std::filesystem::path zones = "/usr/share/zoneinfo";
    std::error_code ignored;
    return !std::filesystem::is_directory(zones, ignored) ||
           std::filesystem::is_regular_file(zones / name, ignored);
}

bool suits(FieldType type, Format format) {
    switch (format) {
        case Format::unix_seconds:
            return type == FieldType::int64 || type == FieldType::float64;
        case Format::unix_ms:
            return type == FieldType::int64;
        default:
            return type == FieldType::string;
    }
}

void read_time(const ConfigNode& node, const std::string& source, const std::vector<FieldDef>& fields,
               TimeSpec& time, ConfigErrors& errors) {
    const std::string what = source + ".time";
    if (node.kind == Kind::scalar && node.text == "kafka") return;
    if (node.kind != Kind::map) {
        errors.add(node.place, what + " is neither `kafka` nor a map; write {field: ts, format: unix_ms}");
        return;
    }
    const MapReader map{node, what, {{"field", "format", "zone"}, {}, {{"timezone", "zone"}}}, errors};
    if (const ConfigNode* format = map.require("format", "format: iso8601")) {
        read_time_format(*format, what + ".format", time, errors);
    }
    if (const ConfigNode* zone = map.find("zone")) {
        map.text("zone", time.zone);
        if (time.format != Format::pattern && time.format != Format::kafka) {
            errors.add(zone->place,
                       what + ".zone only goes with a pattern, other formats say their zone; remove it");
        } else if (!is_zone(time.zone)) {
            errors.add(zone->place, what + ".zone: " + in_quotes(time.zone) +
                                        " is no IANA time zone; write one such as UTC or Europe/Berlin");
        }
    }
    const ConfigNode* field = map.require("field", "field: ts");
    if (field == nullptr) return;
    time.path = read_path(*field, what + ".field", errors);
    const auto declared = std::ranges::find(fields, field->text, &FieldDef::name);
    if (declared == fields.end()) return;
    time.path = declared->path;
    if (time.format != Format::kafka && !suits(declared->type, time.format)) {
        errors.add(field->place, what + ".field: " + declared->name + " is declared as " +
                                     std::string{name_of(declared->type)} +
                                     ", which the format cannot read; change the format or the field's type");
    }
}

void read_topics(const MapReader& map, const KafkaConfig& kafka, Source& source, ConfigErrors& errors) {
    const std::string mend = "; write at most 249 of a-z, A-Z, 0-9, . _ and -";
    const ConfigNode* topic = map.require("topic", "topic: " + source.name);
    map.text("topic", source.topic);
    if (topic != nullptr && topic->kind == Kind::scalar && !is_topic(source.topic)) {
        errors.add(topic->place,
                   map.name_of("topic") + ": " + in_quotes(source.topic) + " is not a topic's name" + mend);
    }
    source.dead_letter_topic = kafka.dead_letter_topic;
    map.text("dead_letter_topic", source.dead_letter_topic);
    if (source.dead_letter_topic.empty()) source.dead_letter_topic = source.topic + ".dlq";

    const ConfigNode* at = map.find("dead_letter_topic");
    if (at == nullptr) at = topic;
    if (at == nullptr || at->kind != Kind::scalar || !is_topic(source.topic)) return;
    if (!is_topic(source.dead_letter_topic)) {
        errors.add(at->place, map.name_of("dead_letter_topic") + ": " + in_quotes(source.dead_letter_topic) +
                                  " is not a topic's name" + mend);
    } else if (source.dead_letter_topic == source.topic) {
        errors.add(at->place, map.name_of("topic") +
                                  " is its own dead-letter topic, so that a dead letter would come back "
                                  "for ever; choose another dead_letter_topic");
    }
}

}  // namespace

std::optional<Start> read_start(const ConfigNode& node, const std::string& what, ConfigErrors& errors) {
    const auto text = read_text(node, what, errors);
    if (!text) return std::nullopt;
    if (*text == "earliest") return StartEarliest{};
    if (*text == "latest") return StartLatest{};
    if (const auto time = parse_rfc3339(*text)) return *time;
    errors.add(
        node.place,
        what + ": " + in_quotes(*text) +
            " is no start; write earliest, latest or a time with its zone, such as 2024-05-01T00:00:00Z");
    return std::nullopt;
}

void read_source(const ConfigEntry& entry, const KafkaConfig& kafka, Definitions& definitions,
                 ConfigErrors& errors) {
    Source source;
    source.name = entry.key;
    check_name(source.name, "source", entry.place, errors);
    const std::string what = "source " + source.name;
    if (entry.value.kind == Kind::null) errors.add(entry.place, what + " is empty; give it a topic and fields");
    const KnownNames known{{"topic", "format", "start", "time", "fields", "max_future", "max_jump",
                            "dead_letter_topic", "priority"},
                           {},
                           {}};
    const MapReader map{entry.value, what, known, errors};
    if (entry.value.kind == Kind::map) read_topics(map, kafka, source, errors);
    constexpr Choice priorities[] = {{"low"}, {"normal"}, {"high"}};  // in the order of Priority
    map.choice("priority", priorities, source.priority);
    constexpr Choice formats[] = {
        {"json"}, {"protobuf", false}, {"avro", false}, {"msgpack", false}, {"csv", false}};
    std::size_t format = 0;
    map.choice("format", formats, format);
    if (const ConfigNode* start = map.find("start")) {
        source.start = read_start(*start, what + ".start", errors).value_or(StartEarliest{});
    }
    if (const ConfigNode* fields = map.find("fields")) {
        if (fields->entries.empty()) {
            errors.add(
                fields->place,
                what + ".fields declares nothing; write {name: type}, with type int, float, string or bool");
        }
        for (const ConfigEntry& field : fields->entries) read_field(field, what, source.fields, errors);
    } else if (entry.value.kind == Kind::map) {
        map.require("fields", "fields: {amount: float}");
    }
    if (const ConfigNode* time = map.find("time")) read_time(*time, what, source.fields, source.time, errors);
    if (const ConfigNode* future = map.find("max_future")) {
        const auto read = read_duration(*future, what + ".max_future", Duration{0}, kTenYears, errors);
        if (read) source.max_future = *read;
    }
    if (const ConfigNode* jump = map.find("max_jump")) {
        source.max_jump = read_duration(*jump, what + ".max_jump", std::chrono::seconds{1}, kTenYears, errors);
    }
    definitions.sources.push_back(std::move(source));
}

}  // namespace freshet
