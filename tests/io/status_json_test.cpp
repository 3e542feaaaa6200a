// What a node says of itself, as JSON, and when it is ready.
#include "io/status/status_json.hpp"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "io/config/config_file.hpp"
#include "io/redis/resp_writer.hpp"

using namespace freshet;
using namespace std::chrono_literals;
using Json = nlohmann::json;

namespace {

constexpr Timestamp kNow = from_unix_ms(1'700'000'000'000);

const Definitions& definitions() {
    static const Config config = [] {
        auto read = parse_config(
            "sources: {orders: {topic: orders, time: kafka, fields: {store: string, open: bool, amount: "
            "float}}}\n"
            "views:\n"
            "  totals: {source: orders, entity: store, freshness: {max_staleness: 2s},\n"
            "           features: {n: {count: \"*\", window: 1h, freshness: {max_staleness: 1s}},\n"
            "                      mean: {mean: amount, window: 1h},\n"
            "                      last: {last: open, window: 1h}, name: {last: store, window: 1h}}}\n"
            "  pairs: {source: orders, entity: [store, open], features: {n: {count: \"*\", window: "
            "lifetime}}}\n",
            "test.yaml");
        REQUIRE_MESSAGE(read, read.error().message);
        return *read;
    }();
    return config.definitions;
}

ViewReport view(const std::string& name, ViewReport::State state, std::optional<Duration> staleness,
                const std::string& reason = "") {
    ViewReport report;
    report.view = name;
    report.state = state;
    report.staleness = staleness;
    if (state != ViewReport::State::no_objective) report.max_staleness = 2s;
    report.reason = reason;
    return report;
}

PartitionReport failed(const std::string& error) {
    PartitionReport report;
    report.state = PartitionReport::State::failed;
    report.error = error;
    return report;
}

NodeReport running() {
    NodeReport report;
    report.now = kNow;
    report.phase = NodeReport::Phase::running;
    report.node = "here:1";
    LookupReport& lookups = report.lookups.emplace();
    lookups.freshness.looked_at = kNow - 1s;
    lookups.freshness.store = {true, "connected to redis a:1", {}};
    lookups.freshness.views = {view("totals", ViewReport::State::kept, 400ms),
                               view("pairs", ViewReport::State::no_objective, 400ms)};
    return report;
}

Json status(const NodeReport& report, std::string_view only = "") {
    return Json::parse(status_json(
        report, definitions(), [&](const View& view) { return only.empty() || view.name == only; }, true));
}

std::string bulk(std::string_view text) {
    std::string out;
    RespWriter(out).bulk(text);
    return out;
}

}  // namespace

TEST_CASE("a node is ready when nothing keeps it from serving within its SLAs") {
    CHECK(obstacles(running()).empty());
    CHECK(status(running())["ready"] == true);
}

TEST_CASE("a view that the node leaves out is told") {
    NodeReport report = running();
    report.shed_views = {"pairs@1"};
    const Json views = status(report)["views"];
    CHECK(views[0]["shed"] == false);
    CHECK(views[1]["shed"] == true);
}

TEST_CASE("a node is not ready while it starts or stops, whatever else it knows") {
    NodeReport report = running();
    report.phase = NodeReport::Phase::starting;
    REQUIRE(obstacles(report).size() == 1);
    CHECK(obstacles(report)[0].starts_with("the node is starting"));
    CHECK(status(report)["phase"] == "starting");
    report.phase = NodeReport::Phase::stopping;
    CHECK(obstacles(report) == std::vector<std::string>{"the node is stopping"});
}

TEST_CASE(
    "a node is not ready while Redis is away, while a view is in breach or not known, or when nobody looks") {
    NodeReport report = running();
    report.lookups->freshness.store = {false, "redis a:1 did not answer within 500 ms", {}};
    CHECK(obstacles(report) == std::vector<std::string>{"redis a:1 did not answer within 500 ms"});

    report = running();
    report.lookups->freshness.views[0] =
        view("totals", ViewReport::State::in_breach, 7s, "furthest behind is orders/1");
    CHECK(obstacles(report) ==
          std::vector<std::string>{"view totals is in breach: 7000 ms behind, may be 2000 ms; "
                                   "furthest behind is orders/1"});
    CHECK(status(report)["not_ready_because"] == Json(obstacles(report)));
    report.lookups->freshness.views[0].staleness.reset();
    CHECK(obstacles(report)[0].find("staleness not known, may be 2000 ms") != std::string::npos);
    report.lookups->freshness.views[0].state = ViewReport::State::not_known;
    CHECK(obstacles(report)[0].starts_with("view totals: its staleness is not known yet"));

    report = running();
    report.lookups->freshness.views[1].staleness.reset();  // of a view without a limit
    CHECK(obstacles(report).empty());
    report.now += 10s;
    CHECK(obstacles(report) ==
          std::vector<std::string>{"look-ups are stuck: nobody has looked at the views for 11 s"});
    report.lookups->freshness.looked_at.reset();
    CHECK(obstacles(report) == std::vector<std::string>{"how fresh the views are has not been looked at yet"});
}

TEST_CASE("a node that only counts is ready while no partition of its has failed") {
    NodeReport report = running();
    report.lookups.reset();
    report.partitions[{"orders", {0}}].state = PartitionReport::State::running;
    CHECK(obstacles(report).empty());
    CHECK(status(report)["redis"] == nullptr);
    CHECK(status(report)["lookups"] == nullptr);
    CHECK(status(report)["views"].size() == 2);
    report.partitions[{"orders", {1}}] = failed("fenced");
    CHECK(obstacles(report) == std::vector<std::string>{"partition orders/1 failed: fenced"});
}

TEST_CASE("a feature with a limit of its own is told of beside its view, and keeps the node from being ready") {
    NodeReport report = running();
    CHECK(status(report)["views"][0]["features"][0]["objective"]["state"] == "not_known");
    CHECK(status(report)["views"][0]["features"][1]["objective"] == nullptr);
    ViewReport feature = view("totals", ViewReport::State::in_breach, 1200ms, "furthest behind is orders/1");
    feature.feature = "n";
    feature.max_staleness = 1s;
    feature.in_breach_since = kNow - 5s;
    feature.burnt_5m = 0.25;
    report.lookups->freshness.views.push_back(feature);
    const Json totals = status(report)["views"][0];
    CHECK(totals["state"] == "kept");
    CHECK(totals["features"][0]["objective"] == Json::parse(R"({"state": "in_breach", "max_staleness_ms": 1000,
        "in_breach_since_ms": 1699999995000, "burnt": {"5m": 0.25, "1h": 0.0, "1d": 0.0}})"));
    CHECK(obstacles(report) ==
          std::vector<std::string>{"feature totals.n is in breach: 1200 ms behind, may be 1000 ms; "
                                   "furthest behind is orders/1"});
}

TEST_CASE("partitions of this node and of others stand side by side") {
    NodeReport report = running();
    report.partitions[{"orders", {0}}] = {PartitionReport::State::running, {7}, {10}, {15}, 3, ""};
    report.partitions[{"orders", {3}}] = failed("lost");
    auto& records = report.lookups->freshness.store.partitions;
    records = {{{"orders", {0}}, "here:1", {7}, 400ms},
               {{"orders", {1}}, "there:2", {9}, 600ms},
               {{"orders", {2}}, "", {}, {}}};
    const Json partitions = status(report)["partitions"];
    REQUIRE(partitions.size() == 4);
    CHECK(partitions[0] ==
          Json::parse(R"({"topic": "orders", "partition": 0, "state": "running", "owner": "here:1",
        "epoch": 7, "behind_ms": 400, "lag": 5, "entities": 3, "next": 10, "end": 15, "error": null})"));
    CHECK(partitions[1] ==
          Json::parse(R"({"topic": "orders", "partition": 1, "state": "elsewhere", "owner": "there:2",
        "epoch": 9, "behind_ms": 600, "lag": null, "entities": null, "next": null, "end": null, "error": null})"));
    CHECK(partitions[2]["state"] == "unowned");
    CHECK(partitions[2]["owner"] == nullptr);
    CHECK(partitions[3]["state"] == "failed");
    CHECK(partitions[3]["error"] == "lost");
}

TEST_CASE("who may not read a view is told nothing of it") {
    NodeReport report = running();
    report.lookups->freshness.changes = {{kNow, "totals", true, "view totals is in breach"},
                                         {kNow, "pairs", false, "view pairs is fresh again"}};
    report.partitions[{"other", {0}}] = {};
    const Json json = status(report, "pairs");
    REQUIRE(json["views"].size() == 1);
    CHECK(json["views"][0]["entity"] == Json({"store", "open"}));
    CHECK(json["views"][0]["features"][0]["window_ms"] == nullptr);
    REQUIRE(json["transitions"].size() == 1);
    CHECK(json["transitions"][0]["view"] == "pairs");
    CHECK(json["partitions"].empty());
}

TEST_CASE("activity is a list a column, with null where there was nothing") {
    NodeReport report = running();
    report.activity = {{kNow, 1234.56, 0, 0.0123456, {}}};
    CHECK(status(report)["activity"] == Json::parse(R"({"at_ms": [1700000000000], "events_per_s": [1234.6],
        "lookups_per_s": [0.0], "readable_p99_ms": [12.346], "lookup_p99_ms": [null]})"));
}

TEST_CASE("a look-up is named values, with types, and an error has a status of HTTP") {
    const HttpResponse found = lookup_response(
        bulk(R"({"features":["n","mean"],"views":["totals"],"rows":[{"values":[9007199254740993,3.0],
             "statuses":["fresh","stale"],"freshness":[{"staleness_ms":412,"newest_event_ms":null}]}]})"),
        "totals", {"a\xff"});
    CHECK(found.status == 200);
    CHECK(found.type == "application/json");
    CHECK(
        found.body ==
        "{\"view\":\"totals\",\"entity\":[\"a\xef\xbf\xbd\"],\"values\":{\"n\":9007199254740993,\"mean\":3.0},"
        "\"statuses\":{\"n\":\"fresh\",\"mean\":\"stale\"},\"staleness_ms\":412,"
        "\"newest_event_ms\":null}\n");
    const HttpResponse none = lookup_response("-NOVIEW no view 'x'\r\n", "x", {"a"});
    CHECK(none.status == 404);
    CHECK(Json::parse(none.body) == Json::parse(R"({"error": {"code": "NOVIEW", "message": "no view 'x'"}})"));
    CHECK(lookup_response("-UNAVAILABLE redis is away\r\n", "x", {"a"}).status == 503);
    CHECK(lookup_response("-NOPERM no\r\n", "x", {"a"}).status == 403);
    CHECK(lookup_response("-ERR\r\n", "x", {"a"}).status == 400);
    for (const std::string& broken :
         {std::string(), std::string("$5\r\nab"), bulk("[]"), bulk("nothing"), std::string("!")})
        CHECK(lookup_response(broken, "x", {"a"}).status == 503);
}

TEST_CASE("what a stranger wrote is never HTML, and no header is made of it") {
    const std::string script = "<script>alert(1)</script>\r\nX: y";
    const HttpResponse error = json_error(404, "NOVIEW", script);
    CHECK(error.type == "application/json");
    CHECK(Json::parse(error.body)["error"]["message"] == script);
    const std::string bytes = error.bytes(true);
    CHECK(bytes.find("X-Content-Type-Options: nosniff\r\n") != std::string::npos);
    CHECK(bytes.find("Content-Security-Policy: default-src 'self'") != std::string::npos);
    CHECK(bytes.find("\nX: y") == std::string::npos);
}

TEST_CASE("an explanation has values of the feature's type, and tiles with their times") {
    const auto explained = [](std::string_view feature, std::string_view value) {
        std::string reply;
        RespWriter out(reply);
        out.array(12);
        out.bulk("feature");
        out.bulk(feature);
        out.bulk("hop_ms");
        out.integer(1000);
        out.bulk("first_tile");
        out.null();
        out.bulk("at_ms");
        out.integer(5000);
        out.bulk("answer");
        reply += "*4\r\n*1\r\n" + std::string(value) + "*1\r\n$5\r\nfresh\r\n:412\r\n:4000\r\n";
        out.bulk("origins");
        reply +=
            "*1\r\n*8\r\n$9\r\npartition\r\n:3\r\n$5\r\nowner\r\n$0\r\n\r\n$5\r\ntiles\r\n*2\r\n$3\r\n4:2\r\n$"
            "6\r\n5:a:b\"\r\n"
            "$6\r\nmerged\r\n$9\r\n-3..12:15\r\n";
        const HttpResponse response = explain_response(reply, definitions(), "totals@1", {"a"});
        CHECK(response.status == 200);
        return Json::parse(response.body);
    };
    const Json json = explained("mean", "$3\r\n2.5\r\n");
    CHECK(json["value"] == 2.5);
    CHECK(json["status"] == "fresh");
    CHECK(json["first_tile"] == nullptr);
    CHECK(json["origins"][0]["partition"] == 3);
    CHECK(json["origins"][0]["owner"] == "");
    CHECK(json["origins"][0]["merged"] == Json::parse(R"({"first": -3, "last": 12, "tiles": 15})"));
    CHECK(json["origins"][0]["tiles"] == Json::parse(R"([{"number": 4, "from_ms": 4000, "value": "2"},
                                                         {"number": 5, "from_ms": 5000, "value": "a:b\""}])"));
    CHECK(explained("n", ":7\r\n")["value"] == 7);
    CHECK(explained("last", ":1\r\n")["value"] == true);
    CHECK(explained("name", "$3\r\n2.5\r\n")["value"] == "2.5");
    CHECK(explained("name", "$-1\r\n")["value"] == nullptr);
    CHECK(explain_response("*0\r\n", definitions(), "totals", {"a"}).status == 503);
}
