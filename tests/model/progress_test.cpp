#include "model/progress.hpp"

#include <doctest/doctest.h>

using namespace freshet;
using namespace std::chrono_literals;

namespace {

constexpr Timestamp kNow = from_unix_ms(1'700'000'000'000);

PartitionClaim claim() { return {{"orders", PartitionId{0}}, "node-1", "kafka-1", "freshet", 4}; }

ProgressRecord record_at(std::int64_t next) {
    ProgressRecord record;
    record.epoch = Epoch{5};
    record.kafka_cluster = "kafka-1";
    record.group = "freshet";
    record.views["stores@1"] = {Offset{next}, from_unix_ms(1000), std::nullopt, 77, std::nullopt};
    return record;
}

std::vector<ViewStart> stores(std::int64_t start) { return {{"stores@1", 77, true, Offset{start}}}; }

LogFacts facts(LogRange range, std::optional<Offset> committed) { return {range, committed, {}, {}}; }

}  // namespace

TEST_CASE("an epoch is above what stands and at least unix milliseconds") {
    CHECK(next_epoch(std::nullopt, kNow).value == 1'700'000'000'000u);
    CHECK(next_epoch(Epoch{7}, kNow).value == 1'700'000'000'000u);
    CHECK(next_epoch(Epoch{1'800'000'000'000u}, kNow).value == 1'800'000'000'001u);
}

TEST_CASE("a first start follows the definition and is complete when the log is whole") {
    const auto decision =
        decide_start(claim(), std::nullopt, facts({Offset{0}, Offset{9}}, std::nullopt), stores(0), kNow);
    REQUIRE(decision);
    CHECK(decision->from == Offset{0});
    CHECK(decision->views[0].since == std::nullopt);
}

TEST_CASE("a first start at the latest offset is incomplete from now on") {
    const auto decision =
        decide_start(claim(), std::nullopt, facts({Offset{0}, Offset{9}}, std::nullopt), stores(9), kNow);
    REQUIRE(decision);
    CHECK(decision->from == Offset{9});
    CHECK(decision->views[0].since == kNow);
}

TEST_CASE("a restart goes on from the record") {
    const auto decision =
        decide_start(claim(), record_at(4), facts({Offset{0}, Offset{9}}, Offset{3}), stores(0), kNow);
    REQUIRE(decision);
    CHECK(decision->from == Offset{4});
    CHECK(decision->views[0].clock == from_unix_ms(1000));
}

TEST_CASE("a new view on a live topic starts by itself while the others go on") {
    const std::vector<ViewStart> views{{"stores@1", 77, true, Offset{0}}, {"cities@1", 78, true, Offset{0}}};
    const auto decision =
        decide_start(claim(), record_at(4), facts({Offset{0}, Offset{9}}, Offset{4}), views, kNow);
    REQUIRE(decision);
    CHECK(decision->from == Offset{0});
    CHECK(decision->views[0].next == Offset{4});
    CHECK(decision->views[1].next == Offset{0});
}

TEST_CASE("a changed definition under the same version is refused with the mend") {
    auto record = record_at(4);
    record.views["stores@1"].fingerprint = 1;
    const auto decision =
        decide_start(claim(), record, facts({Offset{0}, Offset{9}}, Offset{4}), stores(0), kNow);
    REQUIRE_FALSE(decision);
    CHECK(decision.error().code == Errc::refused);
    CHECK(decision.error().message.find("version") != std::string::npos);
}

TEST_CASE("another Kafka cluster or group on the same prefix is refused") {
    auto record = record_at(4);
    record.kafka_cluster = "kafka-2";
    CHECK_FALSE(decide_start(claim(), record, facts({Offset{0}, Offset{9}}, Offset{4}), stores(0), kNow));
    record = record_at(4);
    record.group = "other";
    CHECK_FALSE(decide_start(claim(), record, facts({Offset{0}, Offset{9}}, Offset{4}), stores(0), kNow));
}

TEST_CASE("offsets lost to retention are said and make the view incomplete") {
    const auto decision =
        decide_start(claim(), record_at(4), facts({Offset{6}, Offset{9}}, Offset{4}), stores(6), kNow);
    REQUIRE(decision);
    CHECK(decision->from == Offset{6});
    CHECK(decision->views[0].since == kNow);
    REQUIRE(decision->notes.size() == 1);
    CHECK(decision->notes[0].find("lost offsets 4 to 5") != std::string::npos);
}

TEST_CASE("a log that was made anew is counted from its start under a new generation, incomplete") {
    auto record = record_at(40);
    record.log.marks = {{Offset{0}, kNow, 1}, {Offset{39}, kNow, 2}};
    LogFacts anew = facts({Offset{0}, Offset{9}}, Offset{40});
    anew.marked = {LogMark{Offset{0}, kNow, 7}, std::nullopt};
    const auto decision = decide_start(claim(), record, anew, stores(0), kNow);
    REQUIRE(decision);
    CHECK(decision->log == LogIdentity{Generation{1}, Offset{0}, Offset{0}, {}});
    CHECK(decision->from == Offset{0});
    CHECK(decision->views[0].generation == Generation{1});
    CHECK(decision->views[0].clock == from_unix_ms(1000));
    CHECK(decision->views[0].since == kNow);
    REQUIRE(decision->notes.size() == 1);
    CHECK(decision->notes[0].find("made anew") != std::string::npos);
}

TEST_CASE("a truncated log goes on from its end under a new generation, incomplete") {
    auto record = record_at(40);
    record.log.marks = {{Offset{0}, kNow, 1}, {Offset{39}, kNow, 2}};
    LogFacts cut = facts({Offset{0}, Offset{50}}, Offset{40});
    cut.marked = {record.log.marks[0], LogMark{Offset{39}, kNow, 7}};
    auto views = stores(0);
    views[0].max_future = 60s;
    const auto decision = decide_start(claim(), record, cut, views, kNow);
    REQUIRE(decision);
    CHECK(decision->log == LogIdentity{Generation{1}, Offset{50}, Offset{0}, {record.log.marks[0]}});
    CHECK(decision->views[0].next == Offset{50});
    CHECK(decision->views[0].since == kNow + 60s);
}

TEST_CASE("what stands before the beginning is marked, so that it is noticed when it is cut") {
    LogFacts latest = facts({Offset{0}, Offset{9}}, std::nullopt);
    latest.before_starts = {{Offset{3}, kNow, 1}, {Offset{8}, kNow, 2}};
    const auto decision = decide_start(claim(), std::nullopt, latest, stores(9), kNow);
    REQUIRE(decision);
    CHECK(decision->log.marks == std::vector<LogMark>{{Offset{8}, kNow, 2}});
}

TEST_CASE("a view that nobody knew when the log was made anew begins where that generation begins") {
    auto record = record_at(40);
    record.log = {Generation{2}, Offset{5}, Offset{0}, {}};
    record.views["cities@1"] = {Offset{30}, {}, {}, 78, {}, Generation{2}};
    const std::vector<ViewStart> views{{"stores@1", 77, true, Offset{0}}, {"cities@1", 78, true, Offset{0}}};
    const auto decision =
        decide_start(claim(), record, facts({Offset{0}, Offset{50}}, Offset{30}), views, kNow);
    REQUIRE(decision);
    CHECK(decision->views[0].next == Offset{5});
    CHECK(decision->views[0].since == kNow);
    CHECK(decision->views[1].next == Offset{30});
    CHECK(decision->views[1].since == std::nullopt);
}

TEST_CASE("a record without views is taken for an emptied store") {
    auto record = record_at(4);
    record.views.clear();
    const auto decision =
        decide_start(claim(), record, facts({Offset{2}, Offset{9}}, Offset{8}), stores(9), kNow);
    REQUIRE(decision);
    CHECK(decision->from == Offset{2});
}

TEST_CASE("an emptied store is rebuilt from the start of the log") {
    const auto decision =
        decide_start(claim(), std::nullopt, facts({Offset{2}, Offset{9}}, Offset{8}), stores(9), kNow);
    REQUIRE(decision);
    CHECK(decision->from == Offset{2});
    CHECK(decision->views[0].since == kNow);
    CHECK(decision->notes.size() == 1);
}

TEST_CASE("a window is complete once it lies wholly after the time counting began") {
    CHECK(is_complete(std::nullopt, 1h, 1min, kNow));
    CHECK_FALSE(is_complete(kSincePending, 1h, 1min, kNow));
    CHECK_FALSE(is_complete(kNow - 1h, 1h, 1min, kNow));
    CHECK(is_complete(kNow - 1h - 2min, 1h, 1min, kNow));
    CHECK_FALSE(is_complete(kNow - 1000h, std::nullopt, 1min, kNow));
}
