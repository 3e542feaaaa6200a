#include "io/redis/cluster_partial_store.hpp"

#include <doctest/doctest.h>

#include "support/redis_cluster.hpp"
#include "support/store_contract.hpp"

using namespace freshet;
using namespace freshet::test;

namespace {

// A cluster of three, and nodes that write to it.
struct ClusterStores {
    RedisCluster cluster{3};

    std::unique_ptr<PartialStore> connect() {
        auto topology = ClusterTopology::open(cluster.config());
        REQUIRE_MESSAGE(topology, (topology ? "" : topology.error().message));
        return std::make_unique<ClusterPartialStore>(
            ClusterPartialStore::access_to(cluster.config(), *topology));
    }
    // Of kView.
    static Slot slot(const std::string& entity) { return slot_of(head_key("fs:", kView, entity)); }
    std::string entity_at(std::size_t node) {
        for (int i = 0;; ++i) {
            const std::string entity = "e" + std::to_string(i);
            if (slot(entity) >= kSlots * node / 3 && slot(entity) < kSlots * (node + 1) / 3) return entity;
        }
    }
    // Where a record stands by itself: the last slot of a primary, or the first record slot.
    static Slot record_slot_at(std::size_t node) {
        return node == 2 ? kFirstRecordSlot : static_cast<Slot>(kSlots * (node + 1) / 3 - 1);
    }
    std::string record_key_at(Slot slot) { return record_key("fs:", kPartition, tag_of(slot)); }
    std::string recorded(std::size_t node, const std::string& field) {
        return std::string(cluster.run(node, {"HGET", record_key_at(record_slot_at(node)), field}).text());
    }
};
using ClusterOwner = Owner<ClusterStores>;

std::vector<PartialWrite> everywhere(ClusterStores& f, std::uint64_t offset, const std::string& bytes) {
    std::vector<PartialWrite> writes;
    for (std::size_t node = 0; node < 3; ++node)
        writes.push_back(put(f.entity_at(node), head(offset, bytes), {{kOrigin + ".60.1", bytes}}));
    return writes;
}

// What the first answer is that is not `unavailable`: the map may be out of date until then.
template <class Call>
Result<std::uint64_t> settled(Call&& call) {
    Result<std::uint64_t> result = call();
    RedisCluster::wait_until("the store answers", [&] {
        if (result || result.error().code != Errc::unavailable) return true;
        result = call();
        return false;
    });
    return result;
}

Errc refusal_of(ClusterOwner& owner, const std::string& entity) {
    const auto written = settled([&] { return owner.write({put(entity, head(1'000, "refused"))}); });
    REQUIRE_FALSE(written);
    return written.error().code;
}

TakenEpoch taken_by(ClusterStores& f) {
    const auto store = f.connect();
    const auto taken = store->take_epoch(kClaim);
    REQUIRE_MESSAGE(taken, (taken ? "" : taken.error().message));
    return *taken;
}

}  // namespace

TEST_CASE("what is written stands at the primaries that serve it, under one epoch that all hold") {
    ClusterStores f;
    ClusterOwner owner(f);
    REQUIRE(owner.write(everywhere(f, 9, "first")));
    owner.advance({{kView, progress_at(10)}});
    REQUIRE(owner.write(everywhere(f, 12, "second")));
    for (std::size_t node = 0; node < 3; ++node) {
        const LoadedPartial loaded = owner.load(f.entity_at(node));
        CHECK(loaded.head == head(12, "second"));
        CHECK(has_chunks(loaded, {{kOrigin + ".60.1", "second"}}));
        CHECK(f.recorded(node, "epoch") == std::to_string(owner.fence.epoch.value));
        CHECK(f.recorded(node, "slots") == "5460 10921 13907");
        CHECK(f.cluster.run(node, {"EXISTS", head_key("fs:", kView, f.entity_at(node))}).integer() == 1);
    }
    const TakenEpoch next = taken_by(f);
    CHECK(next.epoch > owner.fence.epoch);
    REQUIRE(next.before);
    CHECK(next.before->views.at(kView) == progress_at(10));
    CHECK_FALSE(next.before->lost_part);
}

TEST_CASE("a later epoch fences an older owner at every primary") {
    ClusterStores f;
    ClusterOwner first(f), second(f);
    CHECK(second.fence.epoch > first.fence.epoch);
    for (std::size_t node = 0; node < 3; ++node) CHECK(refusal_of(first, f.entity_at(node)) == Errc::fenced);
    CHECK(second.write(everywhere(f, 1, "mine")));
}

TEST_CASE("a primary that fell back is noticed by the next call there, and the lowest record counts") {
    ClusterStores f;
    ClusterOwner owner(f);
    owner.advance({{kView, progress_at(10)}});
    const std::string before = f.record_key_at(f.record_slot_at(1));
    const std::string snapshot(f.cluster.run(1, {"DUMP", before}).text());
    REQUIRE(owner.write(everywhere(f, 20, "lost")));
    owner.advance({{kView, progress_at(21)}});
    f.cluster.run(1, {"RESTORE", before, "0", snapshot, "REPLACE"});
    CHECK(owner.write({put(f.entity_at(0), head(22, "kept"))}));
    CHECK(refusal_of(owner, f.entity_at(1)) == Errc::lost_writes);
    ClusterOwner next(f);
    CHECK(taken_by(f).before->views.at(kView) == progress_at(10));
}

TEST_CASE("a primary that was emptied is not taken for a new one") {
    ClusterStores f;
    ClusterOwner owner(f);
    REQUIRE(owner.write(everywhere(f, 9, "first")));
    owner.advance({{kView, progress_at(10)}});
    f.cluster.run(0, {"FLUSHALL"});
    CHECK(refusal_of(owner, f.entity_at(0)) == Errc::lost_writes);
    const TakenEpoch next = taken_by(f);
    REQUIRE(next.before);
    CHECK(next.before->lost_part);
    CHECK(next.before->views.at(kView) == progress_at(10));
}

TEST_CASE("entities of a slot that moves between primaries are written at their new place, in the same life") {
    ClusterStores f;
    ClusterOwner owner(f);
    const std::string entity = f.entity_at(0);
    REQUIRE(owner.write(everywhere(f, 9, "first")));
    f.cluster.begin_move(f.slot(entity), 0, 1);
    CHECK(owner.write(everywhere(f, 10, "while it moves")));
    f.cluster.move_key(head_key("fs:", kView, entity), 0, 1);
    const auto parted = owner.write(everywhere(f, 11, "parted"));
    REQUIRE_FALSE(parted);
    CHECK(parted.error().code == Errc::unavailable);
    f.cluster.move_keys(f.slot(entity), 0, 1);
    f.cluster.end_move(f.slot(entity), 1);
    CHECK(settled([&] { return owner.write(everywhere(f, 11, "moved")); }));
    const LoadedPartial loaded = owner.load(entity);
    CHECK(loaded.head == head(11, "moved"));
    CHECK(has_chunks(loaded, {{kOrigin + ".60.1", "moved"}}));
}

TEST_CASE("a primary that comes back with a copy from before it received a slot has lost the slot") {
    ClusterStores f;
    ClusterOwner owner(f);
    const std::string entity = f.entity_at(0);
    const std::string record = f.record_key_at(f.record_slot_at(1));
    REQUIRE(owner.write(everywhere(f, 9, "first")));
    owner.advance({{kView, progress_at(10)}});
    CHECK(f.recorded(1, "covers") == "5461-10921");
    const std::string copy(f.cluster.run(1, {"DUMP", record}).text());
    f.cluster.move_slot(f.slot(entity), 0, 1);
    REQUIRE(settled([&] { return owner.write(everywhere(f, 11, "moved")); }));
    owner.advance({{kView, progress_at(12)}});
    const std::string slot = std::to_string(f.slot(entity));
    CHECK(f.recorded(1, "covers") == slot + "-" + slot + " 5461-10921");
    f.cluster.run(1, {"RESTORE", record, "0", copy, "REPLACE"});
    f.cluster.run(1, {"DEL", head_key("fs:", kView, entity)});
    CHECK(refusal_of(owner, f.entity_at(1)) == Errc::lost_writes);
    ClusterOwner next(f);
    next.advance({{kView, progress_at(0)}});
    CHECK(f.recorded(0, "rebuilds") == "1");
    CHECK(taken_by(f).before->lost_part);  // not before all is counted again
    ClusterOwner last(f);
    last.advance({{kView, progress_at(12)}});
    CHECK(f.recorded(0, "rebuilds") == "0");
    CHECK_FALSE(taken_by(f).before->lost_part);
}

TEST_CASE("a new primary gets a record with the next life, and nothing is taken for lost") {
    ClusterStores f;
    ClusterOwner owner(f);
    const std::string entity = f.entity_at(0);
    REQUIRE(owner.write(everywhere(f, 9, "first")));
    owner.advance({{kView, progress_at(10)}});
    const std::size_t added = f.cluster.add_node();
    f.cluster.move_slot(f.slot(entity), 0, added);
    CHECK(refusal_of(owner, entity) == Errc::fenced);
    ClusterOwner next(f);
    REQUIRE(next.write(everywhere(f, 10, "second")));
    next.advance({{kView, progress_at(11)}});
    CHECK(next.head_of(entity) == head(10, "second"));
    CHECK(f.cluster.run(added, {"EXISTS", f.record_key_at(f.slot(entity))}).integer() == 1);
    const TakenEpoch last = taken_by(f);
    CHECK_FALSE(last.before->lost_part);
    CHECK(last.before->slots.size() == 4);
}

TEST_CASE("a record whose slot moves ends the life, and both primaries go on with one each") {
    ClusterStores f;
    ClusterOwner owner(f);
    owner.advance({{kView, progress_at(10)}});
    f.cluster.move_slot(f.record_slot_at(0), 0, 1);
    CHECK(refusal_of(owner, f.entity_at(0)) == Errc::fenced);
    ClusterOwner next(f);
    CHECK(next.write(everywhere(f, 10, "second")));
    next.advance({{kView, progress_at(11)}});
    const TakenEpoch last = taken_by(f);
    CHECK_FALSE(last.before->lost_part);
    CHECK(last.before->views.at(kView) == progress_at(11));
}

TEST_CASE("a primary that is down keeps a life from beginning, and takes part when it is back") {
    ClusterStores f;
    const auto store = f.connect();
    f.cluster.stop(1);
    const auto taken = store->take_epoch(kClaim);
    REQUIRE_FALSE(taken);
    CHECK(taken.error().code == Errc::unavailable);
    f.cluster.restart(1);
    RedisCluster::wait_until("the epoch is taken", [&] { return bool(store->take_epoch(kClaim)); });
}

TEST_CASE("a record of another deployment is handed back as it is") {
    ClusterStores f;
    ClusterOwner owner(f);
    owner.advance({{kView, progress_at(10)}});
    PartitionClaim foreign = kClaim;
    foreign.group = "another";
    const auto store = f.connect();
    const auto taken = store->take_epoch(foreign);
    REQUIRE(taken);
    REQUIRE(taken->before);
    CHECK(taken->before->group == kClaim.group);
    CHECK(owner.write(everywhere(f, 11, "still mine")));
}
