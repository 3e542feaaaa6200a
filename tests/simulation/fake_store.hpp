// Redis as the protocol sees it: records by record_rules, partials as copies, and the same order of checks as
// the scripts.
#pragma once

#include <array>
#include <map>
#include <memory>
#include <optional>
#include <variant>
#include <vector>

#include "counts.hpp"
#include "model/copied_store.hpp"
#include "model/entity_table.hpp"
#include "model/record_rules.hpp"
#include "plan.hpp"

namespace freshet::simulation {

using Chunks = std::map<EntityWindows::ChunkId, std::shared_ptr<const Chunk>>;

struct StoredPartial {
    Generation generation;
    std::size_t partition;
    std::shared_ptr<const Head> head;
    std::shared_ptr<const Chunks> chunks;
};
struct StoredEntity {
    std::vector<StoredPartial> origins;
    std::optional<Timestamp> expire_at;
};
struct StoreState {
    std::array<std::optional<ProgressRecord>, kMostPartitions> records;
    std::array<std::array<StoredEntity, kEntities>, kViews> entities;
};

struct PartialWrite {
    std::size_t view;
    std::size_t entity;
    std::shared_ptr<const Head> head;
    Chunks changed;  // null removes
    std::optional<Timestamp> expire_at;
};
struct WriteCall {
    Fence fence;
    std::shared_ptr<const std::vector<PartialWrite>> writes;
    std::optional<MarkedSpan> read;
};
struct TakeCall {
    PartitionClaim claim;
};
struct LoadCall {
    Fence fence;
    Generation generation;
    std::shared_ptr<const std::vector<EntityKey>> keys;
};
struct AdvanceCall {
    Fence fence;
    ProgressUpdate update;
};
using Call = std::variant<TakeCall, WriteCall, LoadCall, AdvanceCall>;

using LoadedHeads = std::vector<std::optional<Head>>;  // unfolded
using Reply = std::variant<Result<TakenEpoch>, Result<std::uint64_t>, Result<LoadedHeads>, Result<Advanced>>;

std::size_t entity_index(const std::string& name);
// A stored head with its sealed tiles, as after a load.
Head unfolded_copy(const StoredPartial& partial);

class FakeStore {
public:
    FakeStore(Plant plant, Counts& counts) : plant_(plant), counts_(counts) {}

    Reply run(const Call& call, Timestamp now);
    // Removes what has expired.
    void expire(Timestamp now);

    StoreState state;
    bool out_of_memory = false;  // refuses what writes
    std::optional<StoreState> snapshot;

private:
    Result<TakenEpoch> run(const TakeCall& call);
    Result<std::uint64_t> run(const WriteCall& call);
    Result<LoadedHeads> run(const LoadCall& call);
    Result<Advanced> run(const AdvanceCall& call);
    Result<void> check(Fence fence) const;
    void write(const PartialWrite& write);
    std::optional<ProgressRecord>& record_of(const Fence& fence) { return record_of(fence.partition); }
    std::optional<ProgressRecord>& record_of(const Partition& partition) {
        return state.records[static_cast<std::size_t>(partition.id.value)];
    }

    Plant plant_;
    Counts& counts_;
    Timestamp now_{};
};

}  // namespace freshet::simulation
