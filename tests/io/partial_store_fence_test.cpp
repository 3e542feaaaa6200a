// The contract of the partial store, for the one in memory and the one in Redis alike: who may write, and the
// record.
#include "support/store_contract.hpp"

using namespace freshet;
using namespace freshet::test;

STORE_TEST("each call counts once, a load not at all") {
    Backend backend;
    Owner<Backend> owner(backend);
    CHECK(owner.fence.acked_calls == 1);
    const std::vector<WriteCall> calls = {{owner.fence, {put("a", head(1, ""))}},
                                          {owner.fence, {}},
                                          {owner.fence, {put("a", head(2, "")), put("b", head(2, ""))}}};
    const auto results = owner.store->write(calls);
    REQUIRE(results.size() == 3);
    for (std::size_t i = 0; i < 3; ++i) {
        REQUIRE(results[i]);
        CHECK(*results[i] == 2 + i);
    }
    CHECK(owner.head_of("a") == head(2, ""));
    const auto advanced = owner.store->advance(owner.fence, {12, {}, {}});
    REQUIRE(advanced);
    CHECK(advanced->calls == 5);
}

STORE_TEST("calls of a pipeline are refused one by one") {
    Backend backend;
    Owner<Backend> owner(backend);
    Fence ahead = owner.fence;
    ahead.acked_calls += 2;
    const auto results = owner.store->write(
        std::vector<WriteCall>{{ahead, {put("a", head(1, ""))}}, {owner.fence, {put("b", head(1, ""))}}});
    REQUIRE(results.size() == 2);
    REQUIRE_FALSE(results[0]);
    CHECK(results[0].error().code == Errc::lost_writes);
    CHECK(results[1]);
    CHECK_FALSE(owner.head_of("a"));
    CHECK(owner.head_of("b"));
}

STORE_TEST("taking an epoch never hides a partition: the taker may have counted before the topic grew") {
    Backend backend;
    auto store = backend.connect();
    REQUIRE(store->take_epoch(kClaim));
    PartitionClaim behind = kClaim;
    behind.partitions = kClaim.partitions - 4;
    REQUIRE(store->take_epoch(behind));
    CHECK(record_of(backend).partitions == kClaim.partitions);
}

STORE_TEST("a first epoch is the server's time, and each further one is higher") {
    Backend backend;
    auto store = backend.connect();
    const auto first = store->take_epoch(kClaim);
    REQUIRE(first);
    CHECK_FALSE(first->before);
    CHECK(first->calls == 1);
    CHECK(first->epoch.value == static_cast<std::uint64_t>(unix_ms(first->redis_now)));
    PartitionClaim other = kClaim;
    other.node = "node-b";
    other.partitions = 24;
    const auto second = store->take_epoch(other);
    REQUIRE(second);
    CHECK(second->epoch > first->epoch);
    CHECK(second->calls == 2);
    REQUIRE(second->before);
    CHECK(*second->before ==
          ProgressRecord{first->epoch, "node-a", LogIdentity{}, 1, 12, "cluster-1", "group-1", {}});
    const ProgressRecord now = record_of(backend);
    CHECK(now.node == "node-b");
    CHECK(now.partitions == 24);
}

STORE_TEST("another cluster's or group's record is shown and left as it is") {
    Backend backend;
    Owner<Backend> owner(backend);
    owner.advance({{kView, progress_at(7)}});
    for (const auto& [cluster, group] : {std::pair{"cluster-2", "group-1"}, {"cluster-1", "group-2"}}) {
        PartitionClaim foreign = kClaim;
        foreign.node = "intruder";
        foreign.kafka_cluster = cluster;
        foreign.group = group;
        const auto taken = backend.connect()->take_epoch(foreign);
        REQUIRE(taken);
        REQUIRE(taken->before);
        CHECK(taken->before->kafka_cluster == "cluster-1");
        CHECK(taken->before->group == "group-1");
        CHECK(taken->epoch == owner.fence.epoch);
        CHECK(taken->calls == owner.fence.acked_calls);
    }
    CHECK(owner.write({put("a", head(1, ""))}));
    CHECK(record_of(backend).node == "node-a");
}

STORE_TEST("who lost the partition to a higher epoch is fenced") {
    Backend backend;
    Owner<Backend> owner(backend);
    Owner<Backend> successor(backend);
    CHECK(refusal(backend, owner) == Errc::fenced);
}

STORE_TEST("a record that is gone or fell back to a lower epoch is lost writes") {
    Backend backend;
    Owner<Backend> former(backend);
    const auto snapshot = backend.snapshot();
    Owner<Backend> owner(backend);
    SUBCASE("gone") { backend.flush_all(); }
    SUBCASE("fallen back") { backend.restore(snapshot); }
    CHECK(refusal(backend, owner) == Errc::lost_writes);
}

STORE_TEST("a record with fewer calls than were acked is lost writes") {
    Backend backend;
    Owner<Backend> owner(backend);
    REQUIRE(owner.write({put("a", head(1, "kept"))}));
    const auto snapshot = backend.snapshot();
    REQUIRE(owner.write({put("a", head(2, "lost"))}));
    backend.restore(snapshot);
    CHECK(refusal(backend, owner) == Errc::lost_writes);
}

STORE_TEST("a record with more calls than were acked is accepted") {
    Backend backend;
    Owner<Backend> owner(backend);
    const Fence before = owner.fence;
    REQUIRE(owner.write({put("a", head(1, ""))}));
    owner.fence = before;  // its answer was lost: the same call again
    const auto again = owner.write({put("a", head(1, ""))});
    REQUIRE(again);
    CHECK(*again == before.acked_calls + 2);
}

STORE_TEST("progress comes back as it was advanced to, and other views stay") {
    Backend backend;
    Owner<Backend> owner(backend);
    ViewProgress pending = progress_at(0);
    pending.clock.reset();
    pending.since = kSincePending;
    ViewProgress full = progress_at(1L << 52);
    full.clock = from_unix_ms(-5);
    full.watermark = from_unix_ms(1'790'000'000'123);
    full.since = from_unix_ms(17);
    full.features["mean_1h"] = {7, from_unix_ms(18)};
    owner.advance({{"other@3", pending}, {kView, full}}, 12);
    owner.advance({{kView, full}, {"new@1", progress_at(4)}}, 16);

    const ProgressRecord record = record_of(backend);
    CHECK(record.views ==
          std::map<std::string, ViewProgress>{{"other@3", pending}, {kView, full}, {"new@1", progress_at(4)}});
    CHECK(record.partitions == 16);
    CHECK(record.epoch == owner.fence.epoch);
    CHECK(record.calls == owner.fence.acked_calls);
}

STORE_TEST("layouts are recorded beside the views, and stay when an advance names none") {
    Backend backend;
    Owner<Backend> owner(backend);
    const std::map<std::string, std::string> layouts = {{kView, "a b"}, {"other@1", "c"}};
    const auto advanced = owner.store->advance(owner.fence, {12, {}, {{kView, progress_at(4)}}, layouts});
    REQUIRE(advanced);
    owner.fence.acked_calls = advanced->calls;
    owner.advance({{kView, progress_at(5)}});
    const ProgressRecord record = record_of(backend);
    CHECK(record.layouts == layouts);
    CHECK(record.views.at(kView) == progress_at(5));
}

STORE_TEST("a late copy of an older advance moves no view back") {
    Backend backend;
    Owner<Backend> owner(backend);
    const Fence before = owner.fence;
    owner.advance({{kView, progress_at(9)}, {"other@1", progress_at(10)}});
    const auto late =
        owner.store->advance(before, {12, {}, {{kView, progress_at(10)}, {"other@1", progress_at(9)}}});
    CHECK(late);
    const ProgressRecord record = record_of(backend);
    CHECK(record.views.at(kView) == progress_at(10));
    CHECK(record.views.at("other@1") == progress_at(10));
}

STORE_TEST(
    "what a record covers changes when the life is where the record is, and but for what has left not before") {
    Backend backend;
    Owner<Backend> owner(backend);
    const auto advance = [&](std::int64_t next, std::uint64_t number, bool rebuilds, bool anew) {
        ProgressUpdate update{12, {}, {{kView, progress_at(next)}}};
        update.slots = {5};
        update.covers = {{0, static_cast<RecordSlot>(number)}};
        update.advance = number;
        update.rebuilds = rebuilds;
        update.anew = anew;
        REQUIRE(owner.store->advance(owner.fence, update));
        return record_of(backend);
    };
    const auto next_life = [&] { owner = Owner<Backend>(backend); };
    ProgressRecord record = advance(10, 1, false, false);
    CHECK(record.slots == std::vector<RecordSlot>{5});
    CHECK(record.covers == SlotRanges{{0, 1}});
    next_life();
    record = advance(4, 2, true, false);  // goes back for what another primary lost
    CHECK(record.views.at(kView) == progress_at(10));
    CHECK(record.covers == SlotRanges{{0, 1}});
    CHECK(record.advance == 1);
    CHECK(record.rebuilds);
    next_life();
    record = advance(4, 0, true, false);  // slot 1 has left
    CHECK(record.covers == SlotRanges{{0, 0}});
    CHECK(record.advance == 1);
    next_life();
    record = advance(10, 3, true, false);
    CHECK(record.covers == SlotRanges{{0, 3}});
    CHECK(record.advance == 3);
    CHECK_FALSE(record.rebuilds);
    next_life();
    record = advance(4, 4, true, true);  // this one has lost it
    CHECK(record.views.at(kView) == progress_at(4));
    CHECK(record.covers == SlotRanges{{0, 4}});
    CHECK_FALSE(record.rebuilds);
}

STORE_TEST("what was read is marked with the write, and a late copy of an older write unmarks nothing") {
    Backend backend;
    Owner<Backend> owner(backend);
    const LogMark first{Offset{0}, from_unix_ms(6), 5};
    const LogMark older{Offset{3}, from_unix_ms(7), 1}, newer{Offset{9}, from_unix_ms(8), 2};
    const std::vector<WriteCall> calls{{owner.fence, {put("a", head(9, "x"))}, MarkedSpan{first, newer}},
                                       {owner.fence, {put("a", head(3, "y"))}, MarkedSpan{first, older}}};
    for (const auto& result : owner.store->write(calls)) REQUIRE(result);
    CHECK(record_of(backend).log.marks == std::vector<LogMark>{first, newer});
}

STORE_TEST("a new generation replaces the record of the log and takes the views back, once") {
    Backend backend;
    Owner<Backend> owner(backend);
    const LogIdentity old{Generation{0}, Offset{0}, Offset{0}, {{Offset{3}, from_unix_ms(7), 1}}};
    const LogIdentity anew{Generation{1}, Offset{2}, Offset{1}, {}};
    ViewProgress back = progress_at(2);
    back.generation = Generation{1};
    owner.advance({{kView, progress_at(9)}, {"other@1", progress_at(8)}}, 12, old);
    const WriteCall write{owner.fence,
                          {put("a", head(9, "x"))},
                          MarkedSpan{{Offset{3}, from_unix_ms(7), 1}, {Offset{9}, from_unix_ms(8), 2}}};
    REQUIRE(owner.store->write(std::span(&write, 1)).front());
    const Fence before = owner.fence;
    owner.advance({{kView, back}}, 12, anew);
    REQUIRE(owner.store->advance(before, {12, old, {{kView, progress_at(9)}}}));  // a late copy
    const ProgressRecord record = record_of(backend);
    CHECK(record.log == anew);
    CHECK(record.views.at(kView) == back);
    CHECK(record.views.at("other@1") == progress_at(8));
}

STORE_TEST("marks of a late copy of an older advance change nothing") {
    Backend backend;
    Owner<Backend> owner(backend);
    const LogIdentity older{Generation{0}, Offset{0}, Offset{0}, {{Offset{3}, from_unix_ms(-7), 0xabcdef}}};
    LogIdentity newer = older;
    newer.marks.push_back({Offset{12}, from_unix_ms(8), 2});
    const Fence before = owner.fence;
    owner.advance({{kView, progress_at(13)}}, 12, newer);
    REQUIRE(owner.store->advance(before, {12, older, {{kView, progress_at(4)}}}));
    CHECK(record_of(backend).log == newer);
    CHECK(record_of(backend).views.at(kView) == progress_at(13));
}
