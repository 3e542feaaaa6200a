#include "io/redis/cluster_partial_store.hpp"

#include <algorithm>
#include <future>
#include <utility>

#include "io/redis/redis_partial_store.hpp"
#include "io/stored/store_keys.hpp"

namespace freshet {

namespace {

Error nobody_serves(Slot slot) {
    return {Errc::unavailable, "no node of the redis cluster serves slot " + std::to_string(slot)};
}

Error begins_anew(const Partition& partition, const std::string& why) {
    return {Errc::fenced, partition.text() + ": " + why + ", and a new life begins with all primaries"};
}

}  // namespace

// An epoch on its way to all records.
struct ClusterPartialStore::Taking {
    const PartitionClaim& claim;
    Seen& seen;
    std::map<Slot, TakenEpoch> found;  // as it was answered first, but for the epoch and the calls

    bool is_foreign() const {
        return std::ranges::any_of(found, [&](const auto& taken) {
            const auto& before = taken.second.before;
            return before && (before->kafka_cluster != claim.kafka_cluster || before->group != claim.group);
        });
    }
    // Without their primaries.
    std::vector<RecordPart> parts() const {
        std::vector<RecordPart> parts;
        for (const auto& [slot, taken] : found)
            parts.push_back({slot, taken.before, 0, kept(slot, taken.before)});
        return parts;
    }
    RecordPart::Kept kept(Slot slot, const std::optional<ProgressRecord>& record) const {
        const auto calls = seen.calls.find(slot);
        if (calls == seen.calls.end() || !seen.is_newest) return RecordPart::Kept::unknown;
        return record && record->calls >= calls->second ? RecordPart::Kept::all : RecordPart::Kept::less;
    }
    void add(Slot slot, const TakenEpoch& taken) {
        if (taken.before && taken.before->epoch > seen.epoch) seen.is_newest = false;
        seen.epoch = std::max(seen.epoch, taken.epoch);
        TakenEpoch& known = found.try_emplace(slot, taken).first->second;
        known.epoch = taken.epoch;
        known.calls = taken.calls;
    }
};

// What one primary is sent of several calls.
struct ClusterPartialStore::Pipeline {
    PartialStore* store = nullptr;
    std::vector<WriteCall> calls;
    std::vector<std::size_t> of;  // which of the calls each is a part of
    std::vector<Result<std::uint64_t>> results;
};

ClusterPartialStore::Access ClusterPartialStore::access_to(RedisConfig config,
                                                           std::shared_ptr<ClusterTopology> cluster) {
    return {config.prefix, [cluster] { return cluster->current(); }, [cluster] { cluster->refresh_soon(); },
            [cluster] { cluster->refresh_now(); },
            [config](const Endpoint& primary) {
                return std::make_unique<RedisPartialStore>(reached_at(config, primary));
            }};
}

ClusterPartialStore::ClusterPartialStore(Access access) : access_(std::move(access)) {}

ClusterPartialStore::~ClusterPartialStore() = default;

void ClusterPartialStore::look_at_map() {
    SharedSlotMap map = access_.map();
    if (map == map_) return;
    map_ = std::move(map);
    served_.clear();
    for (std::size_t i = 0; i < map_->primaries().size(); ++i) served_.push_back(map_->ranges_of(i));
}

PartialStore& ClusterPartialStore::store_at(const Endpoint& primary) {
    auto& store = stores_[primary.text()];
    if (!store) store = access_.connect(primary);
    return *store;
}

Error ClusterPartialStore::failed(const Error& error) const {
    if (error.code == Errc::unavailable) access_.map_may_be_old();
    return error;
}

Slot ClusterPartialStore::slot_of_entity(const PartialKey& key) const {
    return slot_of(head_key(access_.prefix, key.view_id, key.entity));
}

// --- the beginning of a life ---

Result<TakenEpoch> ClusterPartialStore::take_epoch(const PartitionClaim& claim) {
    look_at_map();
    Seen& seen = seen_[claim.partition];
    if (auto life = lives_.extract(claim.partition); life && life.mapped().recorded) {
        seen.calls = std::move(life.mapped().acked);
        seen.is_newest = true;
    }
    Taking taking{claim, seen, {}};
    auto taken = take_all(taking);
    if (!taken) return failed(taken.error());
    return taken;
}

Result<void> ClusterPartialStore::take(Taking& taking, Slot slot, bool only_if_there,
                                       std::optional<Epoch> epoch) {
    const auto primary = owner(slot);
    if (!primary) return nobody_serves(slot);
    PartitionClaim claim = taking.claim;
    claim.slot = slot;
    claim.only_if_there = only_if_there;
    claim.epoch = epoch;
    auto taken = store_at(map_->primaries()[*primary].address).take_epoch(claim);
    if (!taken) return taken.error();
    taking.add(slot, *taken);
    return {};
}

// All records there are take the epoch, and are kept in step from then on. Where a primary has none one is
// made, but not before it is known that none stands there.
Result<TakenEpoch> ClusterPartialStore::take_all(Taking& taking) {
    if (auto found = find_records(taking); !found) return found.error();
    const auto parts = placed(taking);
    if (!parts) return parts.error();
    TakenEpoch whole;
    whole.before = whole_record(taking.claim, *parts, served_);
    if (taking.is_foreign()) return whole;
    if (auto made = make_missing(taking, named_slots(*parts)); !made) return made.error();
    if (auto raised = raise_all(taking, whole); !raised) return raised.error();
    begin_life(taking, whole, *parts);
    return whole;
}

// Those where a primary has its record by itself, those that a record names, and those of the life before. When
// a slot has moved with its record, a primary has two.
Result<void> ClusterPartialStore::find_records(Taking& taking) {
    std::vector<Slot> unseen;
    for (const auto& [slot, calls] : taking.seen.calls) unseen.push_back(slot);
    for (std::size_t i = 0; i < map_->primaries().size(); ++i) unseen.push_back(record_slot(*map_, i, {}));
    while (!unseen.empty()) {
        for (const Slot slot : unseen)
            if (auto took = take(taking, slot, true, {}); !took) return took.error();
        unseen = named_slots(taking.parts());
        std::erase_if(unseen, [&](Slot slot) { return taking.found.contains(slot); });
    }
    return {};
}

// By the map as it is now, where that matters.
Result<std::vector<RecordPart>> ClusterPartialStore::placed(const Taking& taking) {
    std::vector<RecordPart> parts = taking.parts();
    if (need_current_map(parts)) {
        access_.ask_for_map();
        look_at_map();
    }
    for (RecordPart& part : parts) {
        const auto primary = owner(part.slot);
        if (!primary) return nobody_serves(part.slot);
        part.primary = *primary;
    }
    return parts;
}

Result<void> ClusterPartialStore::make_missing(Taking& taking, std::span<const Slot> named) {
    for (std::size_t i = 0; i < map_->primaries().size(); ++i) {
        const bool has_one = std::ranges::any_of(taking.found, [&](const auto& taken) {
            return taken.second.epoch.value > 0 && owner(taken.first) == i;
        });
        if (has_one) continue;
        if (auto took = take(taking, record_slot(*map_, i, named), false, {}); !took) return took.error();
    }
    return {};
}

void ClusterPartialStore::begin_life(const Taking& taking, const TakenEpoch& whole,
                                     std::span<const RecordPart> parts) {
    Life life;
    life.epoch = whole.epoch;
    life.calls = whole.calls;
    if (whole.before) {
        life.advances = whole.before->advance;
        life.rebuilds = whole.before->lost_part;
    }
    if (life.rebuilds && may_have_fallen_back(parts))
        for (const RecordPart& part : parts)
            if (!covers_all(part, served_)) life.anew.insert(part.slot);
    const std::vector<Slot> named = named_slots(parts);
    for (const auto& [slot, taken] : taking.found) {
        if (taken.epoch.value == 0) continue;
        life.acked[slot] = taken.calls;
        if (std::ranges::count(named, slot) == 0) life.unnamed.push_back(slot);
    }
    lives_[taking.claim.partition] = std::move(life);
}

// To the highest epoch that one of them gave.
Result<void> ClusterPartialStore::raise_all(Taking& taking, TakenEpoch& whole) {
    for (const auto& [slot, taken] : taking.found) whole.epoch = std::max(whole.epoch, taken.epoch);
    Timestamp earliest = Timestamp::max(), latest = Timestamp::min();
    for (const auto& [slot, taken] : taking.found) {
        if (taken.epoch.value == 0) continue;
        earliest = std::min(earliest, taken.redis_now);
        latest = std::max(latest, taken.redis_now);
        if (taken.epoch == whole.epoch) continue;
        if (auto raised = take(taking, slot, false, whole.epoch); !raised) return raised;
    }
    whole.calls = 1;
    whole.redis_now = earliest;
    whole.clocks_apart = latest - earliest;
    return {};
}

// --- the calls of a life ---

ClusterPartialStore::Life* ClusterPartialStore::life_of(const Fence& fence) {
    const auto life = lives_.find(fence.partition);
    return life != lives_.end() && life->second.epoch == fence.epoch ? &life->second : nullptr;
}

Result<Slot> ClusterPartialStore::record_for(const Life& life, const Partition& partition, Slot slot) const {
    const auto primary = owner(slot);
    if (!primary) return nobody_serves(slot);
    for (const auto& [record, calls] : life.acked)
        if (owner(record) == primary) return record;
    return begins_anew(partition, "redis " + map_->primaries()[*primary].address.text() +
                                      " serves slots now and has no record of this life");
}

Result<void> ClusterPartialStore::check_primaries(const Life& life, const Partition& partition) const {
    for (std::size_t i = 0; i < map_->primaries().size(); ++i)
        if (auto record = record_for(life, partition, served_[i].front().first); !record) return record.error();
    return {};
}

Fence ClusterPartialStore::fence_of(const Fence& fence, const Life& life, Slot record) const {
    return {fence.partition, fence.epoch, life.acked.at(record), record};
}

Result<void> ClusterPartialStore::acked(const Fence& fence, Life& life, Slot record, std::uint64_t calls) {
    FenceBook book;
    book.taken(fence.partition, fence.epoch, life.acked[record]);
    auto risen = book.acked(fence.partition, fence.epoch, calls);
    if (risen) life.acked[record] = calls;
    return risen;
}

// By the primary that serves each entity.
Result<std::map<std::size_t, WriteCall>> ClusterPartialStore::split(const Life& life,
                                                                    const WriteCall& call) const {
    std::map<std::size_t, WriteCall> parts;
    for (const PartialWrite& write : call.writes) {
        const Slot slot = slot_of_entity(write.key);
        const auto record = record_for(life, call.fence.partition, slot);
        if (!record) return record.error();
        WriteCall& part = parts[*owner(slot)];
        if (part.writes.empty()) part = {fence_of(call.fence, life, *record), {}, call.read};
        part.writes.push_back(write);
    }
    return parts;
}

// At the same time; the last one in this thread.
void ClusterPartialStore::send_all(std::map<std::size_t, Pipeline>& pipelines) {
    const auto send = [](Pipeline& pipeline) { pipeline.results = pipeline.store->write(pipeline.calls); };
    std::vector<std::future<void>> away;
    for (auto& [primary, pipeline] : pipelines) {
        if (away.size() + 1 == pipelines.size()) {
            send(pipeline);
        } else {
            away.push_back(std::async(std::launch::async, send, std::ref(pipeline)));
        }
    }
    for (auto& sent : away) sent.get();
}

std::vector<Result<std::uint64_t>> ClusterPartialStore::write(std::span<const WriteCall> calls) {
    look_at_map();
    std::vector<Result<void>> outcomes(calls.size());
    std::map<std::size_t, Pipeline> pipelines;  // by primary
    for (std::size_t c = 0; c < calls.size(); ++c) {
        const Life* life = life_of(calls[c].fence);
        auto parts = life ? split(*life, calls[c]) : FenceBook::over(calls[c].fence.partition);
        if (!parts) {
            outcomes[c] = parts.error();
            continue;
        }
        for (auto& [primary, part] : *parts) {
            Pipeline& pipeline = pipelines[primary];
            pipeline.store = &store_at(map_->primaries()[primary].address);
            pipeline.calls.push_back(std::move(part));
            pipeline.of.push_back(c);
        }
    }
    send_all(pipelines);
    for (auto& [primary, pipeline] : pipelines) take_results(pipeline, outcomes);
    std::vector<Result<std::uint64_t>> results;
    for (std::size_t c = 0; c < calls.size(); ++c) {
        if (outcomes[c]) {
            results.emplace_back(++life_of(calls[c].fence)->calls);
        } else {
            results.emplace_back(failed(outcomes[c].error()));
        }
    }
    return results;
}

// Of a call's parts, one that must not be repeated is told before one that may.
void ClusterPartialStore::take_results(const Pipeline& pipeline, std::vector<Result<void>>& outcomes) {
    for (std::size_t i = 0; i < pipeline.calls.size(); ++i) {
        const Fence& fence = pipeline.calls[i].fence;
        const Result<std::uint64_t>& result = pipeline.results[i];
        const Result<void> part =
            result ? acked(fence, *life_of(fence), fence.slot, *result) : Result<void>(result.error());
        Result<void>& whole = outcomes[pipeline.of[i]];
        if (!part && (whole || whole.error().code == Errc::unavailable)) whole = part;
    }
}

Result<std::vector<LoadedPartial>> ClusterPartialStore::load(const Fence& fence,
                                                             std::span<const PartialKey> keys) {
    look_at_map();
    const Life* life = life_of(fence);
    if (!life) return FenceBook::over(fence.partition);
    std::map<Slot, std::pair<std::vector<PartialKey>, std::vector<std::size_t>>> split;
    for (std::size_t i = 0; i < keys.size(); ++i) {
        const auto record = record_for(*life, fence.partition, slot_of_entity(keys[i]));
        if (!record) return failed(record.error());
        split[*record].first.push_back(keys[i]);
        split[*record].second.push_back(i);
    }
    std::vector<LoadedPartial> loaded(keys.size());
    for (const auto& [record, part] : split) {
        PartialStore& store = store_at(map_->primaries()[*owner(record)].address);
        auto some = store.load(fence_of(fence, *life, record), part.first);
        if (!some) return failed(some.error());
        for (std::size_t i = 0; i < part.second.size(); ++i) loaded[part.second[i]] = std::move((*some)[i]);
    }
    return loaded;
}

Result<void> ClusterPartialStore::advance_one(const Fence& fence, Life& life, Slot record,
                                              ProgressUpdate& update, std::optional<Timestamp>& redis_now) {
    const auto primary = owner(record);
    if (!primary) return nobody_serves(record);
    update.covers = served_[*primary];
    update.anew = life.anew.contains(record);
    const auto advanced =
        store_at(map_->primaries()[*primary].address).advance(fence_of(fence, life, record), update);
    if (!advanced) return advanced.error();
    life.anew.erase(record);
    redis_now = std::min(redis_now.value_or(advanced->redis_now), advanced->redis_now);
    return acked(fence, life, record, advanced->calls);
}

// A record is named by others only after it has views, so that one which is named and has none has lost them.
Result<Advanced> ClusterPartialStore::advance(const Fence& fence, const ProgressUpdate& update) {
    look_at_map();
    Life* life = life_of(fence);
    if (!life) return FenceBook::over(fence.partition);
    if (auto all = check_primaries(*life, fence.partition); !all) return failed(all.error());
    ProgressUpdate named = update;
    named.advance = ++life->advances;
    named.rebuilds = life->rebuilds;
    for (const auto& [record, calls] : life->acked) named.slots.push_back(record);
    std::vector<Slot> order = life->unnamed;
    for (const auto& [record, calls] : life->acked)
        if (std::ranges::count(life->unnamed, record) == 0) order.push_back(record);
    std::optional<Timestamp> redis_now;
    for (const Slot record : order)
        if (auto done = advance_one(fence, *life, record, named, redis_now); !done) return failed(done.error());
    life->unnamed.clear();
    life->recorded = true;
    return Advanced{++life->calls, *redis_now};
}

}  // namespace freshet
