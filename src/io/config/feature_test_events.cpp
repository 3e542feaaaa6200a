#include "io/config/feature_test_events.hpp"

#include <algorithm>
#include <filesystem>

#include "io/config/config_json.hpp"
#include "io/config/config_text.hpp"

namespace freshet {
namespace {

using Kind = ConfigNode::Kind;

// A map is written as JSON, a text is taken as it is.
std::optional<std::string> read_payload(const ConfigNode& node, ConfigErrors& errors) {
    if (node.kind == Kind::map) return json_text(node);
    if (node.kind == Kind::scalar) return node.text;
    errors.add(node.place, "an event is a map, such as {store: downtown, amount: 12.5}, or its bytes as text");
    return std::nullopt;
}

std::optional<GivenEvent> read_record(const ConfigNode& node, ConfigErrors& errors) {
    const std::size_t before = errors.count();
    const KnownNames known{{"timestamp", "partition", "value"}, {}, {}};
    const MapReader map{node, "record", known, errors};
    GivenEvent event{node.place, {}, {}, {}};
    map.integer("partition", 0, INT32_MAX, event.partition.value);
    if (const ConfigNode* time = map.find("timestamp"))
        event.timestamp = read_moment(*time, "record.timestamp", errors);
    const ConfigNode* value = map.require("value", "value: {store: downtown}");
    if (value != nullptr && value->kind != Kind::null) event.value = read_payload(*value, errors);
    return errors.count() == before ? std::optional{std::move(event)} : std::nullopt;
}

class GivenReader {
public:
    GivenReader(const Definitions& definitions, std::vector<GivenEvents>& given, ConfigErrors& errors)
        : definitions_(definitions), given_(given), errors_(errors) {}

    void read(const ConfigNode& node, bool records) {
        if (node.kind != Kind::map)
            return errors_.add(node.place, std::string(key(records)) +
                                               " is not a map; write the name of a source, and its events "
                                               "below it as a list or the path of a file");
        for (const ConfigEntry& entry : node.entries) read_source(entry, records);
    }

private:
    static const char* key(bool records) { return records ? "records" : "events"; }

    void read_source(const ConfigEntry& entry, bool records) {
        const auto source = find_source(entry.key, entry.place, definitions_, errors_);
        if (!source) return;
        if (std::ranges::find(given_, *source, &GivenEvents::source) != given_.end())
            return errors_.add(entry.place, "source " + entry.key +
                                                " stands under both events and records; write all of its "
                                                "events as records");
        GivenEvents given{*source, entry.place, {}, records, {}};
        if (entry.value.kind == Kind::scalar) {
            read_file(entry.value, given);
        } else if (entry.value.kind == Kind::list) {
            for (const ConfigNode& item : entry.value.items) read_event(item, given);
        } else {
            errors_.add(entry.value.place, std::string(key(records)) + "." + entry.key +
                                               " is neither a list of events nor the path of a file; write - "
                                               "before each event");
        }
        given_.push_back(std::move(given));
    }

    bool needs_timestamp(const GivenEvents& given) const {
        return definitions_.sources[given.source].time.format == TimeSpec::Format::kafka;
    }
    void refuse_untimed(const ConfigPlace& place, const GivenEvents& given) {
        errors_.add(place, "source " + definitions_.sources[given.source].name +
                               " takes Kafka's timestamp; write its events under records:, each as {timestamp: "
                               "2024-05-01T10:00:00Z, value: {...}}");
    }

    void read_file(const ConfigNode& node, GivenEvents& given) {
        if (!given.records && needs_timestamp(given)) return refuse_untimed(node.place, given);
        if (node.text.empty() || node.text == "-")
            return errors_.add(node.place, "the path of a file of events is wanted, relative to this file");
        const auto folder = std::filesystem::path{node.place.file}.parent_path();
        given.file = (folder / node.text).string();
    }

    void read_event(const ConfigNode& node, GivenEvents& given) {
        std::optional<GivenEvent> event;
        if (given.records) {
            event = read_record(node, errors_);
        } else if (auto payload = read_payload(node, errors_)) {
            event = GivenEvent{node.place, {}, {}, std::move(payload)};
        }
        if (!event) return;
        if (!event->timestamp && needs_timestamp(given)) return refuse_untimed(node.place, given);
        given.events.push_back(*std::move(event));
    }

    const Definitions& definitions_;
    std::vector<GivenEvents>& given_;
    ConfigErrors& errors_;
};

}  // namespace

std::optional<Timestamp> read_moment(const ConfigNode& node, const std::string& what, ConfigErrors& errors) {
    const auto text = read_text(node, what, errors);
    if (!text) return std::nullopt;
    if (const auto ms = parse_integer(*text)) return from_unix_ms(*ms);
    if (const auto time = parse_rfc3339(*text)) return *time;
    errors.add(node.place, what + ": " + in_quotes(*text) +
                               " is no time; write one with its zone, such as 2024-05-01T10:00:00Z, or unix "
                               "milliseconds");
    return std::nullopt;
}

std::optional<std::size_t> find_source(const std::string& name, const ConfigPlace& place,
                                       const Definitions& definitions, ConfigErrors& errors) {
    const auto found = std::ranges::find(definitions.sources, name, &Source::name);
    if (found != definitions.sources.end()) return found - definitions.sources.begin();
    KnownNames known;
    for (const Source& source : definitions.sources) known.names.push_back(source.name);
    errors.add(place, known.explain("source", name));
    return std::nullopt;
}

void read_given(const ConfigNode& test, const Definitions& definitions, std::vector<GivenEvents>& given,
                ConfigErrors& errors) {
    GivenReader reader{definitions, given, errors};
    if (const ConfigNode* events = test.find("events")) reader.read(*events, false);
    if (const ConfigNode* records = test.find("records")) reader.read(*records, true);
}

}  // namespace freshet
