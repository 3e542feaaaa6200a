#include "io/config/config_freshness.hpp"

#include "io/config/config_text.hpp"

namespace freshet {
namespace {

using namespace std::chrono_literals;
using Kind = ConfigNode::Kind;

// Freshness is measured about once a second, and what is measured takes a moment to be stored.
constexpr Duration kLeastStaleness = 1s;
constexpr Duration kCalmStaleness = 2s;

constexpr Choice kOnBreach[] = {{"flag"}, {"null"}, {"default"}, {"error"}};  // in the order of OnBreach

void read_cache_for(const ConfigNode& node, const std::string& name, Freshness& freshness,
                    ConfigErrors& errors) {
    if (node.text.starts_with('-')) {
        errors.add(node.place, name + " is negative; write 100ms, or 0s for none");
    } else if (const auto read = read_duration(node, name, Duration{0}, 1h, errors)) {
        freshness.cache_for = *read;
    }
}

void read_max_staleness(const ConfigNode& node, const std::string& name, std::optional<Duration>& most,
                        ConfigErrors& errors) {
    if (node.text.starts_with('-')) return errors.add(node.place, name + " is negative; write at least 1s");
    const auto read = read_duration(node, name, Duration{0}, kTenYears, errors);
    if (!read) return;
    most = *read;
    if (*read < kLeastStaleness) {
        errors.add(node.place, name +
                                   " is below 1s, but freshness is measured about once a second; write at "
                                   "least 1s, better 3s");
    } else if (*read < kCalmStaleness) {
        errors.warn(node.place, name + " is " + duration_text(*read) +
                                    ", but freshness is measured about once a second and then stored, so that "
                                    "it is exceeded again and again where nothing is late; write 3s");
    }
}

std::optional<Scalar> read_constant(const ConfigNode& node, const std::string& what, FieldType type,
                                    ConfigErrors& errors) {
    switch (type) {
        case FieldType::int64:
            if (const auto read = read_integer(node, what, INT64_MIN, INT64_MAX, errors)) return Scalar{*read};
            return std::nullopt;
        case FieldType::float64:
            if (const auto read = read_decimal(node, what, errors)) return Scalar{*read};
            return std::nullopt;
        case FieldType::boolean: {
            constexpr Choice choices[] = {{"false"}, {"true"}};
            if (const auto read = read_choice(node, what, choices, errors)) return Scalar{*read == 1};
            return std::nullopt;
        }
        case FieldType::string:
            if (auto read = read_text(node, what, errors)) return Scalar{*std::move(read)};
            return std::nullopt;
    }
    return std::nullopt;
}

}  // namespace

void read_freshness(const ConfigNode& node, const std::string& what, Freshness& freshness,
                    ConfigErrors& errors) {
    const MapReader map{
        node, what + ".freshness", {{"max_staleness", "on_breach", "cache_for"}, {}, {}}, errors};
    if (node.kind != Kind::map) {
        if (node.kind == Kind::null)
            errors.add(node.place, what + ".freshness is empty; write {max_staleness: 5s}");
        return;
    }
    const ConfigNode* const cache = map.find("cache_for");
    if (cache) read_cache_for(*cache, map.name_of("cache_for"), freshness, errors);
    const ConfigNode* const limit =
        cache ? map.find("max_staleness") : map.require("max_staleness", "max_staleness: 5s");
    if (limit) read_max_staleness(*limit, map.name_of("max_staleness"), freshness.max_staleness, errors);
    if (freshness.max_staleness && freshness.cache_for >= *freshness.max_staleness && cache) {
        errors.add(cache->place,
                   map.name_of("cache_for") +
                       " is not below max_staleness, so that what is kept would be stale before it is "
                       "read again; write at most half of max_staleness");
    }
    map.choice("on_breach", kOnBreach, freshness.on_breach);
}

void read_feature_freshness(const MapReader& feature_map, const std::string& what, const Source& source,
                            Feature& feature, ConfigErrors& errors) {
    if (const ConfigNode* value = feature_map.find("default")) {
        const auto read = read_constant(*value, what + ".default", value_type(source, feature), errors);
        if (read) feature.otherwise = *read;
    }
    const ConfigNode* const node = feature_map.find("freshness");
    if (node == nullptr) return;
    const MapReader map{*node, what + ".freshness", {{"max_staleness", "on_breach"}, {}, {}}, errors};
    if (node->kind != Kind::map && node->kind != Kind::null) return;
    if (node->entries.empty()) {
        return errors.add(node->place, what +
                                           ".freshness is empty; write {max_staleness: 5s}, or {on_breach: "
                                           "null} to differ from the view in that alone");
    }
    if (const ConfigNode* limit = map.find("max_staleness"))
        read_max_staleness(*limit, map.name_of("max_staleness"), feature.freshness.max_staleness, errors);
    OnBreach on_breach = OnBreach::flag;
    map.choice("on_breach", kOnBreach, on_breach);
    if (map.find("on_breach")) feature.freshness.on_breach = on_breach;
}

void check_freshness(const ConfigNode& feature_node, const View& view, const Feature& feature,
                     ConfigErrors& errors) {
    const std::string what = "feature " + view.name + "." + feature.name;
    const ConfigNode* const freshness = feature_node.find("freshness");
    const ConfigNode* const limit = freshness ? freshness->find("max_staleness") : nullptr;
    const ConfigNode* const breach = freshness ? freshness->find("on_breach") : nullptr;
    const ConfigNode* const otherwise = feature_node.find("default");
    const auto most = max_staleness(view, feature);
    if (breach && !most) {
        errors.add(breach->place, what +
                                      ".freshness.on_breach never applies, since neither the feature nor the "
                                      "view has a max_staleness; add one, such as max_staleness: 5s");
    }
    if (limit && most && view.freshness.cache_for >= *most) {
        errors.warn(limit->place, what + ".freshness.max_staleness of " + duration_text(*most) +
                                      " is not above the view's cache_for of " +
                                      duration_text(view.freshness.cache_for) +
                                      ": answers that hold the feature are given again only until it is stale");
    }
    const bool gives_default = most && on_breach(view, feature) == OnBreach::default_value;
    if (breach && gives_default && !otherwise) {
        errors.warn(breach->place, what +
                                       ".freshness.on_breach is default, but the feature has none, so that " +
                                       "it gives null; add one beside its function, such as default: 0");
    }
    if (otherwise && !gives_default) {
        errors.warn(otherwise->place, what + ".default is never given; add on_breach: default and a " +
                                          "max_staleness to the feature's freshness or the view's");
    }
}

}  // namespace freshet
