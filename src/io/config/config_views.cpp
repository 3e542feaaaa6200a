#include "io/config/config_views.hpp"

#include <algorithm>
#include <set>

#include "io/config/config_features.hpp"
#include "io/config/config_freshness.hpp"
#include "io/config/config_sources.hpp"
#include "io/config/config_text.hpp"

namespace freshet {
namespace {

using Kind = ConfigNode::Kind;

const Source* find_source(const MapReader& map, const std::string& what, const Definitions& definitions,
                          ConfigErrors& errors) {
    const ConfigNode* node = map.require("source", "source: events");
    const auto name = node == nullptr ? std::nullopt : read_text(*node, map.name_of("source"), errors);
    if (!name) return nullptr;
    const auto found = std::ranges::find(definitions.sources, *name, &Source::name);
    if (found != definitions.sources.end()) return &*found;
    KnownNames known;
    for (const Source& source : definitions.sources) known.names.push_back(source.name);
    errors.add(node->place, what + ": " + known.explain("source", *name));
    return nullptr;
}

void read_entity(const ConfigNode& node, const std::string& what, const Source& source, View& view,
                 ConfigErrors& errors) {
    for (const ConfigNode* item : read_list(node, what + ".entity", errors)) {
        const auto name = read_text(*item, what + ".entity", errors);
        if (!name) continue;
        const auto field = find_field(*name, item->place, what + ".entity", source, errors);
        if (!field) continue;
        if (source.fields[*field].type == FieldType::float64) {
            errors.add(item->place,
                       what + ".entity: " + *name +
                           " is a float, which does not identify anything; use an int, string or bool field");
        } else if (std::ranges::find(view.entity, *field) != view.entity.end()) {
            errors.add(item->place, what + ".entity names " + *name + " twice; remove one");
        } else {
            view.entity.push_back(*field);
        }
    }
}

void read_features(const ConfigNode& node, const std::string& what, const Source& source, View& view,
                   ConfigErrors& errors) {
    if (node.kind != Kind::map || node.entries.empty()) {
        errors.add(node.place, what + " has no features; write {events_1h: {count: \"*\", window: 1h}}");
    }
    for (const ConfigEntry& entry : node.entries) {
        if (auto feature = read_feature(entry, view.name, source, errors)) {
            check_freshness(entry.value, view, *feature, errors);
            view.features.push_back(*std::move(feature));
        }
    }
    std::set<std::string> filters;
    for (const Feature& feature : view.features)
        if (feature.where) filters.insert(feature.where->text());
    if (filters.size() > kMostFilters) {
        errors.add(node.place, what + " has " + std::to_string(filters.size()) +
                                   " different `where` among its features, of " + std::to_string(kMostFilters) +
                                   " at most; spread the features over several views");
    }
}

Duration longest_hop(const View& view) {
    Duration longest{0};
    for (const Feature& feature : view.features) longest = std::max(longest, feature.hop);
    return longest;
}

// Everything that needs the source's fields.
void read_contents(const MapReader& map, const std::string& what, const Source& source, View& view,
                   ConfigErrors& errors) {
    if (const ConfigNode* entity = map.require("entity", "entity: user_id")) {
        read_entity(*entity, what, source, view, errors);
    }
    if (const ConfigNode* where = map.find("where")) view.where = read_where(*where, what, source, errors);
    if (const ConfigNode* features =
            map.require("features", "features: {events_1h: {count: \"*\", window: 1h}}")) {
        read_features(*features, what, source, view, errors);
    }
}

const std::vector<std::string> kViewKeys{"version", "source",   "entity",    "clock",    "start", "where",
                                         "retain",  "features", "freshness", "priority", "owner"};

// What a service's `view.feature` names, or a complaint.
std::optional<std::pair<std::string, std::string>> find_feature(const ConfigNode& node, const std::string& what,
                                                                const Definitions& definitions,
                                                                ConfigErrors& errors) {
    const auto text = read_text(node, what, errors);
    if (!text) return std::nullopt;
    const std::size_t dot = text->find('.');
    if (dot == std::string::npos) {
        errors.add(node.place, what + ": " + in_quotes(*text) +
                                   " is not view.feature; write the view, a dot and the feature");
        return std::nullopt;
    }
    const std::string view_name = text->substr(0, dot);
    const std::string feature_name = text->substr(dot + 1);
    const View* view = definitions.find_view(view_name);
    KnownNames known;
    if (view == nullptr) {
        for (const View& one : definitions.views) known.names.push_back(one.name);
        errors.add(node.place, what + ": " + known.explain("view", view_name));
        return std::nullopt;
    }
    for (const Feature& feature : view->features) known.names.push_back(feature.name);
    if (!known.holds(feature_name)) {
        errors.add(node.place,
                   what + ": " + known.explain("feature", feature_name) + " (of view " + view_name + ")");
        return std::nullopt;
    }
    return std::pair{view_name, feature_name};
}

Priority read_priority(const ConfigNode& node, const std::string& what, ConfigErrors& errors) {
    if (node.text == "high") {
        errors.add(node.place,
                   what + " is low or normal, since all views of a source are counted together; write " +
                       "`priority: high` at the source, or `priority: low` at the views that may be " +
                       "left out for others");
        return Priority::normal;
    }
    constexpr Choice priorities[] = {{"low"}, {"normal"}};  // in the order of Priority
    return static_cast<Priority>(read_choice(node, what, priorities, errors).value_or(1));
}

std::string read_owner(const ConfigNode& node, const std::string& what, ConfigErrors& errors) {
    auto owner = read_text(node, what, errors);
    if (owner && !is_owner(*owner))
        errors.add(node.place, what + ": " + in_quotes(*owner) +
                                   " cannot name an owner; write a lower-case letter and at most 63 further of "
                                   "a-z, 0-9, _ and -");
    return owner.value_or("");
}

}  // namespace

void read_view(const ConfigEntry& entry, Definitions& definitions, ConfigErrors& errors) {
    View view;
    view.name = entry.key;
    check_name(view.name, "view", entry.place, errors);
    const std::string what = "view " + view.name;
    if (entry.value.kind == Kind::null) {
        errors.add(entry.place, what + " is empty; give it a source, an entity and features");
        return;
    }
    const MapReader map{
        entry.value, what, {kViewKeys, {}, {{"entities", "entity"}, {"filter", "where"}}}, errors};
    if (entry.value.kind != Kind::map) return;
    map.integer("version", 1, 1'000'000, view.version);
    constexpr Choice clocks[] = {{"wall"}, {"event"}};  // in the order of View::Clock
    map.choice("clock", clocks, view.clock);
    if (const ConfigNode* start = map.find("start")) view.start = read_start(*start, what + ".start", errors);
    if (const ConfigNode* freshness = map.find("freshness"))
        read_freshness(*freshness, what, view.freshness, errors);
    if (const ConfigNode* priority = map.find("priority"))
        view.priority = read_priority(*priority, what + ".priority", errors);
    if (const ConfigNode* owner = map.find("owner")) view.owner = read_owner(*owner, what + ".owner", errors);

    const Source* source = find_source(map, what, definitions, errors);
    if (source == nullptr) return;
    view.source = source->name;
    read_contents(map, what, *source, view, errors);
    view.retain = longest_hop(view);
    if (const ConfigNode* retain = map.find("retain")) {
        const auto read = read_duration(*retain, what + ".retain", Duration{0}, kTenYears, errors);
        if (read) view.retain = *read;
    }
    definitions.views.push_back(std::move(view));
}

void read_service(const ConfigEntry& entry, Definitions& definitions, ConfigErrors& errors) {
    Service service{entry.key, {}};
    check_name(service.name, "service", entry.place, errors);
    const std::string what = "service " + service.name;
    if (entry.value.kind != Kind::list || entry.value.items.empty()) {
        errors.add(entry.value.place, what + " is not a list of features; write [view.feature, view.feature]");
        return;
    }
    for (const ConfigNode& item : entry.value.items) {
        auto feature = find_feature(item, what, definitions, errors);
        if (!feature) continue;
        if (std::ranges::find(service.features, *feature) != service.features.end()) {
            errors.add(item.place, what + " holds " + item.text + " twice; remove one");
        }
        service.features.push_back(*std::move(feature));
    }
    definitions.services.push_back(std::move(service));
}

}  // namespace freshet
