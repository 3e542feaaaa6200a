#include "io/config/config_features.hpp"

#include <algorithm>
#include <charconv>

#include "io/config/config_freshness.hpp"
#include "io/config/config_text.hpp"

namespace freshet {
namespace {

using Kind = ConfigNode::Kind;
using std::chrono::seconds;

constexpr std::int64_t kManyTiles = 300;

const std::vector<std::string>& functions() {
    static const std::vector<std::string> names = [] {
        std::vector<std::string> all;
        for (int i = 0; i <= static_cast<int>(Function::quantile); ++i)
            all.emplace_back(name_of(static_cast<Function>(i)));
        return all;
    }();
    return names;
}

KnownNames known_keys() {
    KnownNames known{functions(),
                     {"last_n", "top_k", "decayed_sum", "half_life", "n", "k", "tumbling", "session", "zone"},
                     {{"avg", "mean"},
                      {"average", "mean"},
                      {"std", "stddev"},
                      {"stdev", "stddev"},
                      {"var", "variance"},
                      {"distinct", "count_distinct"},
                      {"distinct_count", "count_distinct"},
                      {"nunique", "count_distinct"},
                      {"percentile", "quantile"},
                      {"median", "quantile"},
                      {"filter", "where"}}};
    for (const char* key : {"q", "window", "hop", "where", "freshness", "default"})
        known.names.emplace_back(key);
    return known;
}

bool needs_number(Function function) {
    switch (function) {
        case Function::sum:
        case Function::mean:
        case Function::min:
        case Function::max:
        case Function::variance:
        case Function::stddev:
        case Function::quantile:
            return true;
        default:
            return false;
    }
}

// Divisors of a whole number of seconds.
std::vector<std::int64_t> divisors(std::int64_t number) {
    std::vector<std::int64_t> result;
    for (std::int64_t i = 1; i * i <= number; ++i) {
        if (number % i != 0) continue;
        result.push_back(i);
        if (i != number / i) result.push_back(number / i);
    }
    std::ranges::sort(result);
    return result;
}

// Both whole seconds. Of two hops equally near, the shorter.
Duration nearest_hop(Duration window, Duration wanted) {
    const auto all = divisors(window / seconds{1});
    const auto distance = [&](std::int64_t hop) { return std::abs(hop - wanted / seconds{1}); };
    return seconds{*std::ranges::min_element(all, {}, distance)};
}

// A round one where there is one.
Duration shortest_sparing_hop(Duration window) {
    using namespace std::chrono_literals;
    constexpr Duration round[] = {1s,    2s,    5s, 10s, 15s, 20s, 30s, 1min, 2min, 5min, 10min,   15min,
                                  20min, 30min, 1h, 2h,  3h,  6h,  12h, 24h,  48h,  120h, 10 * 24h};
    for (const Duration hop : round) {
        if (window % hop == 0s && window / hop <= kManyTiles) return hop;
    }
    for (const std::int64_t hop : divisors(window / seconds{1})) {
        if (window / seconds{hop} <= kManyTiles) return seconds{hop};
    }
    return window;
}

class FeatureEntry {
public:
    FeatureEntry(const ConfigEntry& entry, const std::string& view, const Source& source, ConfigErrors& errors)
        : entry_(entry),
          what_("feature " + view + "." + entry.key),
          source_(source),
          errors_(errors),
          map_(entry.value, what_, known_keys(), errors) {}

    std::optional<Feature> read() {
        const std::size_t before = errors_.count();
        feature_.name = entry_.key;
        check_name(entry_.key, "feature", entry_.place, errors_);
        if (entry_.value.kind == Kind::map) {
            read_function();
            read_quantile();
            read_window();
        } else if (entry_.value.kind == Kind::null) {
            errors_.add(entry_.place, what_ + " is empty; write it as {count: \"*\", window: 1h}");
        }
        if (const ConfigNode* where = map_.find("where"))
            feature_.where = read_where(*where, what_, source_, errors_);
        if (errors_.count() == before) read_feature_freshness(map_, what_, source_, feature_, errors_);
        if (errors_.count() != before) return std::nullopt;
        return feature_;
    }

private:
    void read_function() {
        const ConfigEntry* chosen = nullptr;
        for (const ConfigEntry& entry : entry_.value.entries) {
            const auto found = std::ranges::find(functions(), entry.key);
            if (found == functions().end()) continue;
            if (chosen != nullptr) {
                errors_.add(entry.place, what_ + " has two aggregates, " + chosen->key + " and " + entry.key +
                                             "; make two features of it");
                return;
            }
            chosen = &entry;
            feature_.function = static_cast<Function>(found - functions().begin());
        }
        if (chosen == nullptr) {
            if (map_.misspelt()) return;
            errors_.add(entry_.value.place,
                        what_ + " has no aggregate; add one, such as count: \"*\" or mean: amount");
            return;
        }
        read_field(*chosen);
    }

    void read_field(const ConfigEntry& chosen) {
        const auto text = read_text(chosen.value, what_ + "." + chosen.key, errors_);
        if (!text) return;
        if (*text == "*") {
            if (feature_.function == Function::count) return;
            errors_.add(chosen.value.place,
                        what_ + ": only count takes \"*\"; name a field after " + chosen.key);
            return;
        }
        feature_.field = find_field(*text, chosen.value.place, what_, source_, errors_);
        if (!feature_.field || !needs_number(feature_.function)) return;
        const FieldType type = source_.fields[*feature_.field].type;
        if (type == FieldType::int64 || type == FieldType::float64) return;
        errors_.add(chosen.value.place,
                    what_ + ": " + chosen.key + " needs a number, but " + *text + " is a " +
                        std::string{freshet::name_of(type)} +
                        "; name an int or float field, or use count, count_distinct, first or last");
    }

    void read_quantile() {
        const ConfigNode* q = map_.find("q");
        const bool quantile = map_.find("quantile") != nullptr;
        if (q == nullptr && quantile && !map_.misspelt()) {
            errors_.add(map_.find("quantile")->place,
                        what_ + ": quantile needs q; add q: 0.95 for the 95th percentile");
        } else if (q != nullptr && !quantile) {
            errors_.add(q->place, what_ + ": q only goes with quantile; remove it");
        } else if (q != nullptr) {
            const auto value = read_decimal(*q, what_ + ".q", errors_);
            if (value && (*value < 0 || *value > 1)) {
                errors_.add(q->place, what_ + ".q is out of range; write a number from 0 to 1, such as 0.95");
            } else if (value) {
                feature_.q = *value;
            }
        }
    }

    void read_window() {
        const ConfigNode* window = map_.find("window");
        if (window == nullptr) {
            if (map_.misspelt()) return;
            errors_.add(entry_.value.place,
                        what_ + " has no window; add one, such as window: 1h or window: lifetime");
            return;
        }
        const std::string& word =
            window->kind == Kind::map && !window->entries.empty() ? window->entries.front().key : window->text;
        if (word == "tumbling" || word == "session" || word == "calendar") {
            errors_.add(window->place, what_ + ": " + word +
                                           " windows are not supported yet; write a sliding one, such "
                                           "as window: 1h, or window: lifetime");
            return;
        }
        const ConfigNode* hop = map_.find("hop");
        if (window->kind == Kind::scalar && window->text == "lifetime") {
            feature_.hop = std::chrono::days{1};
            if (hop != nullptr) errors_.add(hop->place, what_ + ": a lifetime window has no hop; remove it");
            return;
        }
        feature_.window = whole_seconds(*window, ".window", kTenYears);
        if (!feature_.window) return;
        feature_.hop = default_hop(*feature_.window);
        if (hop != nullptr) read_hop(*hop);
        warn_of_tiles(hop == nullptr ? *window : *hop);
    }

    // At least one second and without a fraction of one.
    std::optional<Duration> whole_seconds(const ConfigNode& node, const std::string& key, Duration highest) {
        const auto read = read_duration(node, what_ + key, Duration{0}, Duration::max(), errors_);
        if (!read) return std::nullopt;
        if (*read > highest) {
            errors_.add(node.place, what_ + key + " is longer than " + duration_text(highest) +
                                        (key == ".window" ? "; write a shorter one, or window: lifetime"
                                                          : ", its window; write one that divides the window"));
        } else if (*read < seconds{1} || *read % seconds{1} != Duration{0}) {
            const Duration rounded = std::max<Duration>(std::chrono::round<seconds>(*read), seconds{1});
            errors_.add(node.place, what_ + key + " is not a whole number of seconds, at least one; write " +
                                        duration_text(rounded));
        } else {
            return read;
        }
        return std::nullopt;
    }

    void read_hop(const ConfigNode& node) {
        const auto hop = whole_seconds(node, ".hop", *feature_.window);
        if (!hop) return;
        feature_.hop = *hop;
        if (*feature_.window % *hop == Duration{0}) return;
        errors_.add(node.place, what_ + ".hop of " + duration_text(*hop) + " does not divide the window of " +
                                    duration_text(*feature_.window) + "; the nearest that does is " +
                                    duration_text(nearest_hop(*feature_.window, *hop)));
    }

    void warn_of_tiles(const ConfigNode& at) {
        const std::int64_t tiles = *feature_.window / feature_.hop;
        if (tiles <= kManyTiles) return;
        const Duration hop = shortest_sparing_hop(*feature_.window);
        errors_.warn(at.place, what_ + " cuts its window in " + std::to_string(tiles) +
                                   " tiles, which costs memory for every entity; hop: " + duration_text(hop) +
                                   " makes it " + std::to_string(*feature_.window / hop));
    }

    const ConfigEntry& entry_;
    std::string what_;
    const Source& source_;
    ConfigErrors& errors_;
    MapReader map_;
    Feature feature_;
};

}  // namespace

std::optional<Feature> read_feature(const ConfigEntry& entry, const std::string& view, const Source& source,
                                    ConfigErrors& errors) {
    return FeatureEntry{entry, view, source, errors}.read();
}

std::optional<std::size_t> find_field(const std::string& name, const ConfigPlace& place,
                                      const std::string& what, const Source& source, ConfigErrors& errors) {
    const auto found = std::ranges::find(source.fields, name, &FieldDef::name);
    if (found != source.fields.end()) return static_cast<std::size_t>(found - source.fields.begin());
    KnownNames known;
    for (const FieldDef& field : source.fields) known.names.push_back(field.name);
    errors.add(place, what + ": " + known.explain("field", name) + " (of source " + source.name + ")");
    return std::nullopt;
}

namespace {

// What to write instead, unless the message of an expression says it already.
std::string where_mend(const std::string& message, const Source& source) {
    if (message.find("did you mean") != std::string::npos) return {};
    if (message.find("unknown field") == std::string::npos) {
        return "; write it like amount > 10 and country in ['de', 'fr']";
    }
    std::string fields;
    for (const FieldDef& field : source.fields) fields += (fields.empty() ? "" : ", ") + field.name;
    return "; there are: " + fields;
}

}  // namespace

std::optional<Expression> read_where(const ConfigNode& node, const std::string& what, const Source& source,
                                     ConfigErrors& errors) {
    const auto text = read_text(node, what + ".where", errors);
    if (!text) return std::nullopt;
    auto expression = Expression::parse(*text, source.fields);
    if (expression) return *std::move(expression);

    // `column 7: message`, as Expression::parse promises; the column becomes the file's where the two agree.
    std::string message = expression.error().message;
    ConfigPlace place = node.place;
    constexpr std::string_view prefix = "column ";
    if (node.verbatim && message.starts_with(prefix)) {
        std::size_t column = 0;
        const char* end = message.data() + message.size();
        const auto [stop, error] = std::from_chars(message.data() + prefix.size(), end, column);
        if (error == std::errc{} && column > 0 && std::string_view{stop, end}.starts_with(": ")) {
            place = node.place_at(column - 1);
            message.erase(0, static_cast<std::size_t>(stop - message.data()) + 2);
        }
    }
    errors.add(place, what + ".where: " + message + where_mend(message, source));
    return std::nullopt;
}

}  // namespace freshet
