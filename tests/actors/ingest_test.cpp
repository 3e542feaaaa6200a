#include "actors/ingest_fixture.hpp"

using namespace freshet;
using namespace freshet::test;
using namespace std::chrono_literals;
using Values = std::pair<std::int64_t, std::int64_t>;

namespace {
constexpr std::int64_t kT = IngestFixture::kStart;
}

TEST_CASE("events are counted once, recorded, and then committed") {
    IngestFixture node;
    for (int i = 0; i < 100; ++i) node.order(i % 2 ? "north" : "south", i, kT + i);
    node.assign();
    CHECK(node.recorded() == 100);
    CHECK(node.stored("north", kT + 100) == Values(50, 2500));
    CHECK(node.stored("south", kT + 100) == Values(50, 2450));
    node.advance(2s);
    CHECK(node.log->committed_of(node.partition) == Offset{100});
}

TEST_CASE("events that arrive later are counted as they come") {
    IngestFixture node;
    node.assign();
    node.order("north", 1, kT);
    node.settle();
    CHECK(node.stored("north", kT) == Values(1, 1));
    CHECK(node.metric("freshet_event_readable_seconds_count") == 1);
    node.server->set_down(true);
    node.order("north", 2, kT + 1);
    node.settle();
    CHECK(node.metric("freshet_event_readable_seconds_count") == 1);  // nobody can see it yet
    node.server->set_down(false);
    node.advance(1s);
    CHECK(node.metric("freshet_event_readable_seconds_count") == 2);
    CHECK(node.stored("north", kT + 1) == Values(2, 3));
    CHECK(node.recorded() == 2);
}

TEST_CASE("twice the aggregators give the same values") {
    IngestFixture node(2);
    for (int i = 0; i < 100; ++i) node.order("s" + std::to_string(i % 7), i, kT + i);
    node.assign();
    CHECK(node.recorded() == 100);
    CHECK(node.stored("s3", kT + 100) == Values(14, 14 * 3 + 7 * 91));
}

TEST_CASE("a flush waits for the end of a backlog, and what waited is stored then") {
    constexpr int kBatch = IngestConfig{}.batch_events;
    for (const int events : {kBatch + 1, 2 * kBatch, 5 * kBatch - 1}) {
        CAPTURE(events);
        IngestFixture node;
        for (int i = 0; i < events; ++i) node.order("north", 1, kT + i);
        node.assign();
        CHECK(node.recorded() == events);
        CHECK(node.stored("north", kT + events) == Values(events, events));
        // The epoch, the record as it begins and once the log's end is known, one write, the record at the end.
        CHECK(node.calls() == 5);
    }
}

TEST_CASE("a backlog longer than the credit is stored in parts") {
    IngestConfig limits;
    limits.batch_events = 100;
    limits.max_inflight_events = 400;
    IngestFixture node(limits);
    for (int i = 0; i < 2500; ++i) node.order(i % 2 ? "north" : "south", 1, kT + i);
    node.assign();
    CHECK(node.recorded() == 2500);
    CHECK(node.stored("north", kT + 2500) == Values(1250, 1250));
    CHECK(node.calls() > 8);
    CHECK(node.calls() < 40);
}

TEST_CASE("a node short of memory forgets resting entities and loads them again, and counts the same") {
    IngestConfig limits;
    limits.memory_limit = 1'000'000;
    IngestFixture node(limits);
    node.assign();
    constexpr int kStores = 4000;
    for (int round = 0; round < 4; ++round) {
        for (int i = 0; i < kStores; ++i) node.order("store-" + std::to_string(i), i, kT + round);
        node.settle();
    }
    CHECK(node.recorded() == 4 * kStores);
    CHECK(node.metric("freshet_evicted_entities_total") > kStores);
    CHECK(node.metric("freshet_loaded_entities_total") > 2 * kStores);
    CHECK(node.metric("freshet_memory_bytes") < 1'000'000);
    for (int i = 0; i < kStores; i += 97)
        CHECK(node.stored("store-" + std::to_string(i), kT + 4) == Values(4, 4 * i));
}

TEST_CASE("a partition without events gives back memory that others need") {
    IngestConfig limits;
    limits.memory_limit = 1'000'000;
    IngestFixture node(limits);
    for (int i = 0; i < 1000; ++i) node.order("store-" + std::to_string(i), 1, kT);
    node.assign();
    REQUIRE(node.recorded() == 1000);
    const std::size_t before = node.memory->used();
    MemoryBudget::Share other(node.memory);
    other.set(MemoryBudget::handed_out(1'000'000));
    node.advance(5s);
    CHECK(node.memory->used() < other.bytes() + before / 2);
    other.set(0);
    node.order("store-1", 1, kT);
    node.settle();
    CHECK(node.stored("store-1", kT) == Values(2, 2));
}

TEST_CASE("one hot entity stays within the memory limit, though the store is stuck for a while") {
    IngestConfig limits;
    limits.memory_limit = 1'000'000;
    IngestFixture node(limits);
    constexpr int kEvents = 100'000;
    for (int i = 0; i < kEvents; ++i) node.order("north", 1, kT + i);
    node.assign();
    CHECK(node.recorded() == kEvents);
    node.server->set_down(true);
    for (int i = 0; i < kEvents; ++i) node.order("north", 1, kT + kEvents + i);
    node.settle();
    CHECK(node.recorded() == kEvents);
    node.server->set_down(false);
    node.advance(5s);
    CHECK(node.recorded() == 2 * kEvents);
    CHECK(node.stored("north", kT + 2 * kEvents) == Values(2 * kEvents, 2 * kEvents));
    CHECK(node.most_memory < 1'000'000);
}

TEST_CASE("events near Kafka's limit of a message stay within the memory limit, and each is counted") {
    IngestConfig limits;
    limits.memory_limit = 64 << 20;
    IngestFixture node(limits);
    constexpr int kEvents = 100;
    const std::string huge(900'000, 'x');
    for (int i = 0; i < kEvents; ++i) node.order(huge + std::to_string(i % 50), 1, kT);
    node.assign();
    node.server->set_down(true);
    node.advance(1s);
    node.server->set_down(false);
    node.advance(5s);
    CHECK(node.recorded() == kEvents);
    CHECK(node.most_memory < 64 << 20);
    CHECK(node.metric("freshet_evicted_entities_total") > 0);
    for (int i = 0; i < 50; i += 7) CHECK(node.stored(huge + std::to_string(i), kT) == Values(2, 2));
}

TEST_CASE("a store that is stuck holds the reading up before memory runs out") {
    IngestConfig limits;
    limits.batch_events = 100;
    limits.memory_limit = 1'000'000;
    IngestFixture node(limits);
    node.assign();
    node.server->set_down(true);
    for (int i = 0; i < 20'000; ++i) node.order("store-" + std::to_string(i), 1, kT);
    node.settle();
    CHECK(node.metric("freshet_memory_bytes") < 1'000'000);
    CHECK(node.metric("freshet_events_read_total") < 20'000);
    node.server->set_down(false);
    node.advance(5s);
    CHECK(node.recorded() == 20'000);
    CHECK(node.most_memory < 1'000'000);
    for (int i = 0; i < 20'000; i += 397) CHECK(node.stored("store-" + std::to_string(i), kT) == Values(1, 1));
}

TEST_CASE("huge events are read a few at a time") {
    IngestConfig limits;
    limits.max_inflight_bytes = 256 << 10;
    IngestFixture node(limits);
    node.server->set_down(true);
    const std::string huge(50'000, 'x');
    for (int i = 0; i < 200; ++i) node.order(huge + std::to_string(i), 1, kT);
    node.assign();
    node.server->set_down(false);
    node.advance(100ms);
    node.server->set_down(true);
    for (int i = 200; i < 400; ++i) node.order(huge + std::to_string(i), 1, kT);
    node.advance(5s);
    // What 200 events hold would be 20 MB: the events, and the entities that wait for them.
    CHECK(node.metric("freshet_events_read_total") < 220);
    node.server->set_down(false);
    node.advance(5s);
    CHECK(node.recorded() == 400);
}

TEST_CASE("a store that is down is waited for, and nothing is lost or doubled") {
    IngestFixture node;
    node.assign();
    node.server->set_down(true);
    for (int i = 0; i < 10; ++i) node.order("north", 1, kT + i);
    node.settle();
    CHECK(node.recorded() == 0);
    node.advance(3s);
    node.server->set_down(false);
    node.advance(3s);
    CHECK(node.recorded() == 10);
    CHECK(node.stored("north", kT + 10) == Values(10, 10));
}

TEST_CASE("a call that was applied but not answered is repeated without counting twice") {
    for (std::size_t call = 0; call < 6; ++call) {
        CAPTURE(call);
        IngestFixture node;
        node.order("north", 5, kT);
        node.server->fail_call(MemoryServer::Fault::after_applying, call);
        node.assign();
        node.order("north", 7, kT + 1);
        node.advance(5s);
        CHECK(node.recorded() == 2);
        CHECK(node.stored("north", kT + 1) == Values(2, 12));
    }
}

TEST_CASE("a store restored from an older snapshot is noticed and fed again from its record") {
    IngestFixture node;
    node.assign();
    node.order("north", 1, kT);
    node.settle();
    const auto snapshot = node.server->snapshot();
    for (int i = 1; i < 20; ++i) node.order("north", 1, kT + i);
    node.settle();
    CHECK(node.recorded() == 20);
    node.server->restore(snapshot);
    node.order("north", 1, kT + 20);
    node.advance(3s);
    CHECK(node.recorded() == 21);
    CHECK(node.stored("north", kT + 20) == Values(21, 21));
    CHECK(node.log->starts() == 2);
    CHECK(node.cut("lost_writes") == 1);
}

TEST_CASE("a partition that the group took away is counted as lost, and gives its memory back") {
    IngestFixture node;
    node.assign();
    node.server->set_down(true);
    for (int i = 0; i < 5000; ++i) node.order("store-" + std::to_string(i), 1, kT);
    node.settle();
    CHECK(node.memory->used() > 0);
    CHECK(node.revoke(true));
    CHECK(node.cut("lost") == 1);
    node.server->set_down(false);
    node.advance(3s);
    CHECK(node.memory->used() == 0);
    CHECK(node.metric("freshet_partition_lag_events") == 0);
    node.assign();
    node.advance(3s);
    CHECK(node.recorded() == 5000);
    CHECK(node.stored("store-7", kT) == Values(1, 1));
}

TEST_CASE("a store that was emptied is noticed while idle and rebuilt from the log") {
    IngestFixture node;
    for (int i = 0; i < 20; ++i) node.order("north", 1, kT + i);
    node.assign();
    node.advance(3s);
    node.server->flush_all();
    node.advance(5s);
    CHECK(node.recorded() == 20);
    CHECK(node.stored("north", kT + 20) == Values(20, 20));
}

TEST_CASE("a higher epoch in the store ends the life, and nothing of it is written") {
    IngestFixture node;
    node.assign();
    node.order("north", 1, kT);
    node.settle();
    MemoryPartialStore other(node.server);
    const auto taken = other.take_epoch({node.partition, "node-2", "memory", "freshet", 1});
    REQUIRE(taken);
    node.order("north", 1, kT + 1);
    node.settle();
    CHECK(node.stored("north", kT + 1) == Values(1, 1));
    // The partition is still assigned to this node, so it takes a higher epoch after the back-off.
    node.advance(3s);
    CHECK(node.stored("north", kT + 1) == Values(2, 2));
    CHECK(node.server->snapshot().record(node.partition).epoch > taken->epoch);
}

TEST_CASE("an unacked dead letter holds the record and the commit back") {
    IngestFixture node;
    node.order("north", 1, kT);
    node.broken_order();
    node.order("north", 1, kT + 1);
    node.assign();
    REQUIRE(node.letters->records.size() == 1);
    CHECK(node.letters->records[0].offset == Offset{1});
    CHECK(node.letters->records[0].value == "{");
    CHECK(node.letters->records[0].reason == "malformed");
    CHECK(node.stored("north", kT + 1) == Values(2, 2));
    CHECK(node.recorded() == 0);
    node.letters->ack_all();
    node.settle();
    CHECK(node.recorded() == 3);
}

TEST_CASE("a revoked partition is flushed, recorded and committed before it is released") {
    IngestFixture node;
    node.assign();
    for (int i = 0; i < 10; ++i) node.order("north", 1, kT + i);
    CHECK(node.revoke());
    CHECK(node.recorded() == node.log->committed_of(node.partition)->value);
    const auto before = node.recorded();
    node.order("north", 1, kT + 20);
    node.advance(3s);
    CHECK(node.recorded() == before);
    node.assign();
    CHECK(node.recorded() == 11);
    CHECK(node.stored("north", kT + 20) == Values(11, 11));
}

TEST_CASE("a watermark appears once the asked end is reached") {
    IngestFixture node;
    node.order("north", 1, kT);
    node.assign();
    node.advance(3s);
    CHECK(node.server->snapshot().record(node.partition).views.at("store_orders@1").watermark.has_value());
}

TEST_CASE("a topic that was made anew is counted under a new origin, and what was counted stays") {
    IngestFixture node;
    for (int i = 0; i < 20; ++i) node.order("north", 1, kT + i);
    node.assign();
    node.log->make_anew(node.partition);
    for (int i = 0; i < 3; ++i) node.order("north", 100, kT + 30 + i);
    node.advance(5s);
    CHECK(node.recorded() == 3);
    CHECK(node.progress().generation == Generation{1});
    CHECK(node.progress().since == from_unix_ms(kT + 32));
    CHECK(node.stored("north", kT + 40) == Values(23, 320));
}

TEST_CASE("a topic made anew while nobody looked is noticed though it has grown as long again") {
    IngestFixture node;
    for (int i = 0; i < 20; ++i) node.order("north", 1, kT + i);
    node.assign();
    CHECK(node.revoke());
    node.log->make_anew(node.partition);
    for (int i = 0; i < 40; ++i) node.order("north", 100, kT + 30 + i);
    node.assign();
    CHECK(node.recorded() == 40);
    CHECK(node.progress().generation == Generation{1});
    CHECK(node.stored("north", kT + 80) == Values(60, 4020));
}

TEST_CASE("a truncated log goes on from its end under a new origin, incomplete") {
    IngestFixture node;
    for (int i = 0; i < 2000; ++i) node.order("north", 1, kT + i);
    node.assign();
    node.log->truncate(node.partition, Offset{1100});
    node.order("north", 1, kT + 3000);  // at an offset that has been counted
    node.advance(5s);
    CHECK(node.recorded() == 1101);
    CHECK(node.progress().since == kSincePending);
    node.order("north", 1, kT + 4000);
    node.settle();
    CHECK(node.progress().generation == Generation{1});
    CHECK(node.progress().since == from_unix_ms(kT + 4000));
    CHECK(node.stored("north", kT + 4000) == Values(2001, 2001));
}

TEST_CASE("another deployment's record is refused and left alone") {
    IngestFixture node;
    MemoryPartialStore other(node.server);
    REQUIRE(other.take_epoch({node.partition, "node-2", "another cluster", "freshet", 1}));
    const auto before = node.server->snapshot().record(node.partition);
    node.assign();
    REQUIRE(node.refused.size() == 1);
    CHECK(node.refused[0].message.find("another redis.prefix") != std::string::npos);
    CHECK(node.server->snapshot().record(node.partition) == before);
}
