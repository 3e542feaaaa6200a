// What a user declares: sources, feature views, features, feature services. Plain data; `config_file` reads it
// from YAML and `view_plan` turns a view into what the hot path needs. The meaning of each is in
// docs/semantics.md.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "model/event.hpp"
#include "model/expression.hpp"
#include "model/ids.hpp"

namespace freshet {

// Where a source, or a view of it, starts when nothing is recorded yet.
struct StartEarliest {};
struct StartLatest {};
using Start = std::variant<StartEarliest, StartLatest, Timestamp>;

struct TimeSpec {
    enum class Format : std::uint8_t { kafka, unix_seconds, unix_ms, iso8601, pattern };
    Format format = Format::kafka;
    std::vector<std::string> path;  // of the field, unless format is kafka
    std::string pattern;            // when format is pattern: %Y %m %d %H %M %S and literal characters
    std::string zone = "UTC";       // IANA name, for pattern
};

// Of a source: whose partitions go first where a node cannot do everything at once. Of a view: `low` may be
// left out rather than hold the others of its source back; never `high`.
enum class Priority : std::uint8_t { low, normal, high };

struct Source {
    std::string name;
    std::string topic;
    std::string dead_letter_topic;  // resolved: <topic>.dlq unless the configuration says otherwise
    Start start;
    TimeSpec time;
    std::vector<FieldDef> fields;
    Duration max_future{60'000};
    std::optional<Duration> max_jump;
    Priority priority = Priority::normal;
};

enum class Function : std::uint8_t {
    count,
    sum,
    mean,
    min,
    max,
    variance,
    stddev,
    first,
    last,
    count_distinct,
    quantile
};
std::string_view name_of(Function function);
std::string_view name_of(FieldType type);

enum class OnBreach : std::uint8_t { flag, null, default_value, error };

struct Freshness {
    std::optional<Duration> max_staleness;  // none: nothing is ever stale
    OnBreach on_breach = OnBreach::flag;
    Duration cache_for{};  // how long an answer may be given again; 0: every look-up reads the store
};

// What a feature says over its view's Freshness; none: as the view.
struct FeatureFreshness {
    std::optional<Duration> max_staleness;
    std::optional<OnBreach> on_breach;
};

struct Feature {
    std::string name;
    Function function = Function::count;
    std::optional<std::size_t> field;  // index into Source::fields; none for count: "*"
    double q = 0.5;                    // of a quantile, in [0, 1]
    std::optional<Duration> window;    // none: lifetime
    Duration hop{};                    // resolved: divides the window; 1 day for lifetime
    std::optional<Expression> where;
    FeatureFreshness freshness = {};
    Scalar otherwise = {};  // given in a breach with OnBreach::default_value
};

struct View {
    enum class Clock : std::uint8_t { wall, event };
    std::string name;
    int version = 1;
    std::string source;
    std::vector<std::size_t> entity;  // indices into Source::fields
    Clock clock = Clock::wall;
    std::optional<Start> start;  // over the source's
    std::optional<Expression> where;
    Duration retain{};  // resolved
    std::vector<Feature> features;
    Freshness freshness;
    Priority priority = Priority::normal;
    std::string owner;  // a team, for metrics and alerts; empty: none is named

    std::string id() const { return name + "@" + std::to_string(version); }
};

// Different `where` among the features of one view.
constexpr std::size_t kMostFilters = 64;

struct Service {
    std::string name;
    std::vector<std::pair<std::string, std::string>> features;  // view, feature
};

struct Definitions {
    std::vector<Source> sources;
    std::vector<View> views;
    std::vector<Service> services;

    // The view comes from a configuration that was read without error, so its source exists.
    const Source& source_of(const View& view) const;
    const View* find_view(std::string_view name) const;
};

// What holds for a feature of the view: what it says itself, else what the view says.
std::optional<Duration> max_staleness(const View& view, const Feature& feature);
OnBreach on_breach(const View& view, const Feature& feature);
// The least that holds for a feature of the view; none: for none.
std::optional<Duration> tightest_staleness(const View& view);

// The type of a feature's value where it is not null.
FieldType value_type(const Source& source, const Feature& feature);

// The hop of a feature that names none: the largest of 1s 5s 10s 30s 1m 5m 10m 30m 1h 6h 1d that divides the
// window and is at most a sixtieth of it, else 1 s.
Duration default_hop(Duration window);

// Of all that decides which events an entity of the view counts, and when; neither its features nor its
// freshness are part of it. Two definitions that count different events have different fingerprints.
std::uint64_t fingerprint(const Source& source, const View& view);
// Of what a feature makes of them; its name is not part of it.
std::uint64_t fingerprint(const Source& source, const Feature& feature);

}  // namespace freshet
