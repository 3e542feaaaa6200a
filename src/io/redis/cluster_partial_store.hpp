// The store of partials and progress records in a Redis Cluster: a progress record at each primary, in a slot
// of its own choosing, fences what goes there. A life begins with an epoch that all of them hold, and its calls
// are split by the primary that serves each entity.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "io/partial_store.hpp"
#include "io/redis/cluster_topology.hpp"
#include "model/fence.hpp"
#include "model/record_parts.hpp"

namespace freshet {

// `calls` that it answers and takes are its own count; those of each record are kept within.
class ClusterPartialStore final : public PartialStore {
public:
    // What it needs of a cluster.
    struct Access {
        std::string prefix;  // of keys
        std::function<SharedSlotMap()> map;
        std::function<void()> map_may_be_old;
        std::function<void()> ask_for_map;  // and wait for it
        std::function<std::unique_ptr<PartialStore>(const Endpoint& primary)> connect;
    };
    static Access access_to(RedisConfig config, std::shared_ptr<ClusterTopology> cluster);

    explicit ClusterPartialStore(Access access);
    ~ClusterPartialStore() override;

    // Errc::unavailable until every primary has taken the epoch.
    Result<TakenEpoch> take_epoch(const PartitionClaim& claim) override;
    // Each call goes to its primaries at the same time. One that has reached some of them only is unavailable,
    // and may be repeated whole.
    std::vector<Result<std::uint64_t>> write(std::span<const WriteCall> calls) override;
    Result<std::vector<LoadedPartial>> load(const Fence& fence, std::span<const PartialKey> keys) override;
    // Done when every primary has it. Errc::fenced, as with every call: the cluster has a primary, or one has
    // its record's slot no more, so that the life must begin again.
    Result<Advanced> advance(const Fence& fence, const ProgressUpdate& update) override;

private:
    // What this node holds of a partition.
    struct Life {
        Epoch epoch{};
        std::uint64_t calls = 0;
        std::map<Slot, std::uint64_t> acked;  // of each record
        std::vector<Slot> unnamed;            // records that no record names yet: they hold no views
        std::set<Slot> anew;                  // those that say more than their primary still holds
        std::uint64_t advances = 0;           // the number of the last one, of all lives
        bool rebuilds = false;                // what some primary has lost
        bool recorded = false;                // by an advance at all of them
    };
    // What is left of the last one that was recorded.
    struct Seen {
        std::map<Slot, std::uint64_t> calls;  // of each record
        Epoch epoch{};                        // the highest that this node has taken
        bool is_newest = false;               // no other node has taken one since
    };
    struct Taking;
    struct Pipeline;

    PartialStore& store_at(const Endpoint& primary);
    Result<TakenEpoch> take_all(Taking& taking);
    Result<void> find_records(Taking& taking);
    Result<std::vector<RecordPart>> placed(const Taking& taking);
    Result<void> make_missing(Taking& taking, std::span<const Slot> named);
    void begin_life(const Taking& taking, const TakenEpoch& whole, std::span<const RecordPart> parts);
    Result<void> raise_all(Taking& taking, TakenEpoch& whole);
    Result<void> take(Taking& taking, Slot slot, bool only_if_there, std::optional<Epoch> epoch);
    Life* life_of(const Fence& fence);
    // The record at the primary that serves `slot`.
    Result<Slot> record_for(const Life& life, const Partition& partition, Slot slot) const;
    Result<void> check_primaries(const Life& life, const Partition& partition) const;
    Result<void> advance_one(const Fence& fence, Life& life, Slot record, ProgressUpdate& update,
                             std::optional<Timestamp>& redis_now);
    Result<std::map<std::size_t, WriteCall>> split(const Life& life, const WriteCall& call) const;
    static void send_all(std::map<std::size_t, Pipeline>& pipelines);
    void take_results(const Pipeline& pipeline, std::vector<Result<void>>& outcomes);
    Slot slot_of_entity(const PartialKey& key) const;
    Fence fence_of(const Fence& fence, const Life& life, Slot record) const;
    Result<void> acked(const Fence& fence, Life& life, Slot record, std::uint64_t calls);
    std::optional<std::size_t> owner(Slot slot) const { return map_->owner_of(slot); }
    // For the call that begins; and when one has failed, perhaps because the map is out of date.
    void look_at_map();
    Error failed(const Error& error) const;

    const Access access_;
    SharedSlotMap map_;
    std::vector<SlotRanges> served_;                               // by each primary of it
    std::map<std::string, std::unique_ptr<PartialStore>> stores_;  // by address
    std::map<Partition, Life> lives_;
    std::map<Partition, Seen> seen_;
};

}  // namespace freshet
