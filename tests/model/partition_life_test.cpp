#include "model/partition_life.hpp"

#include <doctest/doctest.h>

#include "model/claims.hpp"

using namespace freshet;
using namespace freshet::test;
using namespace std::chrono_literals;
using SteadyTime = PartitionLife::SteadyTime;

namespace {

const SteadyTime kBegin{1000s};

const std::vector<ViewStart> kViews{{"stores@1", 77, false, Offset{0}}};

// A life with two aggregators that begins at offset 0 of a log of nine records.
struct Begun {
    Begun() : life(kClaim, {2, 10, 1 << 20}) {
        life.epoch_taken({Epoch{5}, 1, std::nullopt, kNow}, kBegin, kBegin);
        REQUIRE(life.begin({{Offset{0}, Offset{9}}, std::nullopt, {}, {}}, kBegin, kViews));
        advanced();
    }
    void ship(std::int64_t next, std::size_t records) {
        EventBatch batch;
        batch.next = Offset{next};
        batch.clock = from_unix_ms(1000 * next);
        batch.records = records;
        life.ship(batch);
    }
    void stored(std::int64_t next) {
        life.stored(0, Offset{next}, Offset{next});
        life.stored(1, Offset{next}, Offset{next});
    }
    void advanced() {
        REQUIRE(life.next_advance());
        life.advanced({2, kNow}, kBegin);
    }
    PartitionLife life;
};

}  // namespace

TEST_CASE("nothing is drained before the life has begun") {
    PartitionLife life(kClaim, {1, 10, 10});
    CHECK_FALSE(life.may_drain());
    CHECK_FALSE(life.next_advance());
}

TEST_CASE("draining stops without credit and is woken once when there is some again") {
    Begun begun;
    begun.ship(10, 10);
    CHECK_FALSE(begun.life.may_drain());
    CHECK_FALSE(begun.life.wake_due());
    begun.life.stored(0, Offset{10}, Offset{10});
    CHECK_FALSE(begun.life.wake_due());
    begun.life.stored(1, Offset{10}, Offset{10});
    CHECK(begun.life.wake_due());
    CHECK_FALSE(begun.life.wake_due());
    CHECK(begun.life.may_drain());
}

TEST_CASE("the record advances to what all aggregators have stored, one advance at a time") {
    Begun begun;
    begun.ship(4, 4);
    begun.ship(9, 5);
    CHECK_FALSE(begun.life.next_advance());
    begun.stored(4);
    const auto first = begun.life.next_advance();
    REQUIRE(first);
    CHECK(first->views.at("stores@1").next == Offset{4});
    CHECK(first->views.at("stores@1").clock == from_unix_ms(4000));
    begun.stored(9);
    CHECK_FALSE(begun.life.next_advance());
    CHECK(begun.life.recorded() == Offset{0});
    begun.life.advanced({3, kNow}, kBegin);
    CHECK(begun.life.recorded() == Offset{4});
    CHECK(begun.life.next_advance()->views.at("stores@1").next == Offset{9});
}

TEST_CASE("only what the record says is committed, at most once a second") {
    Begun begun;
    begun.ship(4, 4);
    begun.stored(4);
    CHECK(begun.life.next_commit(kBegin) == Offset{0});
    begun.advanced();
    CHECK_FALSE(begun.life.next_commit(kBegin + 500ms));
    CHECK(begun.life.next_commit(kBegin + 1s) == Offset{4});
    CHECK_FALSE(begun.life.next_commit());
}

TEST_CASE("an unacked dead letter holds the record back") {
    Begun begun;
    begun.life.dead_letter_sent(Offset{2});
    begun.ship(4, 4);
    begun.stored(4);
    CHECK_FALSE(begun.life.next_advance());
    begun.life.dead_letter_acked(Offset{2});
    CHECK(begun.life.next_advance());
}

TEST_CASE("an acked dead letter gives the credit back that it held") {
    Begun begun;
    begun.life.dead_letter_sent(Offset{2});
    begun.ship(10, 10);
    CHECK_FALSE(begun.life.may_drain());
    begun.stored(10);
    CHECK_FALSE(begun.life.wake_due());
    begun.life.dead_letter_acked(Offset{2});
    CHECK(begun.life.wake_due());
}

TEST_CASE("each answer about the end of the log makes one advance due, changed or not") {
    Begun begun;
    CHECK_FALSE(begun.life.next_advance());
    CHECK(begun.life.log_ended(kBegin + 1s, kBegin + 1s, Offset{9}, 3));
    CHECK(begun.life.claim().partitions == 3);
    begun.advanced();
    CHECK_FALSE(begun.life.next_advance());
}

TEST_CASE("a life without credit in bytes waits for counting, one without credit in events for the store") {
    PartitionLife life(kClaim, {1, 10, 100});
    life.epoch_taken({Epoch{5}, 1, std::nullopt, kNow}, kBegin, kBegin);
    REQUIRE(life.begin({{Offset{0}, Offset{9}}, std::nullopt, {}, {}}, kBegin, kViews));
    REQUIRE(life.next_advance());
    life.advanced({2, kNow}, kBegin);
    EventBatch batch;
    batch.next = Offset{5};
    batch.records = 5;
    batch.events.resize(100);  // which takes more than 100 bytes
    life.ship(batch);
    CHECK_FALSE(life.may_drain());
    CHECK_FALSE(life.waits_for_store());
    life.stored(0, Offset{0}, Offset{5});
    CHECK(life.may_drain());
    EventBatch more;
    more.next = Offset{10};
    more.records = 5;
    life.ship(more);
    CHECK_FALSE(life.may_drain());
    CHECK(life.waits_for_store());
    life.stored(0, Offset{10}, Offset{10});
    CHECK(life.may_drain());
}

TEST_CASE("a life is behind its log until it has shipped what was seen there, fetched or not") {
    Begun begun;
    CHECK(begun.life.behind_log());
    begun.ship(8, 8);
    CHECK(begun.life.behind_log());
    begun.ship(9, 1);
    CHECK_FALSE(begun.life.behind_log());
    REQUIRE(begun.life.log_ended(kBegin, kBegin, Offset{12}, 1));
    CHECK(begun.life.behind_log());
    begun.ship(13, 4);
    CHECK_FALSE(begun.life.behind_log());
}

TEST_CASE("a stopped life is over once all that was shipped is stored and recorded") {
    Begun begun;
    begun.ship(4, 4);
    begun.life.stop();
    CHECK_FALSE(begun.life.may_drain());
    CHECK_FALSE(begun.life.over());
    begun.stored(4);
    const auto advance = begun.life.next_advance();
    CHECK_FALSE(begun.life.over());
    begun.life.advanced({3, kNow}, kBegin);
    CHECK(begun.life.over());
    CHECK(begun.life.next_commit() == Offset{4});
}

TEST_CASE("a batch leaves with the epoch and with the clock as recorded, not as read") {
    Begun begun;
    begun.ship(4, 4);
    begun.stored(4);
    EventBatch batch;
    batch.next = Offset{6};
    begun.life.ship(batch);
    CHECK(batch.epoch == Epoch{5});
    CHECK_FALSE(batch.recorded_clock);
    begun.advanced();
    batch.next = Offset{7};
    begun.life.ship(batch);
    CHECK(batch.recorded_clock == from_unix_ms(4000));
}

TEST_CASE("nothing is drained before the beginning of the life is recorded") {
    PartitionLife life(kClaim, {1, 10, 10});
    life.epoch_taken({Epoch{5}, 1, std::nullopt, kNow}, kBegin, kBegin);
    REQUIRE(life.begin({{Offset{0}, Offset{9}}, std::nullopt, {}, {}}, kBegin, kViews));
    CHECK_FALSE(life.may_drain());
    REQUIRE(life.next_advance());
    life.advanced({2, kNow}, kBegin);
    CHECK(life.wake_due());
    CHECK(life.may_drain());
}

TEST_CASE("a log that ends below what was read before it was asked ends the life") {
    Begun begun;
    CHECK(begun.life.log_ended(kBegin + 1s, kBegin + 2s, Offset{3}, 1));
    begun.ship(5, 5);
    // Asked before the five were known to be there: the answer may be of before they came.
    CHECK(begun.life.log_ended(kBegin + 1s, kBegin + 2s, Offset{3}, 1));
    CHECK_FALSE(begun.life.log_ended(kBegin + 3s, kBegin + 4s, Offset{4}, 1));
}

TEST_CASE("an incomplete view knows since when once the clock has moved on") {
    ProgressRecord record;
    record.epoch = Epoch{4};
    record.kafka_cluster = "kafka-1";
    record.group = "freshet";
    record.views["stores@1"] = {Offset{4}, from_unix_ms(5000), std::nullopt, 77, std::nullopt};
    PartitionLife life(kClaim, {1, 10, 1 << 20});
    life.epoch_taken({Epoch{5}, 1, record, kNow}, kBegin, kBegin);
    REQUIRE(life.begin({{Offset{6}, Offset{9}}, std::nullopt, {}, {}}, kBegin, kViews));
    const auto ship = [&](std::int64_t next, std::int64_t clock) {
        EventBatch batch;
        batch.next = Offset{next};
        batch.clock = from_unix_ms(clock);
        life.ship(batch);
        life.stored(0, Offset{next}, Offset{next});
        auto update = life.next_advance();
        REQUIRE(update);
        life.advanced({2, kNow}, kBegin);
        return update->views.at("stores@1").since;
    };
    CHECK(life.next_advance()->views.at("stores@1").since == kSincePending);
    life.advanced({2, kNow}, kBegin);
    CHECK(ship(7, 5000) == kSincePending);
    CHECK(ship(8, 7000) == from_unix_ms(7000));
    CHECK(ship(9, 9000) == from_unix_ms(7000));
}

TEST_CASE("an added feature knows since when once all is passed that lives before may have stored") {
    ProgressRecord record;
    record.epoch = Epoch{4};
    record.kafka_cluster = "kafka-1";
    record.group = "freshet";
    record.log.marks = {{Offset{7}, kNow, 1}};
    record.views["stores@1"] = {Offset{4}, from_unix_ms(4000), std::nullopt, 77, std::nullopt};
    record.views["stores@1"].features["old"] = {1, std::nullopt};
    ViewStart view = kViews.front();
    view.features = {{"old", 1}, {"new", 2}};
    view.layout = "layout";
    PartitionLife life(kClaim, {1, 10, 1 << 20});
    life.epoch_taken({Epoch{5}, 1, record, kNow}, kBegin, kBegin);
    REQUIRE(life.begin({{Offset{0}, Offset{9}}, std::nullopt, {record.log.marks[0]}, {}}, kBegin,
                       std::span(&view, 1)));
    const auto first = life.next_advance();
    REQUIRE(first);
    CHECK(first->layouts.at("stores@1") == "layout");
    CHECK(first->views.at("stores@1").features.at("new").since == kSincePending);
    life.advanced({2, kNow}, kBegin);
    const auto since_at = [&](std::int64_t next) {
        EventBatch batch;
        batch.next = Offset{next};
        batch.clock = from_unix_ms(1000 * next);
        life.ship(batch);
        life.stored(0, Offset{next}, Offset{next});
        const auto update = life.next_advance();
        REQUIRE(update);
        CHECK(update->layouts.empty());
        CHECK(update->views.at("stores@1").features.at("old").since == std::nullopt);
        life.advanced({2, kNow}, kBegin);
        return update->views.at("stores@1").features.at("new").since;
    };
    CHECK(since_at(6) == kSincePending);
    CHECK(since_at(7) == kSincePending);
    CHECK(since_at(8) == from_unix_ms(8000));
    CHECK(since_at(9) == from_unix_ms(8000));
}

TEST_CASE("the first and the newest message read are marked") {
    Begun begun;
    for (std::int64_t next = 2; next < 60; next += 2) {
        EventBatch batch;
        batch.next = Offset{next};
        batch.read = {{Offset{next - 2}, kNow, 1}, {Offset{next - 1}, kNow, 2}};
        begun.life.ship(batch);
        begun.stored(next);
        const auto update = begun.life.next_advance();
        REQUIRE(update);
        CHECK(update->log.marks.front() == LogMark{Offset{0}, kNow, 1});
        CHECK(update->log.marks.back() == batch.read->last);
        CHECK(update->log.marks.size() <= kMostMarks);
        begun.life.advanced({2, kNow}, kBegin);
    }
}

TEST_CASE("what a wall-clock view skips had arrived when Kafka was asked, not when the epoch was taken") {
    const std::vector<ViewStart> views{{"stores@1", 77, true, Offset{9}, 2s}};
    PartitionLife life(kClaim, {1, 10, 10});
    life.epoch_taken({Epoch{5}, 1, std::nullopt, kNow}, kBegin, kBegin + 1s);
    const auto decision = life.begin({{Offset{0}, Offset{9}}, std::nullopt, {}, {}}, kBegin + 5s, views);
    REQUIRE(decision);
    CHECK(decision->views[0].since == kNow + 5s + 2s);
}

TEST_CASE("what a batch may make entities grow by is taken from the budget until it is counted") {
    auto memory = std::make_shared<MemoryBudget>(1'000'000);
    PartitionLife life(kClaim, {1, 1000, 1 << 20}, memory);
    life.epoch_taken({Epoch{5}, 1, std::nullopt, kNow}, kBegin, kBegin);
    REQUIRE(life.begin({{Offset{0}, Offset{9}}, std::nullopt, {}, {}}, kBegin, kViews));
    EventBatch batch;
    batch.next = Offset{100};
    batch.records = 100;
    batch.touches.resize(1);
    batch.touches[0].resize(100);
    const std::size_t growth = batch.growth_bytes();
    CHECK(growth > 100 * 100);
    life.ship(batch);
    CHECK(memory->used() == batch.memory_bytes() + growth);
    life.stored(0, Offset{0}, Offset{100});
    CHECK(memory->used() == 0);
}

namespace {

const std::vector<ViewStart> kOneShed{{"stores@1", 77, false, Offset{0}},
                                      {"cities@1", 78, false, Offset{0}, {}, {}, {}, {}, true}};

ProgressRecord recorded_at_four(std::int64_t read) {
    ProgressRecord record;
    record.kafka_cluster = "kafka-1";
    record.group = "freshet";
    record.log.marks = {{Offset{read}, kNow, 1}};
    for (const auto& [id, fingerprint] : {std::pair("stores@1", 77u), std::pair("cities@1", 78u)})
        record.views[id] = {Offset{4}, from_unix_ms(4000), kNow - 1s, fingerprint, std::nullopt};
    return record;
}

// A life that begins where the record says, and has recorded that.
struct Resumed {
    Resumed(const ProgressRecord& record, const std::vector<ViewStart>& views)
        : life(kClaim, {1, 10, 1 << 20}) {
        life.epoch_taken({Epoch{5}, 1, record, kNow}, kBegin, kBegin);
        LogFacts facts{{Offset{0}, Offset{20}}, Offset{4}, {}, {}};
        for (const LogMark& mark : record.log.marks) facts.marked.emplace_back(mark);
        REQUIRE(life.begin(facts, kBegin, views));
        first = life.next_advance();
        REQUIRE(first);
        life.advanced({2, kNow}, kBegin);
    }
    // Counts up to there, and all of it is visible.
    ViewProgress reach(std::int64_t next, std::int64_t clock) {
        EventBatch batch;
        batch.next = Offset{next};
        batch.clock = from_unix_ms(clock);
        batch.records = 1;
        life.ship(batch);
        life.stored(0, Offset{next}, Offset{next});
        REQUIRE(life.log_ended(kBegin + 1s, kBegin + 1s, Offset{next}, 1));
        const auto advance = life.next_advance();
        REQUIRE(advance);
        life.advanced({3, kNow}, kBegin);
        CHECK(advance->views.at("stores@1").watermark > kNow - 1s);
        return advance->views.at("cities@1");
    }
    PartitionLife life;
    std::optional<ProgressUpdate> first;
};

}  // namespace

TEST_CASE("a view that is shed is recorded as such before anything is drained, and as long as the life lasts") {
    Resumed shed(recorded_at_four(3), kOneShed);
    CHECK(shed.first->views.at("cities@1").since == kSincePending);
    const ViewProgress later = shed.reach(9, 9000);
    CHECK(later.next == Offset{9});
    CHECK(later.clock == from_unix_ms(9000));
    CHECK(later.since == kSincePending);
    CHECK(later.watermark == kNow - 1s);  // what has arrived since then is not counted
    CHECK(shed.life.recorded() == Offset{9});
}

TEST_CASE("a view that was shed is counted since the clock of the first events that it has counted again") {
    ProgressRecord record = recorded_at_four(3);
    record.views["cities@1"].since = kSincePending;
    auto both = kOneShed;
    both[1].shed = false;
    Resumed resumed(record, both);
    CHECK(resumed.reach(6, 4000).since == kSincePending);
    const ViewProgress later = resumed.reach(8, 8000);
    CHECK(later.since == from_unix_ms(8000));
    CHECK(later.watermark > kNow - 1s);
}

TEST_CASE("and not before all offsets that former lives may have stored are passed") {
    ProgressRecord record = recorded_at_four(10);
    record.views["cities@1"].since = kSincePending;
    auto both = kOneShed;
    both[1].shed = false;
    Resumed resumed(record, both);
    CHECK(resumed.reach(8, 8000).since == kSincePending);
    CHECK(resumed.reach(10, 9000).since == kSincePending);
    CHECK(resumed.reach(12, 12'000).since == from_unix_ms(12'000));
}
