// The entities of one aggregator: which are in memory, which wait for their stored state, which have changes
// that are not yet stored, and below which offset everything is. Decisions only; loads and flushes are carried
// by an actor.
#pragma once

#include <algorithm>
#include <chrono>
#include <deque>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "model/entity_index.hpp"
#include "model/entity_windows.hpp"
#include "model/event_batch.hpp"

namespace freshet {

struct EntityKey {
    std::uint32_t view;  // index into the plans
    std::string name;
};

class EntityTable {
public:
    using Plans = std::vector<std::shared_ptr<const ViewPlan>>;

    // `start`: the first offset that will be applied.
    EntityTable(Plans plans, PartitionId partition, Generation generation, Offset start);

    // Counts the events of `touches`, or lets them wait for their entity to be loaded. Batches come in offset
    // order.
    void apply(std::shared_ptr<const EventBatch> batch, std::span<const Touch> touches);

    // Entities that wait for their stored state and were not asked for yet, those that waited longest, at most
    // kLoadEntities. Each is to be answered by loaded().
    static constexpr std::size_t kLoadEntities = 4096;
    std::vector<EntityKey> take_loads();
    // `unfolded` is what is stored of the entity's origin; none when nothing is. The waiting events are
    // counted.
    void loaded(const EntityKey& key, std::optional<Head> unfolded);

    // Whether to flush now: something changed, no flush is away, and it is no use to wait. In a backlog it is,
    // as long as the changes span fewer than `hold` offsets and the oldest is younger than longest_hold(): the
    // more events of an entity a flush holds, the less each costs.
    static constexpr Duration kLongestHold{4000};
    bool flush_due(std::int64_t hold, std::chrono::steady_clock::time_point now) const;

    // Hands changed entities to `store`, those that changed first, at most kFlushEntities. Until flushed() is
    // called they count as unsafe; no second flush may be taken before.
    using Store = std::function<void(std::uint32_t view, const std::string& name, EntityWindows& windows)>;
    static constexpr std::size_t kFlushEntities = 2048;
    std::size_t take_flush(const Store& store);
    void flushed();
    // So that waiting makes no event more than a quarter later than it is.
    Duration longest_hold() const { return std::min(kLongestHold, behind_ / 4); }

    // Forgets entities that nobody touched for long, until `bytes` are free or enough have been looked at:
    // those whose changes are all stored, and that were not touched again since the last time round. Touched
    // once more, they are loaded. Gives how many: none while nearly all are changed, being stored or waiting.
    std::size_t evict(std::size_t bytes);
    // Of the entities, the index and the waiting events; batches that these point into not included.
    std::size_t memory_bytes() const;

    bool flush_in_flight() const { return flushing_.low != kNone; }
    std::size_t dirty() const { return dirty_entities_; }
    std::size_t waiting() const { return waiting_; }  // events
    std::size_t size() const { return entities_.size(); }
    // Everything below is stored.
    Offset safe() const;
    // Everything below is counted, late or a duplicate: its batches are let go.
    Offset counted() const;
    // The highest clock of the partition in the batches applied; 1970 before the first.
    Timestamp clock() const { return clock_.value_or(Timestamp{}); }
    // The highest recorded clock that came with a batch: tiles are kept behind this one.
    std::optional<Timestamp> recorded_clock() const { return recorded_clock_; }

    struct Counts {
        std::uint64_t counted = 0;
        std::uint64_t late = 0;
        std::uint64_t duplicate = 0;
    };
    const Counts& counts() const { return counts_; }

private:
    struct WaitingEvent {
        std::shared_ptr<const EventBatch> batch;
        std::uint32_t event;
    };
    struct Entity {
        std::uint64_t hash;
        std::uint32_t view;
        std::uint32_t bytes = 0;  // as accounted
        bool dirty = false;
        bool flushing = false;
        bool touched = false;  // again, since the hand came by
        std::string name;
        std::optional<EntityWindows> windows;  // none: waiting to be loaded
        std::vector<WaitingEvent> waiting;

        Offset first_waiting() const { return waiting.front().batch->events[waiting.front().event].offset; }
    };
    static constexpr Offset kNone{std::numeric_limits<std::int64_t>::max()};
    // Entities with the lowest offset that any of them holds back.
    struct Group {
        std::vector<Entity*> entities;
        Offset low = kNone;
        std::chrono::steady_clock::time_point since{};  // the first was added; of changed ones only
        void add(Entity& entity, Offset offset) {
            entities.push_back(&entity);
            low = std::min(low, offset);
        }
        void clear() {
            entities.clear();
            low = kNone;
        }
    };

    std::size_t at_work() const;  // changed, being stored or waiting; what is two of these counts twice
    void apply_some(const std::shared_ptr<const EventBatch>& batch, std::span<const Touch> touches);
    Entity& find_or_insert(std::uint64_t hash, const Touch& touch);
    void count(Entity& entity, const EventBatch& batch, std::uint32_t event);
    void account(Entity& entity);
    void mark_dirty(Entity& entity, const EventBatch& batch, Offset offset);
    void wait(Entity& entity, std::shared_ptr<const EventBatch> batch, std::uint32_t event);

    Plans plans_;
    PartitionId partition_;
    Generation generation_;
    EntityIndex<Entity> entities_;
    Offset applied_;  // one past the last offset applied
    std::optional<Timestamp> clock_;
    std::optional<Timestamp> recorded_clock_;
    bool more_ = false;  // as the last batch said
    Duration behind_{0};
    std::size_t waiting_ = 0;
    std::deque<Entity*> to_load_;  // in the order of the first event that waits
    std::vector<Offset> loading_;  // the low offset of each load under way, oldest first
    std::size_t loading_entities_ = 0;
    std::deque<Group> dirty_;  // each is a flush; oldest first
    std::size_t dirty_entities_ = 0;
    Group flushing_;
    Counts counts_;
    std::size_t entity_bytes_ = 0;
    std::size_t hand_ = 0;  // the cell where evict() goes on
};

}  // namespace freshet
