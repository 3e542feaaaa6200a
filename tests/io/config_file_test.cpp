#include "io/config/config_file.hpp"

#include <doctest/doctest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "io/config/config_text.hpp"

namespace freshet {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;

const std::string kSource = "sources: {s: {topic: t, fields: {n: int, x: float, name: string, ok: bool}}}\n";
const std::string kView = "views: {v: {source: s, entity: name, features: {c: {count: \"*\", window: 1h}}}}\n";

std::string error_of(const std::string& text) {
    const auto config = parse_config(text, "c.yaml");
    return config ? "no error" : config.error().message;
}

Config parsed(const std::string& text) {
    auto config = parse_config(text, "c.yaml");
    if (!config) FAIL(config.error().message);
    return *std::move(config);
}

const Feature& first_feature(const Config& config) { return config.definitions.views.front().features.front(); }

// A folder of its own that goes with it.
class Folder {
public:
    Folder() : path_(fs::temp_directory_path() / ("freshet_config_" + std::to_string(getpid()))) {
        fs::create_directories(path_);
    }
    ~Folder() { fs::remove_all(path_); }
    std::string write(const std::string& name, const std::string& text) const {
        std::ofstream{path_ / name} << text;
        return (path_ / name).string();
    }

private:
    fs::path path_;
};

TEST_CASE("of several errors the first in the file is told") {
    CHECK(error_of("log: {level: x}\nkafka: 3\n" + kSource + kView).starts_with("c.yaml:1:14: "));
    CHECK(error_of("views: {v: {source: s}}\nsources: {s: {topic: 5 5, fields: 3}}")
              .starts_with("c.yaml:2:22: "));
}

TEST_CASE("a where on several lines keeps the expression's own column") {
    CHECK(error_of(kSource +
                   "views:\n  v:\n    source: s\n    where: >\n      n > 1 and\n      m > 2\n    entity: n\n" +
                   "    features: {c: {count: n, window: 1h}}") ==
          "c.yaml:5:12: view v.where: column 11: unknown field 'm'; there are: n, x, name, ok");
}

TEST_CASE("environment variables are replaced by their text, whatever it holds") {
    setenv("FRESHET_TEST_A", "x: [1", 1);
    setenv("FRESHET_TEST_N", "3", 1);
    unsetenv("FRESHET_TEST_UNSET");
    const auto group = [](const std::string& text) {
        return parsed(kSource + kView + "kafka: {group: \"" + text + "\"}").kafka.group;
    };
    CHECK(group("a-${FRESHET_TEST_A}-${FRESHET_TEST_N}") == "a-x: [1-3");
    CHECK(group("$${FRESHET_TEST_A} $ $$ {}") == "${FRESHET_TEST_A} $ $$ {}");
    CHECK(parsed(kSource + kView + "lookup:\n  readers: ${FRESHET_TEST_N}").lookup.readers == 3);
    CHECK(parsed(kSource + kView + "lookup: {readers: \"${FRESHET_TEST_N}\"}").lookup.readers == 3);
    CHECK(
        error_of("kafka: {group: \"${FRESHET_TEST_UNSET}\"}") ==
        "c.yaml:1:16: the environment variable FRESHET_TEST_UNSET is not set; set it, or write its value here");
    for (const char* wrong : {"${}", "${A B}", "${1}", "${A"}) {
        CHECK(error_of("kafka: {group: \"" + std::string{wrong} + "\"}")
                  .starts_with("c.yaml:1:16: ${ begins no environment variable"));
    }
}

TEST_CASE("included files add sources, views and services, in the order of their names") {
    const Folder folder;
    const std::string main = folder.write("main.yaml", "include: [\"*.yaml\", a.yaml]\n" + kSource);
    folder.write(
        "b.yaml",
        "services: {m: [v.c, w.c]}\nviews: {w: {source: s, entity: n, features: {c: {count: n, window: 1h}}}}");
    folder.write("a.yaml", kView);
    folder.write("c.yaml", "# nothing yet\n");
    const auto config = load_config(main);
    REQUIRE(config);
    REQUIRE(config->definitions.views.size() == 2);
    CHECK(config->definitions.views[0].name == "v");
    CHECK(config->definitions.services.front().features.size() == 2);
    CHECK(config->warnings.empty());
}

TEST_CASE("an error in an included file names that file") {
    const Folder folder;
    const std::string main = folder.write("main.yaml", "include: x.yaml\n" + kSource + kView);
    const auto error = [&](const std::string& text) {
        const std::string file = folder.write("x.yaml", text);
        const auto config = load_config(main);
        REQUIRE(!config);
        REQUIRE(config.error().message.starts_with(file));
        return config.error().message.substr(file.size());
    };
    CHECK(error("kafka: {}") == ":1:1: \"kafka\" may only stand in the main file; move it there");
    CHECK(error("include: y.yaml").starts_with(":1:1: \"include\" may only stand in the main file"));
    CHECK(error("veiws: {}") == ":1:1: unknown key \"veiws\"; did you mean \"views\"?");
    CHECK(error("views:\n  v: {}") ==
          ":2:3: \"v\" is already declared at " + main + ":3:9; remove or rename one of the two");
    CHECK(error("a: b: c").starts_with(":1:5: this is not valid YAML"));
    CHECK(error("- a").starts_with(":1:1: an included file is a map"));
}

TEST_CASE("a file that is not there is told, and a pattern without a match is a warning") {
    const auto missing = load_config("no_such_folder/c.yaml");
    REQUIRE(!missing);
    CHECK(missing.error().code == Errc::not_found);
    CHECK(missing.error().message == "no_such_folder/c.yaml: there is no such file");
    CHECK(load_config(fs::temp_directory_path()).error().message.ends_with("this is a directory; name a file"));
    const auto warnings = parsed("include: [\"no_such_folder/*.yaml\"]\n" + kSource + kView).warnings;
    REQUIRE(warnings.size() == 1);
    CHECK(warnings[0] == "c.yaml:1:11: include: no file matches \"no_such_folder/*.yaml\"");
}

TEST_CASE("what is allowed but probably not meant is a warning") {
    const auto warnings =
        parsed(
            "sources:\n  s: {topic: t, fields: {n: int}}\n  unused: {topic: u, fields: {n: int}}\nviews:\n"
            "  v: {source: s, entity: n, features: {a: {count: n, window: 365d}, b: {count: n, window: 1h, "
            "hop: 10s}}}")
            .warnings;
    REQUIRE(warnings.size() == 3);
    CHECK(warnings[0] == "c.yaml:3:3: source unused is used by no view");
    CHECK(warnings[1] ==
          "c.yaml:5:62: feature v.a cuts its window in 365 tiles, which costs memory for every entity; "
          "hop: 5d makes it 73");
    CHECK(warnings[2] ==
          "c.yaml:5:100: feature v.b cuts its window in 360 tiles, which costs memory for every entity; "
          "hop: 15s makes it 240");
}

TEST_CASE("one source must not read what another writes as dead letters") {
    CHECK(error_of("sources:\n  a: {topic: t, fields: {n: int}}\n  b: {topic: t.dlq, fields: {n: int}}") ==
          "c.yaml:2:3: source a writes its dead letters to \"t.dlq\", which source b reads; set another "
          "dead_letter_topic");
}

TEST_CASE("windows, hops and retain are resolved") {
    const auto with = [](const std::string& feature) {
        return parsed(kSource + "views: {v: {source: s, entity: n, features: {f: " + feature + "}}}");
    };
    CHECK(first_feature(with("{count: n, window: 1d}")).hop == 10min);
    CHECK(first_feature(with("{count: n, window: 1d, hop: 1d}")).hop == 24h);
    CHECK(with("{count: n, window: 1d}").definitions.views.front().retain == 10min);
    const Config lifetime = with("{quantile: x, q: 1, window: lifetime, where: n > 1}");
    CHECK(!first_feature(lifetime).window);
    CHECK(first_feature(lifetime).hop == 24h);
    CHECK(first_feature(lifetime).q == 1.0);
    CHECK(first_feature(lifetime).field == 1);
    CHECK(first_feature(lifetime).where.has_value());
}

TEST_CASE("sources and views keep what they declare") {
    const Config config = parsed(
        "kafka: {dead_letter_topic: letters}\nsources:\n  s:\n    topic: t\n    start: "
        "2024-05-01T02:00:00.250+02:00\n"
        "    time: {field: at, format: unix_ms}\n    fields: {at: {type: int, path: meta.at}, id: string}\n    "
        "max_jump: 1d\n    priority: high\n"
        "views:\n  v: {version: 3, source: s, entity: [id, at], clock: event, start: latest, retain: 0s, "
        "where: at > 0,\n"
        "    owner: risk-2, priority: low, freshness: {max_staleness: 5s, on_breach: null}, features: {c: "
        "{count: \"*\", "
        "window: 1h}}}");
    const Source& source = config.definitions.sources.front();
    CHECK(source.dead_letter_topic == "letters");
    CHECK(std::get<Timestamp>(source.start) == from_unix_ms(1'714'521'600'250));
    CHECK(source.time.format == TimeSpec::Format::unix_ms);
    CHECK(source.time.path == std::vector<std::string>{"meta", "at"});
    CHECK(source.max_jump == Duration{24h});
    CHECK(source.priority == Priority::high);
    const View& view = config.definitions.views.front();
    CHECK(view.id() == "v@3");
    CHECK(view.entity == std::vector<std::size_t>{1, 0});
    CHECK(view.clock == View::Clock::event);
    CHECK(std::holds_alternative<StartLatest>(*view.start));
    CHECK(view.retain == 0s);
    CHECK(view.where.has_value());
    CHECK(view.freshness.max_staleness == Duration{5s});
    CHECK(view.freshness.on_breach == OnBreach::null);
    CHECK(view.owner == "risk-2");
    CHECK(view.priority == Priority::low);
}

TEST_CASE("a low priority that serves no other view's freshness is warned of") {
    const auto warnings_of = [](const std::string& low, const std::string& other) {
        const std::string rest = "source: s, entity: name, features: {c: {count: \"*\", window: 1h}}}";
        return parsed(kSource + "views:\n  low: {priority: low, " + low + rest + "\n  other: {" + other + rest +
                      "\n")
            .warnings;
    };
    const std::string limit = "freshness: {max_staleness: 5s}, ";
    CHECK(warnings_of("", limit).empty());
    CHECK(warnings_of(limit, "").at(0).find(
              "view low: `priority: low` does nothing, since no view of source s but "
              "those of low priority has a max_staleness to keep") != std::string::npos);
    CHECK(warnings_of("", "priority: low, " + limit).size() == 2);
}

TEST_CASE("a feature keeps what it declares over its view's freshness") {
    const View view =
        parsed(kSource +
               "views: {v: {source: s, entity: name, freshness: {max_staleness: 5s, on_breach: null}, "
               "features: {a: {count: \"*\", window: 1h}, b: {last: name, window: 1h, default: none, "
               "freshness: {max_staleness: 3s, on_breach: default}}}}}")
            .definitions.views.front();
    CHECK(max_staleness(view, view.features[0]) == Duration{5s});
    CHECK(on_breach(view, view.features[0]) == OnBreach::null);
    CHECK(max_staleness(view, view.features[1]) == Duration{3s});
    CHECK(on_breach(view, view.features[1]) == OnBreach::default_value);
    CHECK(view.features[1].otherwise == Scalar{std::string("none")});
    CHECK(tightest_staleness(view) == Duration{3s});
}

TEST_CASE("what a freshness says to no effect is warned of where it stands") {
    const auto warning = [](const std::string& freshness, const std::string& feature) {
        const auto warnings =
            parsed(kSource + "views:\n  v:\n    source: s\n    entity: name\n    freshness: " + freshness +
                   "\n    features:\n      f: {count: \"*\", window: 1h, " + feature + "}\n")
                .warnings;
        return warnings.empty() ? std::string() : warnings.front();
    };
    CHECK(warning("{max_staleness: 3s}", "freshness: {max_staleness: 9s}").empty());
    CHECK(warning("{max_staleness: 1s}", "hop: 1m") ==
          "c.yaml:6:32: view v.freshness.max_staleness is 1s, but freshness is measured about once a second "
          "and then "
          "stored, so that it is exceeded again and again where nothing is late; write 3s");
    CHECK(warning("{max_staleness: 9s, cache_for: 4s}", "freshness: {max_staleness: 3s}") ==
          "c.yaml:8:62: feature v.f.freshness.max_staleness of 3s is not above the view's cache_for of 4s: "
          "answers "
          "that hold the feature are given again only until it is stale");
    CHECK(warning("{max_staleness: 3s}", "freshness: {on_breach: default}") ==
          "c.yaml:8:58: feature v.f.freshness.on_breach is default, but the feature has none, so that it gives "
          "null; "
          "add one beside its function, such as default: 0");
    CHECK(warning("{max_staleness: 3s}", "default: 7") ==
          "c.yaml:8:44: feature v.f.default is never given; add on_breach: default and a max_staleness to the "
          "feature's freshness or the view's");
}

TEST_CASE("addresses are read in all their forms") {
    const Config embedded = parsed(kSource + kView + "kafka: {brokers: embedded}\nredis: {address: embedded}");
    CHECK((embedded.kafka.embedded && embedded.redis.embedded));
    const std::vector<Endpoint> brokers{{"a", 1}, {"::1", 2}};
    CHECK(parsed(kSource + kView + "kafka: {brokers: \"a:1, [::1]:2\"}").kafka.brokers == brokers);
    CHECK(parsed(kSource + kView + "kafka: {brokers: [\"a:1\", \"[::1]:2\"]}").kafka.brokers == brokers);
    CHECK(brokers[1].text() == "[::1]:2");
    CHECK(parsed(kSource + kView + "redis: {address: \"unix:/a.sock\"}").redis.unix_socket == "/a.sock");
    const RedisConfig cluster =
        parsed(kSource + kView + "redis: {address: [\"a:1\", \"[::1]:2\"], mode: cluster}").redis;
    CHECK(cluster.address == brokers[0]);
    CHECK(cluster.more_addresses == std::vector<Endpoint>{brokers[1]});
    CHECK(cluster.mode == RedisConfig::Mode::cluster);
    CHECK(cluster.read_from == RedisConfig::ReadFrom::primary);
    CHECK(parsed(kSource + kView + "redis: {read_from: replica_preferred}").redis.read_from ==
          RedisConfig::ReadFrom::replica_preferred);
    CHECK(parsed(kSource + kView + "redis: {address: \"a:1, [::1]:2\"}").redis.more_addresses.size() == 1);
    CHECK(parsed(kSource + kView + "roles: serve").roles == Roles{false, true});
}

TEST_CASE("how redis is reached, by TLS and by sentinels") {
    const auto redis = [](const std::string& options) {
        return parsed(kSource + kView + "redis: {" + options + "}").redis;
    };
    CHECK_FALSE(redis("prefix: p").tls.on);
    CHECK_FALSE(redis("tls: false").tls.on);
    CHECK(redis("tls: true").tls == ClientTlsConfig{true, "", "", "", "", true});
    CHECK(redis("tls: {}").tls.on);
    CHECK(redis("tls: {ca: /ca.pem, certificate: /n.pem, key: /n.key, server_name: r, verify: false}").tls ==
          ClientTlsConfig{true, "/ca.pem", "/n.pem", "/n.key", "r", false});
    const SentinelConfig sentinel =
        redis("sentinel: {addresses: [\"a:1\", \"b:2\"], master: m, password: p}").sentinel;
    CHECK(sentinel.addresses == std::vector<Endpoint>{{"a", 1}, {"b", 2}});
    CHECK(sentinel.master == "m");
    CHECK(sentinel.password == "p");
    CHECK(redis("prefix: p").sentinel.addresses.empty());
}

TEST_CASE("durations and times are read as they are written") {
    for (const char* text : {"500ms", "30s", "90m", "1h", "7d", "0s"})
        CHECK(duration_text(*parse_duration(text)) == text);
    CHECK(duration_text(*parse_duration("5400s")) == "90m");
    CHECK(parse_rfc3339("2024-02-29T23:59:59.9999Z") == from_unix_ms(1'709'251'199'999));
    for (const char* wrong :
         {"2023-02-29T00:00:00Z", "2024-01-01T24:00:00Z", "2024-01-01T00:00:00", "1969-12-31T00:00:00Z",
          "2024-01-01T00:00:00.Z", "2024-01-01T00:00:00+2:00", "2024-01-01T00:00:00Zx", "24-1-1T0:0:0Z", ""}) {
        CAPTURE(wrong);
        CHECK(!parse_rfc3339(wrong));
    }
}

fs::path example(const std::string& name) { return fs::path{FRESHET_SOURCE_DIR} / "examples" / name; }

TEST_CASE("examples/complete.yaml shows every option with its default") {
    const auto read = load_config(example("complete.yaml"));
    if (!read) FAIL(read.error().message);
    const Config& config = *read;
    CHECK(config.kafka == KafkaConfig{});
    CHECK(config.redis == RedisConfig{});
    CHECK(config.lookup == LookupConfig{});
    CHECK(config.metrics == MetricsConfig{});
    CHECK(config.store == StoreConfig{});
    CHECK(config.ingest == IngestConfig{});
    CHECK(config.audit == AuditConfig{});
    CHECK(config.roles == Roles{});
    CHECK(config.log == LogConfig{});
    CHECK(config.warnings.empty());
    const Definitions& all = config.definitions;
    REQUIRE(all.sources.size() == 2);
    CHECK(all.sources[0].dead_letter_topic == all.sources[1].dead_letter_topic);
    CHECK(all.sources[0].start.index() == all.sources[1].start.index());
    CHECK(all.sources[0].priority == all.sources[1].priority);
    REQUIRE(all.views.size() == 2);
    CHECK(all.views[0].version == all.views[1].version);
    CHECK(all.views[0].retain == all.views[1].retain);
    CHECK(fingerprint(all.sources[0], all.views[0]) == fingerprint(all.sources[1], all.views[1]));
}

TEST_CASE("examples/flights.yaml is read without a warning") {
    const auto config = load_config(example("flights.yaml"));
    if (!config) FAIL(config.error().message);
    CHECK(config->warnings.empty());
    CHECK(config->definitions.views.size() == 3);
    CHECK(config->definitions.find_view("route_delays")->entity.size() == 2);
}

}  // namespace
}  // namespace freshet

TEST_CASE("a view with more than 64 different filters among its features is refused") {
    const auto with = [](int filters) {
        std::string text =
            "sources: {s: {topic: t, fields: {n: int}}}\nviews:\n  v:\n    source: s\n    entity: n\n    "
            "features:\n";
        for (int i = 0; i < filters; ++i)
            text += "      f" + std::to_string(i) + ": {count: \"*\", window: 1h, where: n > " +
                    std::to_string(i) + "}\n";
        return text;
    };
    CHECK(freshet::parse_config(with(64), "f.yaml"));
    const auto refused = freshet::parse_config(with(65), "f.yaml");
    REQUIRE_FALSE(refused);
    CHECK(refused.error().message.find("65 different `where`") != std::string::npos);
}
