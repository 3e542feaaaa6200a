// Schedules drawn from a seed against a store of three primaries in memory, and a fourth that comes in with its
// first slot: two nodes take turns at a partition while calls fail before and after they are applied, primaries
// fall back to an older state or are emptied, each by itself, and slots move between them.
#pragma once

#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "support/cluster_servers.hpp"

namespace freshet::test::schedules {

constexpr std::int64_t kEvents = 60;
constexpr int kSteps = 150;

enum class Faults { all, moves_only };

struct Counted {
    int count = 0;
    std::int64_t stamp = -1;

    std::string head() const {
        std::string bytes(4, '\0');
        for (int shift = 56; shift >= 0; shift -= 8) bytes.push_back(static_cast<char>(stamp >> shift));
        return bytes + std::to_string(count);
    }
    static Counted of(const std::string& head) {
        Counted counted{std::stoi(head.substr(12)), 0};
        for (std::size_t i = 4; i < 12; ++i)
            counted.stamp = counted.stamp << 8 | static_cast<unsigned char>(head[i]);
        return counted;
    }
};

// One node's life of the partition, and what is left of it when it is over.
struct Node {
    std::unique_ptr<PartialStore> store;
    SharedSlotMap map;  // as it knows it
    bool alive = false;
    Fence fence;
    std::int64_t next = 0;      // to read
    std::int64_t recorded = 0;  // of what it has read
    std::map<std::size_t, Counted> memory;
    std::map<std::size_t, Counted> changed;
};

class World {
public:
    World(std::uint64_t seed, Plant plant, Faults faults = Faults::all)
        : random_(seed), plant_(plant), faults_(faults) {
        for (std::int64_t i = 0; i < kEvents; ++i) events_.push_back(below(kEntities));
        for (Node& node : nodes_) {
            node.map = cluster_.map;
            node.store = std::make_unique<ClusterPartialStore>(ClusterPartialStore::Access{
                "", [&node] { return node.map; }, [this, &node] { node.map = cluster_.map; },
                [this, &node] { node.map = cluster_.map; },
                [this](const Endpoint& at) {
                    return std::make_unique<Primary>(cluster_, at_address(at), plant_);
                }});
        }
    }

    // What is wrong in the end; empty: nothing.
    std::string run() {
        for (int i = 0; i < kSteps; ++i) {
            for (auto& server : cluster_.servers) server->set_now(from_unix_ms(i + 1));
            step();
            if (std::string wrong = look(); !wrong.empty()) return wrong;
        }
        for (auto& server : cluster_.servers) server->fail_call(MemoryServer::Fault::none);
        Node& node = nodes_[owner_];
        node.recorded = -1;  // it must see all primaries once more
        for (int i = 0; i < 10'000 && node.recorded < kEvents; ++i) turn(node);
        if (node.recorded < kEvents) return "the last node never comes to the end";
        for (std::size_t entity = 0; entity < kEntities; ++entity) {
            const auto expected = std::ranges::count(events_, entity);
            if (const int found = stored(entity); found != expected)
                return key_of(entity).entity + " counts " + std::to_string(found) + " of " +
                       std::to_string(expected);
        }
        return {};
    }

    virtual ~World() = default;
    World(const World&) = delete;
    World& operator=(const World&) = delete;

    std::map<Errc, int> ended;  // lives, and by what
    int moves = 0;
    int rebuilds = 0;  // lives that began with the log's first event, for something was lost

protected:
    // What is wrong in between.
    virtual std::string look() { return {}; }
    // What a primary falls back to.
    virtual std::optional<MemoryServer::State> copy_of(std::size_t primary) { return snapshots_[primary]; }

    std::size_t below(std::size_t n) { return std::uniform_int_distribution<std::size_t>(0, n - 1)(random_); }
    const Servers& cluster() const { return cluster_; }
    // Of an entity, in the first events.
    std::int64_t events_of(std::size_t entity, std::int64_t before) const {
        return std::count(events_.begin(), events_.begin() + before, entity);
    }

private:
    MemoryServer& any_server() { return *cluster_.servers[below(kPrimaries)]; }

    int stored(std::size_t entity) const {
        const std::string& name = key_of(entity).entity;
        auto state = cluster_.servers[cluster_.owner(slot_of_entity(name))]->snapshot();
        const auto& heads = state.entities[{kView, name}].heads;
        const auto head = heads.find(kOrigin);
        return head == heads.end() ? 0 : Counted::of(head->second).count;
    }

    // Of an entity, or of the record of a primary.
    Slot any_slot() {
        if (below(4) > 0) return slot_of_entity(key_of(below(kEntities)).entity);
        return record_slot(*cluster_.map, below(cluster_.map->primaries().size()), named_);
    }

    void move_slot() {
        const Slot slot = any_slot();
        const std::size_t from = cluster_.owner(slot), to = below(kPrimaries);
        if (from == to || unnoticed_[from] || unnoticed_[to]) return;
        unproven_[to] = true;
        unproven_[from] |= cluster_.holds_record(slot);
        cluster_.move(slot, to);
        ++moves;
    }

    // What is not promised (docs/architecture.md, Redis Cluster) does not happen here. Until the records are
    // advanced, a primary forgets without a sign when it falls back before its record covers slots that came,
    // or after its record went with its slot, or when slots leave it or come to it before anybody has noticed;
    // and when it falls back to a copy that was made when slots had left that its record still covered, or when
    // a record had come with its slot.
    void fall_back(std::size_t primary, std::optional<MemoryServer::State> to) {
        if (unproven_[primary] || !to) return;
        unnoticed_[primary] = true;
        cluster_.load(primary, *std::move(to));
        cluster_.begin_stream(primary);
    }

    void step() {
        if (below(10) == 0) return move_slot();
        if (faults_ == Faults::moves_only) return turn(nodes_[owner_]);
        switch (below(16)) {
            case 0:
                owner_ = 1 - owner_;
                return;
            case 1:
            case 2:
                if (nodes_[1 - owner_].alive) turn(nodes_[1 - owner_]);  // it does not know yet
                return;
            case 3: {
                const std::size_t primary = below(kPrimaries);
                if (cluster_.overstated[primary]) return;
                snapshots_[primary] = cluster_.servers[primary]->snapshot();
                return;
            }
            case 4: {
                const std::size_t primary = below(kPrimaries);
                return fall_back(primary, copy_of(primary));
            }
            case 5:
                if (below(4) == 0) fall_back(below(kPrimaries), MemoryServer::State{});
                return;
            case 6:
                return any_server().fail_call(MemoryServer::Fault::before_applying, below(2));
            case 7:
                return any_server().fail_call(MemoryServer::Fault::after_applying, below(2));
            default:
                turn(nodes_[owner_]);
        }
    }

    void turn(Node& node) {
        if (!node.alive) return begin(node);
        switch (below(3)) {
            case 0:
                return drain(node);
            case 1:
                return flush(node);
            default:
                return advance(node);
        }
    }

    // False: not now, or the life is over.
    template <class T>
    bool answered(Node& node, const Result<T>& result) {
        if (result) return true;
        if (result.error().code == Errc::unavailable) return false;
        ++ended[result.error().code];
        node.alive = false;
        return false;
    }

    void begin(Node& node) {
        const auto taken = node.store->take_epoch(kClaim);
        if (!answered(node, taken)) return;
        std::int64_t from = 0;
        if (taken->before) {
            named_ = taken->before->slots;
            if (taken->before->lost_part) {
                ++rebuilds;
            } else if (const auto view = taken->before->views.find(kView); view != taken->before->views.end()) {
                from = view->second.next.value;
            }
        }
        if (plant_ == Plant::trusts_itself) from = std::max(from, node.recorded);
        node.fence = {kClaim.partition, taken->epoch, taken->calls};
        node.next = from;
        node.memory.clear();
        node.changed.clear();
        node.alive = record(node);
    }

    bool record(Node& node) {
        ProgressUpdate update;
        update.partitions = 1;
        update.views[kView].next = Offset{node.next};
        const auto advanced = node.store->advance(node.fence, update);
        if (!answered(node, advanced)) return false;
        node.fence.acked_calls = advanced->calls;
        node.recorded = node.next;
        unnoticed_ = {};
        if (node.map == cluster_.map) unproven_ = cluster_.overstated = {};
        return true;
    }

    void drain(Node& node) {
        for (std::size_t more = below(6); more > 0 && node.next < kEvents; --more) {
            const std::size_t entity = events_[static_cast<std::size_t>(node.next)];
            if (!node.memory.contains(entity)) {
                const PartialKey key = key_of(entity);
                const auto loaded = node.store->load(node.fence, std::span(&key, 1));
                if (!answered(node, loaded)) return;
                const auto& head = loaded->front().head;
                node.memory[entity] = head ? Counted::of(*head) : Counted{};
            }
            Counted& counted = node.memory[entity];
            if (node.next > counted.stamp) {
                counted = {counted.count + 1, node.next};
                node.changed[entity] = counted;
            }
            ++node.next;
        }
    }

    void flush(Node& node) {
        if (node.changed.empty()) return;
        WriteCall call{node.fence, {}};
        for (const auto& [entity, counted] : node.changed)
            call.writes.push_back({key_of(entity), counted.head(), {}, {}});
        const auto results = node.store->write(std::span(&call, 1));
        if (!answered(node, results.front())) return;
        node.fence.acked_calls = *results.front();
        node.changed.clear();
    }

    void advance(Node& node) {
        if (node.changed.empty()) record(node);
    }

    std::mt19937_64 random_;
    const Plant plant_;
    const Faults faults_;
    Servers cluster_;
    std::array<bool, kPrimaries> unproven_{}, unnoticed_{};
    std::array<MemoryServer::State, kPrimaries> snapshots_;
    std::vector<Slot> named_;  // where records stand
    std::vector<std::size_t> events_;
    std::array<Node, 2> nodes_;
    std::size_t owner_ = 0;
};

}  // namespace freshet::test::schedules
