#include "model/definition.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <functional>
#include <span>

namespace freshet {
namespace {

using namespace std::chrono_literals;

Expression where(const std::string& text, const Source& source) {
    auto parsed = Expression::parse(text, source.fields);
    REQUIRE(parsed);
    return *parsed;
}

Source a_source() {
    Source source;
    source.name = "flights";
    source.topic = "flights";
    source.time = {TimeSpec::Format::pattern, {"date"}, "%Y/%m/%d", "UTC"};
    source.fields = {{"delay", {"delay"}, FieldType::int64},
                     {"origin", {"origin"}, FieldType::string},
                     {"unused", {"unused"}, FieldType::string}};
    return source;
}

View a_view() {
    View view;
    view.name = "delays";
    view.source = "flights";
    view.entity = {1};
    Feature count{"flights", Function::count, std::nullopt, 0.5, Duration{24h}, Duration{10min}, std::nullopt};
    Feature p95{"p95", Function::quantile, 0, 0.95, Duration{168h}, Duration{1h}, std::nullopt};
    view.features = {count, p95};
    return view;
}

TEST_CASE(
    "a feature that names no hop gets the largest that divides its window and is at most a sixtieth of it") {
    const std::pair<Duration, Duration> expected[] = {
        {1s, 1s},       {59s, 1s},       {60s, 1s},        {5min, 5s},   {10min, 10s}, {30min, 30s},
        {1h, 1min},     {90min, 1min},   {6h, 5min},       {24h, 10min}, {48h, 30min}, {7 * 24h, 1h},
        {30 * 24h, 6h}, {60 * 24h, 24h}, {365 * 24h, 24h}, {367s, 1s},   {3601s, 1s},
    };
    for (const auto& pair : expected) {
        CAPTURE(pair.first.count());
        CHECK(default_hop(pair.first) == pair.second);
    }
}

TEST_CASE("functions are named as in the configuration") {
    CHECK(name_of(Function::count) == "count");
    CHECK(name_of(Function::count_distinct) == "count_distinct");
    CHECK(name_of(Function::quantile) == "quantile");
    CHECK(name_of(FieldType::float64) == "float");
}

TEST_CASE("views and sources are found by their names") {
    const Definitions definitions{{a_source()}, {a_view()}, {}};
    REQUIRE(definitions.find_view("delays") != nullptr);
    CHECK(definitions.find_view("delay") == nullptr);
    CHECK(definitions.source_of(definitions.views.front()).topic == "flights");
    CHECK(a_view().id() == "delays@1");
}

TEST_CASE("a fingerprint never changes for the same definition, from one release to the next") {
    const View view = a_view();
    CHECK(fingerprint(a_source(), view) == 13408766590605329352ULL);
    CHECK(fingerprint(a_source(), view.features[1]) == 1744582375463065660ULL);
}

using Change = std::pair<const char*, std::function<void(Source&, View&)>>;

// Calls `of` with the definition as it is and after each change; all are different.
void check_all_differ(std::span<const Change> changes, const auto& of) {
    std::vector<std::uint64_t> seen{of(a_source(), a_view())};
    for (const Change& change : changes) {
        CAPTURE(change.first);
        Source source = a_source();
        View view = a_view();
        change.second(source, view);
        const std::uint64_t changed = of(source, view);
        CHECK(std::ranges::find(seen, changed) == seen.end());
        seen.push_back(changed);
    }
}

TEST_CASE("whatever changes which events a view counts changes its fingerprint") {
    const Change changes[] = {
        {"topic", [](Source& s, View&) { s.topic = "other"; }},
        {"time format", [](Source& s, View&) { s.time.format = TimeSpec::Format::iso8601; }},
        {"time pattern", [](Source& s, View&) { s.time.pattern = "%Y-%m-%d"; }},
        {"time field",
         [](Source& s, View&) {
             s.time.path = {"a", "date"};
         }},
        {"time zone", [](Source& s, View&) { s.time.zone = "Europe/Berlin"; }},
        {"type of a column", [](Source& s, View&) { s.fields[1].type = FieldType::int64; }},
        {"path of a column",
         [](Source& s, View&) {
             s.fields[1].path = {"a", "origin"};
         }},
        {"max_future", [](Source& s, View&) { s.max_future = 2min; }},
        {"max_jump", [](Source& s, View&) { s.max_jump = 2min; }},
        {"entity",
         [](Source&, View& v) {
             v.entity = {1, 0};
         }},
        {"order of the entity",
         [](Source&, View& v) {
             v.entity = {0, 1};
         }},
        {"clock", [](Source&, View& v) { v.clock = View::Clock::event; }},
        {"where", [](Source& s, View& v) { v.where = where("delay > 0", s); }},
        {"type of a field in where",
         [](Source& s, View& v) {
             s.fields[0].type = FieldType::float64;
             v.where = where("delay > 0", s);
         }},
    };
    check_all_differ(changes, [](const Source& s, const View& v) { return fingerprint(s, v); });
}

TEST_CASE("whatever changes a feature's value changes its fingerprint") {
    const Change changes[] = {
        {"function", [](Source&, View& v) { v.features[1].function = Function::mean; }},
        {"type of the field", [](Source& s, View&) { s.fields[0].type = FieldType::float64; }},
        {"path of the field",
         [](Source& s, View&) {
             s.fields[0].path = {"a", "delay"};
         }},
        {"field", [](Source&, View& v) { v.features[1].field = 1; }},
        {"q", [](Source&, View& v) { v.features[1].q = 0.951; }},
        {"window", [](Source&, View& v) { v.features[1].window = 48h; }},
        {"lifetime", [](Source&, View& v) { v.features[1].window.reset(); }},
        {"hop", [](Source&, View& v) { v.features[1].hop = 1min; }},
        {"where", [](Source& s, View& v) { v.features[1].where = where("delay > 0", s); }},
        {"field in where", [](Source& s, View& v) { v.features[1].where = where("origin == 'a'", s); }},
        {"path of a field in where",
         [](Source& s, View& v) {
             s.fields[1].path = {"a", "origin"};
             v.features[1].where = where("origin == 'a'", s);
         }},
    };
    check_all_differ(changes, [](const Source& s, const View& v) { return fingerprint(s, v.features[1]); });
}

TEST_CASE("what changes no value leaves the fingerprint alone") {
    const std::pair<const char*, std::function<void(Source&, View&)>> changes[] = {
        {"order of features", [](Source&, View& v) { std::ranges::reverse(v.features); }},
        {"a feature less", [](Source&, View& v) { v.features.pop_back(); }},
        {"order of fields",
         [](Source& s, View& v) {
             std::swap(s.fields[0], s.fields[1]);
             v.entity = {0};
             v.features[1].field = 1;
         }},
        {"a field that is not used", [](Source& s, View&) { s.fields[2].type = FieldType::boolean; }},
        {"q of another aggregate", [](Source&, View& v) { v.features[0].q = 0.1; }},
        {"freshness", [](Source&, View& v) { v.freshness.max_staleness = 5s; }},
        {"dead-letter topic", [](Source& s, View&) { s.dead_letter_topic = "other"; }},
        {"version, which stands beside it", [](Source&, View& v) { v.version = 2; }},
    };
    for (const Change& change : changes) {
        CAPTURE(change.first);
        Source source = a_source();
        View view = a_view();
        change.second(source, view);
        CHECK(fingerprint(source, view) == fingerprint(a_source(), a_view()));
    }
}

TEST_CASE("a field counts as used by where it is read, and not where a string holds its name") {
    const auto with = [](const std::string& expression, FieldType type) {
        Source source = a_source();
        source.fields[2].type = type;
        View view = a_view();
        view.where = where(expression, source);
        return fingerprint(source, view);
    };
    CHECK(with("unused is null", FieldType::string) != with("unused is null", FieldType::boolean));
    CHECK(with("origin == 'unused'", FieldType::string) == with("origin == 'unused'", FieldType::boolean));
    CHECK(with(R"(origin == "it's unused")", FieldType::string) ==
          with(R"(origin == "it's unused")", FieldType::boolean));
}

}  // namespace
}  // namespace freshet
