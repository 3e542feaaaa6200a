// A cluster of primaries in memory, of which a slot and all it holds may move, and of which each may fall back;
// and what its replicas are sent.
#pragma once

#include <algorithm>
#include <array>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "io/redis/cluster_partial_store.hpp"
#include "io/stored/store_keys.hpp"
#include "support/memory_partial_store.hpp"

namespace freshet::test::schedules {

inline constexpr std::size_t kPrimaries = 4;
constexpr std::size_t kEntities = 9;
inline const PartitionClaim kClaim{{"orders", PartitionId{0}}, "node", "kafka", "freshet", 1};
inline const std::string kView = "spend@1";
inline const std::string kOrigin = "0.0";

// What is planted, to see that a schedule can go wrong.
enum class Plant { nothing, trusts_itself, covers_everything };

inline Endpoint address_of(std::size_t primary) { return {"primary", static_cast<std::uint16_t>(primary + 1)}; }

inline std::size_t at_address(const Endpoint& address) { return address.port - 1u; }

// By all but the last.
inline SharedSlotMap shared_evenly() {
    constexpr std::size_t shares = kPrimaries - 1;
    SlotMap map;
    for (std::size_t i = 0; i < shares; ++i)
        map = map.with(static_cast<Slot>(kSlots * i / shares), static_cast<Slot>(kSlots * (i + 1) / shares - 1),
                       address_of(i));
    return std::make_shared<const SlotMap>(map);
}

inline PartialKey key_of(std::size_t entity) { return {kView, "e" + std::to_string(entity), kOrigin}; }
inline Slot slot_of_entity(const std::string& entity) { return slot_of(head_key("", kView, entity)); }

// The primaries, and which of them serves what.
struct Servers {
    // What a primary has held, one state after the other, since it last began anew: what its replicas are sent.
    struct State {
        MemoryServer::State held;
        bool overstated = false;  // slots have left that its record still covers
    };
    using Stream = std::vector<State>;

    std::array<std::shared_ptr<MemoryServer>, kPrimaries> servers;
    std::array<std::shared_ptr<Stream>, kPrimaries> streams;
    std::array<bool, kPrimaries> overstated{};
    SharedSlotMap map = shared_evenly();

    Servers() {
        for (std::size_t i = 0; i < kPrimaries; ++i) {
            servers[i] = std::make_shared<MemoryServer>();
            begin_stream(i);
        }
    }
    void begin_stream(std::size_t primary) {
        streams[primary] = std::make_shared<Stream>();
        changed(primary);
    }
    void changed(std::size_t primary) const { held(primary, servers[primary]->snapshot()); }
    void held(std::size_t primary, MemoryServer::State state) const {
        streams[primary]->push_back({std::move(state), overstated[primary]});
    }
    std::size_t owner(Slot slot) const { return at_address(map->primaries()[*map->owner_of(slot)].address); }
    // As a primary does that loads a file: what it does not serve is dropped.
    void load(std::size_t primary, MemoryServer::State state) {
        std::erase_if(state.records, [&](const auto& r) { return owner(r.first.second) != primary; });
        std::erase_if(state.entities,
                      [&](const auto& e) { return owner(slot_of_entity(e.first.second)) != primary; });
        servers[primary]->restore(std::move(state));
    }
    bool holds_record(Slot slot) const {
        const auto records = servers[owner(slot)]->snapshot().records;
        return std::ranges::any_of(records, [&](const auto& r) { return r.first.second == slot; });
    }
    void move(Slot slot, std::size_t to) {
        const std::size_t from = owner(slot);
        const MemoryServer::State source = servers[from]->snapshot();
        MemoryServer::State target = servers[to]->snapshot();
        for (const auto& [key, record] : source.records)
            if (key.second == slot) target.records[key] = record;
        for (const auto& [key, entity] : source.entities)
            if (slot_of_entity(key.second) == slot) target.entities[key] = entity;
        send_by_key(slot, from, to);
        overstated[from] = true;
        overstated[to] |= holds_record(slot);  // which is as the primary was that it comes from
        map = std::make_shared<const SlotMap>(map->with(slot, address_of(to)));
        load(from, source);
        load(to, target);
        changed(from);
        changed(to);
    }
    // What replicas see of it: entities come and go one after the other.
    void send_by_key(Slot slot, std::size_t from, std::size_t to) const {
        MemoryServer::State source = servers[from]->snapshot(), target = servers[to]->snapshot();
        const auto entities = source.entities;
        for (const auto& [key, entity] : entities) {
            if (slot_of_entity(key.second) != slot) continue;
            target.entities[key] = entity;
            held(to, target);
            source.entities.erase(key);
            streams[from]->push_back({source, true});
        }
    }
};

// One of them, as a node reaches it: it refuses what it does not serve.
class Primary final : public PartialStore {
public:
    Primary(const Servers& servers, std::size_t self, Plant plant)
        : servers_(servers), self_(self), plant_(plant), store_(servers.servers[self]) {}

    Result<TakenEpoch> take_epoch(const PartitionClaim& claim) override {
        if (!serves(claim.slot)) return moved();
        const Sent sent{servers_, self_};
        auto taken = store_.take_epoch(claim);
        if (taken && taken->before && plant_ == Plant::covers_everything)
            taken->before->covers = {{0, kSlots - 1}};
        return taken;
    }
    std::vector<Result<std::uint64_t>> write(std::span<const WriteCall> calls) override {
        for (const WriteCall& call : calls)
            for (const PartialWrite& write : call.writes)
                if (!serves(call.fence.slot) || !serves(slot_of_entity(write.key.entity)))
                    return std::vector<Result<std::uint64_t>>(calls.size(), moved());
        const Sent sent{servers_, self_};
        return store_.write(calls);
    }
    Result<std::vector<LoadedPartial>> load(const Fence& fence, std::span<const PartialKey> keys) override {
        for (const PartialKey& key : keys)
            if (!serves(fence.slot) || !serves(slot_of_entity(key.entity))) return moved();
        return store_.load(fence, keys);
    }
    Result<Advanced> advance(const Fence& fence, const ProgressUpdate& update) override {
        if (!serves(fence.slot)) return moved();
        const Sent sent{servers_, self_};
        return store_.advance(fence, update);
    }

private:
    // Whatever a call has done goes to the replicas.
    struct Sent {
        const Servers& servers;
        std::size_t self;
        ~Sent() { servers.changed(self); }
    };
    bool serves(Slot slot) const { return servers_.owner(slot) == self_; }
    static Error moved() { return {Errc::unavailable, "MOVED"}; }

    const Servers& servers_;
    const std::size_t self_;
    const Plant plant_;
    MemoryPartialStore store_;
};

}  // namespace freshet::test::schedules
