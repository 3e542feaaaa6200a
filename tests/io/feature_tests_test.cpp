// Files of feature tests: what is read from them, and what is said of wrong ones, each with its exact place.
#include "io/config/feature_tests.hpp"

#include <doctest/doctest.h>
#include <unistd.h>

#include <fstream>
#include <string>

#include "io/config/config_json.hpp"

namespace freshet {
namespace {

namespace fs = std::filesystem;

const std::string kConfig = R"(
sources:
  orders: {topic: orders, time: {field: ts, format: unix_ms}, fields: {store: string, n: int, x: float, ok: bool}}
  clicks: {topic: clicks, fields: {store: string}}
views:
  by_store:
    source: orders
    entity: store
    clock: event
    features: {orders_1h: {count: "*", window: 1h}, mean_1h: {mean: x, window: 1h}, last_1h: {last: store, window: 1h},
               ok_1h: {last: ok, window: 1h}}
  by_both: {source: orders, entity: [n, ok], features: {orders_1h: {count: "*", window: 1h}}}
)";

// A folder with a configuration, f.yaml.
class TestsFolder {
public:
    TestsFolder() : path_(fs::temp_directory_path() / ("freshet-tests-" + std::to_string(getpid()))) {
        fs::create_directories(path_);
        std::ofstream(path_ / "f.yaml") << kConfig;
    }
    ~TestsFolder() { fs::remove_all(path_); }

    Result<FeatureTests> read(const std::string& text) const {
        return parse_feature_tests(text, (path_ / "t.yaml").string());
    }
    // Without the folder.
    std::string error_of(const std::string& text) const {
        const auto tests = read(text);
        if (tests) return "no error";
        std::string message = tests.error().message;
        for (std::size_t at; (at = message.find(path_.string() + "/")) != std::string::npos;)
            message.erase(at, path_.string().size() + 1);
        return message;
    }

private:
    fs::path path_;
};

const std::string kHead = "config: f.yaml\ntests:\n  a:\n";
const std::string kExpect = "    expect: [{at: clock, view: by_store, entity: s, missing: true}]\n";

TEST_CASE("a test is read with its events and what it expects") {
    const auto read = TestsFolder{}.read(kHead + R"(    events:
      orders:
        - {store: s, n: 1, x: 1.50, ok: true, ts: 5, more: {list: [1, "1", null, 01, on]}}
        - not json
    records:
      clicks:
        - {timestamp: 1970-01-01T00:00:02Z, partition: 3, value: {store: s}}
        - {timestamp: 7, value: null}
    expect:
      - at: 2024-05-01T10:00:00Z
        view: by_store
        entity: s
        features: {orders_1h: 2, mean_1h: 2, last_1h: "7", ok_1h: null}
        statuses: {mean_1h: overflow}
        tolerance: 0.01
      - {at: 5, view: by_both, entity: [7, true], missing: true}
    refused:
      - {source: orders, event: 2, reason: malformed}
)");
    if (!read) FAIL(read.error().message);
    REQUIRE(read->tests.size() == 1);
    const FeatureTest& test = read->tests[0];
    CHECK(test.name == "a");
    REQUIRE(test.given.size() == 2);
    CHECK(*test.given[0].events[0].value == R"({"store": "s", "n": 1, "x": 1.50, "ok": true, "ts": 5, )"
                                            R"("more": {"list": [1, "1", null, "01", "on"]}})");
    CHECK(*test.given[0].events[1].value == "not json");
    CHECK(test.given[0].events[1].place.line == 7);
    CHECK(test.given[1].events[0].partition == PartitionId{3});
    CHECK(test.given[1].events[0].timestamp == from_unix_ms(2000));
    CHECK_FALSE(test.given[1].events[1].value);
    REQUIRE(test.expect.size() == 2);
    CHECK(test.expect[0].at == from_unix_ms(1714557600000));
    REQUIRE(test.expect[0].values.size() == 4);
    CHECK(test.expect[0].values[0].value == Scalar{std::int64_t{2}});
    CHECK(test.expect[0].values[1].value == Scalar{2.0});
    CHECK(test.expect[0].values[2].value == Scalar{std::string("7")});
    CHECK(test.expect[0].values[3].value == Scalar{});
    CHECK(test.expect[0].statuses[0].status == ValueStatus::overflow);
    CHECK(test.expect[0].tolerance == 0.01);
    CHECK(test.expect[1].entity == "7|true");
    CHECK(test.expect[1].missing);
    CHECK(test.refused[0].number == 2);
    CHECK(test.refused[0].reason == DeadLetterReason::malformed);
}

TEST_CASE("what is wrong in a file of tests is told with its place and the mend") {
    const TestsFolder folder;
    const auto expecting = [&](const std::string& expectation) {
        return folder.error_of(kHead + "    expect: [" + expectation + "]\n");
    };
    CHECK(folder.error_of("") ==
          "t.yaml:1:1: a file of tests is a map; write config: and tests:, as in "
          "examples/flights_test.yaml");
    CHECK(folder.error_of("tests: {}").starts_with("t.yaml:1:1: a file of tests has no \"config\"; add it"));
    CHECK(folder.error_of("config: g.yaml\n") == "t.yaml:1:9: config: g.yaml: there is no such file");
    CHECK(
        folder.error_of("config: t.yam\ntest: {}\n").starts_with("t.yaml:2:1: unknown key \"test\"; did you"));
    CHECK(folder.error_of("config: f.yaml\ntests: {}\n").starts_with("t.yaml:2:8: tests is not a map"));
    CHECK(folder.error_of(kHead + kExpect + kExpect).starts_with("t.yaml:5:5: the key \"expect\" is already"));
    CHECK(folder.error_of(kHead + "    events: {}\n").starts_with("t.yaml:3:3: test \"a\" expects nothing"));
    CHECK(folder.error_of(kHead + "    events: {order: []}\n" + kExpect) ==
          "t.yaml:4:14: unknown source \"order\"; did you mean \"orders\"?");
    CHECK(
        folder.error_of(kHead + "    events: {orders: 5, clicks: [{store: s}]}\n" + kExpect)
            .starts_with("t.yaml:4:34: source clicks takes Kafka's timestamp; write its events under records"));
    CHECK(folder.error_of(kHead + "    records: {clicks: [{timestamp: noon, value: {}}]}\n" + kExpect)
              .starts_with("t.yaml:4:36: record.timestamp: \"noon\" is no time"));
    CHECK(folder.error_of(kHead + "    events: {orders: a.jsonl}\n    records: {orders: b.jsonl}\n" + kExpect)
              .starts_with("t.yaml:5:15: source orders stands under both events and records"));
    CHECK(expecting("{at: clock, view: by_stor, entity: s}") ==
          "t.yaml:4:32: unknown view \"by_stor\"; did you mean \"by_store\"?");
    CHECK(expecting("{at: clock, view: by_both, entity: [1, true], missing: true}")
              .starts_with("t.yaml:4:19: view by_both has clock: wall"));
    CHECK(expecting("{at: 5, view: by_both, entity: 1, missing: true}") ==
          "t.yaml:4:45: an entity of view by_both has 2 columns; write [n, ok]");
    CHECK(expecting("{at: 5, view: by_both, entity: [x, true], missing: true}")
              .starts_with("t.yaml:4:46: entity column n is an int"));
    CHECK(expecting("{at: 5, view: by_store, entity: s}").starts_with("t.yaml:4:14: this expects nothing"));
    CHECK(expecting("{at: 5, view: by_store, entity: s, features: {order_1h: 1}}") ==
          "t.yaml:4:60: unknown feature \"order_1h\"; did you mean \"orders_1h\"? (in view by_store)");
    CHECK(expecting("{at: 5, view: by_store, entity: s, features: {orders_1h: 1.5}}")
              .starts_with("t.yaml:4:71: orders_1h: "));
    CHECK(
        expecting("{at: 5, view: by_store, entity: s, statuses: {orders_1h: stale}}")
            .starts_with("t.yaml:4:71: status of orders_1h: unknown value \"stale\"; there are: ok, overflow"));
    CHECK(expecting("{at: 5, view: by_store, entity: s, missing: true, tolerance: -1}")
              .starts_with("t.yaml:4:75: expect.tolerance is negative"));
    CHECK(folder.error_of(kHead + "    refused: [{event: 1, reason: malformed}]\n")
              .starts_with("t.yaml:4:15: the configuration has several sources"));
    CHECK(folder.error_of(kHead + "    refused: [{source: orders, event: 0, reason: malformed}]\n")
              .starts_with("t.yaml:4:39: refused.event is out of range"));
    CHECK(folder.error_of(kHead + "    refused: [{source: orders, event: 1, reason: wrong}]\n")
              .starts_with("t.yaml:4:50: refused.reason: unknown value \"wrong\""));
}

}  // namespace
}  // namespace freshet
