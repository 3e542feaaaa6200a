#include "io/config/feature_tests.hpp"

#include <algorithm>
#include <array>
#include <cstdint>

#include "io/config/config_file.hpp"
#include "io/config/config_reader.hpp"
#include "io/config/config_text.hpp"
#include "io/config/feature_test_events.hpp"
#include "io/events/event_intake.hpp"

namespace freshet {
namespace {

namespace fs = std::filesystem;
using Kind = ConfigNode::Kind;

// The text of one column as it stands in an entity's name.
std::optional<std::string> read_column(const ConfigNode& node, const FieldDef& field, ConfigErrors& errors) {
    const std::string what = "entity column " + field.name;
    auto text = read_text(node, what, errors);
    if (!text || field.type == FieldType::string) return text;
    if (field.type == FieldType::boolean) {
        if (*text == "true" || *text == "false") return text;
        errors.add(node.place, what + " is a bool; write true or false");
    } else {
        const auto number = parse_integer(*text);
        if (number) return std::to_string(*number);
        errors.add(node.place, what + " is an int: " + number.error().message);
    }
    return std::nullopt;
}

std::optional<std::string> read_entity(const ConfigNode& node, const Source& source, const View& view,
                                       ConfigErrors& errors) {
    const auto items = read_list(node, "entity", errors);
    if (items.empty()) return std::nullopt;
    if (items.size() != view.entity.size()) {
        std::string columns;
        for (const std::size_t column : view.entity)
            columns += (columns.empty() ? "" : ", ") + source.fields[column].name;
        errors.add(node.place, "an entity of view " + view.name + " has " + std::to_string(view.entity.size()) +
                                   " columns; write [" + columns + "]");
        return std::nullopt;
    }
    std::vector<std::string> texts;
    for (std::size_t i = 0; i < items.size(); ++i) {
        auto text = read_column(*items[i], source.fields[view.entity[i]], errors);
        if (!text) return std::nullopt;
        texts.push_back(*std::move(text));
    }
    std::string name;
    join_entity(std::vector<std::string_view>(texts.begin(), texts.end()), name);
    return name;
}

std::optional<Scalar> read_value(const ConfigNode& node, const std::string& what, FieldType type,
                                 ConfigErrors& errors) {
    if (node.kind == Kind::null && !node.text.empty()) return Scalar{};
    constexpr Choice booleans[] = {{"false"}, {"true"}};
    switch (type) {
        case FieldType::int64:
            if (const auto value = read_integer(node, what, INT64_MIN, INT64_MAX, errors)) return *value;
            return std::nullopt;
        case FieldType::float64:
            if (const auto value = read_decimal(node, what, errors)) return *value;
            return std::nullopt;
        case FieldType::boolean:
            if (const auto value = read_choice(node, what, booleans, errors)) return *value == 1;
            return std::nullopt;
        case FieldType::string:
            break;
    }
    if (auto value = read_text(node, what, errors)) return *std::move(value);
    return std::nullopt;
}

double read_tolerance(const MapReader& map, std::string_view key, double otherwise, ConfigErrors& errors) {
    const ConfigNode* node = map.find(key);
    const auto value = node == nullptr ? std::nullopt : read_decimal(*node, map.name_of(key), errors);
    if (!value) return otherwise;
    if (*value < 0) errors.add(node->place, map.name_of(key) + " is negative; write one such as 1e-6");
    return *value;
}

// Of one test, within a configuration that is known.
class TestReader {
public:
    TestReader(const Definitions& definitions, ConfigErrors& errors)
        : definitions_(definitions), errors_(errors) {}

    FeatureTest read(const ConfigEntry& entry) {
        FeatureTest test{entry.key, entry.place, {}, {}, {}};
        const auto printable = [](char c) { return static_cast<unsigned char>(c) >= ' '; };
        if (entry.key.empty() || !std::ranges::all_of(entry.key, printable))
            errors_.add(entry.place, "the name of a test is empty or has a line break; write it in one line");
        const KnownNames known{{"events", "records", "expect", "refused"}, {}, {{"dead_letters", "refused"}}};
        const MapReader map{entry.value, "test " + in_quotes(entry.key), known, errors_};
        read_given(entry.value, definitions_, test.given, errors_);
        each(map, "expect", [&](const ConfigNode& node) { read_expectation(node, test); });
        each(map, "refused", [&](const ConfigNode& node) { read_refusal(node, test); });
        if (!map.find("expect") && !map.find("refused") && !map.misspelt())
            errors_.add(entry.place, "test " + in_quotes(entry.key) +
                                         " expects nothing, so it cannot fail; give it expect: or refused:");
        return test;
    }

private:
    template <class Read>
    void each(const MapReader& map, const char* key, Read read) {
        const ConfigNode* list = map.find(key);
        if (list == nullptr) return;
        if (list->kind != Kind::list || list->items.empty())
            return errors_.add(list->place,
                               map.name_of(key) + " is not a list with an entry; write - before each");
        for (const ConfigNode& node : list->items) read(node);
    }

    void read_expectation(const ConfigNode& node, FeatureTest& test) {
        const KnownNames known{
            {"at", "view", "entity", "features", "statuses", "missing", "tolerance", "absolute_tolerance"},
            {},
            {{"values", "features"}, {"time", "at"}}};
        const MapReader map{node, "expect", known, errors_};
        Expectation expected;
        expected.place = node.place;
        const View* view = read_view(map, expected);
        if (view == nullptr) return;
        if (const ConfigNode* entity = map.require("entity", "entity: downtown"))
            expected.entity = read_entity(*entity, definitions_.source_of(*view), *view, errors_).value_or("");
        if (const ConfigNode* at = map.require("at", "at: 2024-05-01T10:00:00Z, or at: clock"))
            read_at(*at, *view, expected);
        map.boolean("missing", expected.missing);
        expected.tolerance = read_tolerance(map, "tolerance", expected.tolerance, errors_);
        expected.absolute_tolerance = read_tolerance(map, "absolute_tolerance", 0, errors_);
        read_features(map, *view, expected);
        const bool expects = expected.missing || map.find("features") || map.find("statuses");
        if (!expects && !map.misspelt())
            errors_.add(node.place, "this expects nothing; give it features: {name: value}, or missing: true");
        if (expected.missing && map.find("features"))
            errors_.add(node.place, "an entity that is missing has no values; remove missing or features");
        test.expect.push_back(std::move(expected));
    }

    const View* read_view(const MapReader& map, Expectation& expected) {
        std::string name;
        const ConfigNode* node = map.require("view", "view: store_orders");
        map.text("view", name);
        if (node == nullptr || name.empty()) return nullptr;
        const View* view = definitions_.find_view(name);
        if (view == nullptr) {
            KnownNames known;
            for (const View& one : definitions_.views) known.names.push_back(one.name);
            errors_.add(node->place, known.explain("view", name));
        } else {
            expected.view = static_cast<std::size_t>(view - definitions_.views.data());
        }
        return view;
    }

    void read_at(const ConfigNode& node, const View& view, Expectation& expected) {
        if (node.kind != Kind::scalar || node.text != "clock") {
            expected.at = read_moment(node, "expect.at", errors_);
        } else if (view.clock == View::Clock::wall) {
            errors_.add(node.place, "view " + view.name +
                                        " has clock: wall, which the events do not tell; write a time, such as "
                                        "2024-05-01T10:00:00Z");
        }
    }

    void read_features(const MapReader& map, const View& view, Expectation& expected) {
        const Source& source = definitions_.source_of(view);
        each_feature(map, "features", view, [&](const ConfigEntry& entry, std::size_t f) {
            const FieldType type = value_type(source, view.features[f]);
            if (auto value = read_value(entry.value, entry.key, type, errors_))
                expected.values.push_back({entry.value.place, f, *std::move(value)});
        });
        constexpr std::array<Choice, 3> kStatuses{{{"ok"}, {"overflow"}, {"missing"}}};
        each_feature(map, "statuses", view, [&](const ConfigEntry& entry, std::size_t f) {
            if (const auto status = read_choice(entry.value, "status of " + entry.key, kStatuses, errors_))
                expected.statuses.push_back({entry.value.place, f, static_cast<ValueStatus>(*status)});
        });
    }

    template <class Read>
    void each_feature(const MapReader& map, const char* key, const View& view, Read read) {
        const ConfigNode* features = map.find(key);
        if (features == nullptr) return;
        if (features->kind != Kind::map || features->entries.empty())
            return errors_.add(features->place,
                               map.name_of(key) + " names no feature; write them as {name: value}");
        KnownNames known;
        for (const Feature& feature : view.features) known.names.push_back(feature.name);
        for (const ConfigEntry& entry : features->entries) {
            const auto found = std::ranges::find(known.names, entry.key);
            if (found != known.names.end())
                read(entry, static_cast<std::size_t>(found - known.names.begin()));
            else
                errors_.add(entry.place, known.explain("feature", entry.key) + " (in view " + view.name + ")");
        }
    }

    void read_refusal(const ConfigNode& node, FeatureTest& test) {
        const KnownNames known{{"source", "event", "reason"}, {}, {}};
        const MapReader map{node, "refused", known, errors_};
        ExpectedRefusal refusal;
        refusal.place = node.place;
        if (const auto source = read_source(map, node)) refusal.source = *source;
        if (const ConfigNode* event = map.require("event", "event: 3, its number among the source's events"))
            refusal.number = static_cast<std::size_t>(
                read_integer(*event, "refused.event", 1, INT64_MAX, errors_).value_or(1));
        std::array<Choice, kDeadLetterReasons> reasons;
        for (std::size_t i = 0; i < reasons.size(); ++i)
            reasons[i] = {name_of(static_cast<DeadLetterReason>(i))};
        if (const ConfigNode* reason = map.require("reason", "reason: wrong_type"))
            if (const auto index = read_choice(*reason, "refused.reason", reasons, errors_))
                refusal.reason = static_cast<DeadLetterReason>(*index);
        test.refused.push_back(refusal);
    }

    // May be left out where the configuration has one.
    std::optional<std::size_t> read_source(const MapReader& map, const ConfigNode& node) {
        if (const ConfigNode* source = map.find("source")) {
            const auto name = read_text(*source, "refused.source", errors_);
            return name ? find_source(*name, source->place, definitions_, errors_) : std::nullopt;
        }
        if (definitions_.sources.size() > 1)
            errors_.add(node.place, "the configuration has several sources; add whose event it is, as source:");
        return 0;
    }

    const Definitions& definitions_;
    ConfigErrors& errors_;
};

Result<Config> read_configuration(const MapReader& file, ConfigErrors& errors) {
    const ConfigNode* node = file.require("config", "config: features.yaml");
    const auto path = node == nullptr ? std::nullopt : read_text(*node, "config", errors);
    if (errors.any()) return errors.first();
    auto config = load_config(fs::path{node->place.file}.parent_path() / *path);
    if (!config) return config.error().within(node->place.text() + ": config");
    return config;
}

}  // namespace

Result<FeatureTests> load_feature_tests(const fs::path& path) {
    const auto text = read_config_file(path);
    if (!text) return text.error().within(path.string());
    return parse_feature_tests(*text, path.string());
}

Result<FeatureTests> parse_feature_tests(std::string_view text, const std::string& file_name) {
    const auto root = parse_tree(text, file_name, 0);
    if (!root) return root.error();
    if (root->kind != Kind::map)
        return refuse(root->place,
                      "a file of tests is a map; write config: and tests:, as in "
                      "examples/flights_test.yaml");
    ConfigErrors errors;
    const MapReader file{*root, "a file of tests", {{"config", "tests"}, {}, {}}, errors};
    auto config = read_configuration(file, errors);
    if (!config) return config.error();
    FeatureTests tests{*std::move(config), {}};
    const ConfigNode* cases = file.require("tests", "tests: {a name: {events: ..., expect: ...}}");
    if (cases != nullptr && (cases->kind != Kind::map || cases->entries.empty()))
        errors.add(cases->place, "tests is not a map with an entry; write a name and a colon before each test");
    else if (cases != nullptr)
        for (const ConfigEntry& entry : cases->entries)
            tests.tests.push_back(TestReader{tests.config.definitions, errors}.read(entry));
    if (errors.any()) return errors.first();
    return tests;
}

}  // namespace freshet
