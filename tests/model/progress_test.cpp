#include "model/progress.hpp"

#include <doctest/doctest.h>

#include "model/claims.hpp"

using namespace freshet;
using namespace freshet::test;
using namespace std::chrono_literals;

namespace {

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
        decide_start(kClaim, std::nullopt, facts({Offset{0}, Offset{9}}, std::nullopt), stores(0), kNow);
    REQUIRE(decision);
    CHECK(decision->from == Offset{0});
    CHECK(decision->views[0].since == std::nullopt);
}

TEST_CASE("a first start at the latest offset is incomplete from now on") {
    const auto decision =
        decide_start(kClaim, std::nullopt, facts({Offset{0}, Offset{9}}, std::nullopt), stores(9), kNow);
    REQUIRE(decision);
    CHECK(decision->from == Offset{9});
    CHECK(decision->views[0].since == kNow);
}

TEST_CASE("a restart goes on from the record") {
    const auto decision =
        decide_start(kClaim, record_at(4), facts({Offset{0}, Offset{9}}, Offset{3}), stores(0), kNow);
    REQUIRE(decision);
    CHECK(decision->from == Offset{4});
    CHECK(decision->views[0].clock == from_unix_ms(1000));
}

TEST_CASE("a new view on a live topic starts by itself while the others go on") {
    const std::vector<ViewStart> views{{"stores@1", 77, true, Offset{0}}, {"cities@1", 78, true, Offset{0}}};
    const auto decision =
        decide_start(kClaim, record_at(4), facts({Offset{0}, Offset{9}}, Offset{4}), views, kNow);
    REQUIRE(decision);
    CHECK(decision->from == Offset{0});
    CHECK(decision->views[0].next == Offset{4});
    CHECK(decision->views[1].next == Offset{0});
}

TEST_CASE("a changed definition under the same version is refused with the mend") {
    auto record = record_at(4);
    record.views["stores@1"].fingerprint = 1;
    const auto decision =
        decide_start(kClaim, record, facts({Offset{0}, Offset{9}}, Offset{4}), stores(0), kNow);
    REQUIRE_FALSE(decision);
    CHECK(decision.error().code == Errc::refused);
    CHECK(decision.error().message.find("version") != std::string::npos);
}

TEST_CASE("another Kafka cluster or group on the same prefix is refused") {
    auto record = record_at(4);
    record.kafka_cluster = "kafka-2";
    CHECK_FALSE(decide_start(kClaim, record, facts({Offset{0}, Offset{9}}, Offset{4}), stores(0), kNow));
    record = record_at(4);
    record.group = "other";
    CHECK_FALSE(decide_start(kClaim, record, facts({Offset{0}, Offset{9}}, Offset{4}), stores(0), kNow));
}

TEST_CASE("offsets lost to retention are said and make the view incomplete") {
    const auto decision =
        decide_start(kClaim, record_at(4), facts({Offset{6}, Offset{9}}, Offset{4}), stores(6), kNow);
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
    const auto decision = decide_start(kClaim, record, anew, stores(0), kNow);
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
    const auto decision = decide_start(kClaim, record, cut, views, kNow);
    REQUIRE(decision);
    CHECK(decision->log == LogIdentity{Generation{1}, Offset{50}, Offset{0}, {record.log.marks[0]}});
    CHECK(decision->views[0].next == Offset{50});
    CHECK(decision->views[0].since == kNow + 60s);
}

TEST_CASE("what stands before the beginning is marked, so that it is noticed when it is cut") {
    LogFacts latest = facts({Offset{0}, Offset{9}}, std::nullopt);
    latest.before_starts = {{Offset{3}, kNow, 1}, {Offset{8}, kNow, 2}};
    const auto decision = decide_start(kClaim, std::nullopt, latest, stores(9), kNow);
    REQUIRE(decision);
    CHECK(decision->log.marks == std::vector<LogMark>{{Offset{8}, kNow, 2}});
}

TEST_CASE("a view that nobody knew when the log was made anew begins where that generation begins") {
    auto record = record_at(40);
    record.log = {Generation{2}, Offset{5}, Offset{0}, {}};
    record.views["cities@1"] = {Offset{30}, {}, {}, 78, {}, Generation{2}};
    const std::vector<ViewStart> views{{"stores@1", 77, true, Offset{0}}, {"cities@1", 78, true, Offset{0}}};
    const auto decision = decide_start(kClaim, record, facts({Offset{0}, Offset{50}}, Offset{30}), views, kNow);
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
        decide_start(kClaim, record, facts({Offset{2}, Offset{9}}, Offset{8}), stores(9), kNow);
    REQUIRE(decision);
    CHECK(decision->from == Offset{2});
}

TEST_CASE("an emptied store is rebuilt from the start of the log") {
    const auto decision =
        decide_start(kClaim, std::nullopt, facts({Offset{2}, Offset{9}}, Offset{8}), stores(9), kNow);
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

namespace {

ViewStart with_features(std::vector<FeatureStart> features, bool wall_clock = false) {
    return {"stores@1", 77, wall_clock, Offset{0}, 60s, 10s, std::move(features), "layout"};
}

// At offset 4 and clock 1000, read up to `read`; counts `a` and nothing else.
ProgressRecord counting_a(std::int64_t read) {
    ProgressRecord record = record_at(4);
    record.log.marks = {{Offset{read}, kNow, 1}};
    record.views["stores@1"].retain = 10s;
    record.views["stores@1"].features["a"] = {1, std::nullopt};
    return record;
}

Result<StartDecision> go_on(const ProgressRecord& record, const ViewStart& view) {
    LogFacts log = facts({Offset{0}, Offset{9}}, Offset{4});
    for (const LogMark& mark : record.log.marks) log.marked.emplace_back(mark);
    return decide_start(kClaim, record, log, std::span(&view, 1), kNow);
}

}  // namespace

TEST_CASE("an added feature is counted from the recorded clock on, and the others go on") {
    const auto decision = go_on(counting_a(3), with_features({{"a", 1}, {"b", 2}}));
    REQUIRE(decision);
    const ViewProgress& view = decision->views[0];
    CHECK(view.next == Offset{4});
    CHECK(view.since == std::nullopt);
    CHECK(view.features.at("a") == FeatureProgress{1, std::nullopt});
    CHECK(view.features.at("b") == FeatureProgress{2, from_unix_ms(1000)});
    REQUIRE(decision->notes.size() == 1);
    CHECK(decision->notes[0].find("stores@1 counts b in orders/0 from now on") != std::string::npos);
}

TEST_CASE("by the wall clock, an added feature misses what had arrived by now") {
    const auto decision = go_on(counting_a(3), with_features({{"a", 1}, {"b", 2}}, true));
    REQUIRE(decision);
    CHECK(decision->views[0].features.at("b").since == kNow + 60s);
}

TEST_CASE("while former lives may have stored beyond the record, it is not known since when a feature counts") {
    const auto decision = go_on(counting_a(6), with_features({{"a", 1}, {"b", 2}}));
    REQUIRE(decision);
    CHECK(decision->views[0].features.at("b").since == kSincePending);
}

TEST_CASE("a feature added before any event was counted misses nothing") {
    ProgressRecord record = counting_a(3);
    record.log.marks.clear();
    record.views["stores@1"].next = Offset{0};
    record.views["stores@1"].clock.reset();
    for (const bool wall_clock : {false, true}) {
        const auto decision = go_on(record, with_features({{"a", 1}, {"b", 2}}, wall_clock));
        REQUIRE(decision);
        CHECK(decision->views[0].features.at("b").since == std::nullopt);
        CHECK(decision->notes.empty());
    }
}

TEST_CASE("an owner that does not know a feature takes it off the record, and the next one counts it anew") {
    ProgressRecord record = counting_a(3);
    record.views["stores@1"].features["b"] = {2, from_unix_ms(10)};
    const auto without = go_on(record, with_features({{"a", 1}}));
    REQUIRE(without);
    CHECK_FALSE(without->views[0].features.contains("b"));
    CHECK(without->notes.at(0).find("counts b in orders/0 no more") != std::string::npos);
    record.views["stores@1"] = without->views[0];
    const auto again = go_on(record, with_features({{"a", 1}, {"b", 2}}));
    REQUIRE(again);
    CHECK(again->views[0].features.at("b").since == from_unix_ms(1000));
}

TEST_CASE("a feature that changed under the view's version is refused by name with the mend") {
    const auto decision = go_on(counting_a(3), with_features({{"a", 5}}));
    REQUIRE_FALSE(decision);
    CHECK(decision.error().code == Errc::refused);
    CHECK(decision.error().message ==
          "view stores@1: feature a has another definition than is recorded; give the changed feature another "
          "name, "
          "raise the view's `version:` to count anew, or restore the definition");
}

TEST_CASE("tiles are not kept for longer reads afterwards, so a longer retain is refused with the mend") {
    ViewStart view = with_features({{"a", 1}});
    view.retain = 9500ms;
    const auto shorter = go_on(counting_a(3), view);
    REQUIRE(shorter);
    CHECK(shorter->views[0].retain == 9500ms);
    view.retain = 600s;
    const auto longer = go_on(counting_a(3), view);
    REQUIRE_FALSE(longer);
    CHECK(longer.error().message ==
          "view stores@1: a longer `retain` (600s) than is recorded; write `retain: 10s`, raise the view's "
          "`version:` "
          "to count anew, or restore the definition");
}

TEST_CASE("the layouts that values may be stored in are gathered") {
    ProgressRecord record = counting_a(3);
    CHECK(go_on(record, with_features({{"a", 1}}))->layouts == std::vector<std::string>{"layout"});
    record.layouts["stores@1"] = "other";
    CHECK(go_on(record, with_features({{"a", 1}}))->layouts == std::vector<std::string>{"other layout"});
    record.layouts["stores@1"] = "layout other layouts";
    CHECK(go_on(record, with_features({{"a", 1}}))->layouts ==
          std::vector<std::string>{"layout other layouts"});
}

namespace {

// The last of these is shed, or not.
std::vector<ViewStart> two_views(bool shed, bool wall_clock = false) {
    std::vector<ViewStart> views{{"stores@1", 77, wall_clock, Offset{0}, 60s},
                                 {"cities@1", 78, wall_clock, Offset{0}, 60s}};
    views[1].shed = shed;
    return views;
}

ProgressRecord record_of_two(std::int64_t stores, std::int64_t cities, std::optional<Timestamp> since = {}) {
    ProgressRecord record = record_at(stores);
    record.views["stores@1"].clock = from_unix_ms(1000 * stores);
    record.views["cities@1"] = {Offset{cities}, from_unix_ms(1000 * cities), kNow - 1s, 78, since};
    return record;
}

Result<StartDecision> begin_two(const ProgressRecord& record, const std::vector<ViewStart>& views) {
    return decide_start(kClaim, record, facts({Offset{0}, Offset{90}}, Offset{4}), views, kNow);
}

}  // namespace

TEST_CASE("a view that is shed goes on with the others, uncounted, and says at once that it lacks something") {
    for (const bool wall_clock : {false, true}) {
        const auto decision = begin_two(record_of_two(4, 4), two_views(true, wall_clock));
        REQUIRE(decision);
        CHECK(decision->from == Offset{4});
        CHECK(decision->count_from == std::vector<Offset>{Offset{4}, kNever});
        CHECK(decision->views[0].since == std::nullopt);
        CHECK(decision->views[1].since == kSincePending);
        CHECK(decision->views[1].next == Offset{4});
        CHECK(decision->views[1].watermark == kNow - 1s);
    }
}

TEST_CASE("a view that is shed does not hold the others back, nor does it fall back") {
    const auto behind = begin_two(record_of_two(40, 4), two_views(true));
    REQUIRE(behind);
    CHECK(behind->from == Offset{40});
    CHECK(behind->views[1].next == Offset{40});
    CHECK(behind->views[1].clock == from_unix_ms(40'000));
    CHECK(behind->clock == from_unix_ms(40'000));
    const auto ahead = begin_two(record_of_two(4, 40), two_views(true));
    REQUIRE(ahead);
    CHECK(ahead->from == Offset{4});
    CHECK(ahead->views[1].next == Offset{40});
    CHECK(ahead->views[1].clock == from_unix_ms(40'000));
    CHECK(ahead->count_from[1] == kNever);
}

TEST_CASE("a view that was shed is counted again from where it stands, whoever begins the life") {
    const auto by_event = begin_two(record_of_two(9, 9, kSincePending), two_views(false));
    REQUIRE(by_event);
    CHECK(by_event->count_from[1] == Offset{9});
    CHECK(by_event->views[1].since == kSincePending);  // until the life has seen an event
    const auto by_wall = begin_two(record_of_two(9, 9, kSincePending), two_views(false, true));
    REQUIRE(by_wall);
    CHECK(by_wall->views[1].since == kNow + 60s);
}

TEST_CASE("a view that is shed again while its windows are incomplete begins anew") {
    const auto decision = begin_two(record_of_two(9, 9, from_unix_ms(500)), two_views(true));
    REQUIRE(decision);
    CHECK(decision->views[1].since == kSincePending);
}

TEST_CASE("a view that begins while it is shed counts nothing yet") {
    ProgressRecord record = record_of_two(9, 9);
    record.views.erase("cities@1");
    const auto decision = begin_two(record, two_views(true));
    REQUIRE(decision);
    CHECK(decision->from == Offset{9});
    CHECK(decision->views[1].next == Offset{9});
    CHECK(decision->views[1].since == kSincePending);
}

TEST_CASE("a log that was made anew while a view is shed is begun with the others") {
    ProgressRecord record = record_of_two(40, 40, kSincePending);
    record.log.marks = {{Offset{0}, kNow, 1}, {Offset{39}, kNow, 2}};
    LogFacts anew = facts({Offset{0}, Offset{9}}, Offset{40});
    anew.marked = {LogMark{Offset{0}, kNow, 7}, std::nullopt};
    const auto decision = decide_start(kClaim, record, anew, two_views(true), kNow);
    REQUIRE(decision);
    CHECK(decision->from == Offset{0});
    CHECK(decision->views[1].next == Offset{0});
    CHECK(decision->views[1].generation == Generation{1});
    CHECK(decision->views[1].since == kSincePending);
}

TEST_CASE("what was missing to surviving values is missing after a rebuild: their stamps skip it") {
    ProgressRecord record = record_of_two(50, 50, from_unix_ms(30'000));
    record.views["cities@1"].features["n"] = {1, from_unix_ms(45'000)};
    record.lost_part = true;
    auto views = two_views(false);
    views[1].features = {{"n", 1}, {"added", 2}};
    const auto decision = begin_two(record, views);
    REQUIRE(decision);
    CHECK(decision->from == Offset{0});
    CHECK(decision->views[0].since == std::nullopt);
    CHECK(decision->views[1].since == from_unix_ms(30'000));
    CHECK(decision->views[1].features.at("n").since == from_unix_ms(45'000));
    record.views["cities@1"].since = kSincePending;
    CHECK(begin_two(record, views)->views[1].since == kSincePending);
    CHECK(begin_two(record, two_views(false, true))->views[1].since == kNow + 60s);
    CHECK(begin_two(record, two_views(true))->views[1].since == kSincePending);
}
