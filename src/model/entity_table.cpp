#include "model/entity_table.hpp"

#include <array>

namespace freshet {

namespace {

// Touches looked up together, so that their cache misses overlap.
constexpr std::size_t kTogether = 32;

// Cells that one eviction looks at, so that it ends soon.
constexpr std::size_t kSweepCells = std::size_t{1} << 16;
// Where fewer than one entity in so many rests, a search costs more than it gives; flushes soon make more rest.
constexpr std::size_t kWorthSearching = 8;

}  // namespace

EntityTable::EntityTable(Plans plans, PartitionId partition, Generation generation, Offset start)
    : plans_(std::move(plans)), partition_(partition), generation_(generation), applied_(start) {}

void EntityTable::apply(std::shared_ptr<const EventBatch> batch, std::span<const Touch> touches) {
    for (std::size_t i = 0; i < touches.size(); i += kTogether)
        apply_some(batch, touches.subspan(i, std::min(kTogether, touches.size() - i)));
    clock_ = std::max(clock_, batch->clock);
    recorded_clock_ = std::max(recorded_clock_, batch->recorded_clock);
    applied_ = std::max(applied_, batch->next);
    more_ = batch->more;
    behind_ = batch->behind;
}

void EntityTable::apply_some(const std::shared_ptr<const EventBatch>& batch, std::span<const Touch> touches) {
    std::array<std::uint64_t, kTogether> hashes;
    std::array<Entity*, kTogether> found;
    for (std::size_t i = 0; i < touches.size(); ++i) {
        hashes[i] = entities_.hash_of(touches[i].view, touches[i].entity);
        entities_.prefetch(hashes[i]);
    }
    for (std::size_t i = 0; i < touches.size(); ++i) entities_.prefetch_entry(hashes[i]);
    for (std::size_t i = 0; i < touches.size(); ++i) {
        found[i] = &find_or_insert(hashes[i], touches[i]);
        if (found[i]->windows) found[i]->windows->prefetch();
    }
    for (std::size_t i = 0; i < touches.size(); ++i)
        if (found[i]->windows) found[i]->windows->prefetch_tiles();
    for (std::size_t i = 0; i < touches.size(); ++i) {
        if (found[i]->windows) {
            found[i]->touched = true;
            count(*found[i], *batch, touches[i].event);
        } else {
            wait(*found[i], batch, touches[i].event);
        }
    }
}

EntityTable::Entity& EntityTable::find_or_insert(std::uint64_t hash, const Touch& touch) {
    if (Entity* const known = entities_.find(hash, touch.view, touch.entity)) return *known;
    auto entity = std::make_unique<Entity>();
    entity->hash = hash;
    entity->view = touch.view;
    entity->name = touch.entity;
    account(*entity);
    return *entities_.insert(std::move(entity));
}

void EntityTable::count(Entity& entity, const EventBatch& batch, std::uint32_t index) {
    const Event& event = batch.events[index];
    switch (entity.windows->add(*plans_[entity.view], event)) {
        case EntityWindows::Outcome::duplicate:
            ++counts_.duplicate;
            return;
        case EntityWindows::Outcome::late:
            ++counts_.late;
            return;
        case EntityWindows::Outcome::counted:
            ++counts_.counted;
            break;
    }
    account(entity);
    if (!entity.dirty) mark_dirty(entity, batch, event.offset);
}

void EntityTable::account(Entity& entity) {
    std::size_t bytes = sizeof(Entity) + (entity.name.capacity() > 15 ? entity.name.capacity() + 1 : 0);
    if (entity.windows) bytes += entity.windows->memory_bytes() - sizeof(EntityWindows);
    entity_bytes_ += bytes - entity.bytes;
    entity.bytes = static_cast<std::uint32_t>(bytes);
}

void EntityTable::mark_dirty(Entity& entity, const EventBatch& batch, Offset offset) {
    if (dirty_.empty() || dirty_.back().entities.size() == kFlushEntities) {
        dirty_.emplace_back();
        dirty_.back().since = batch.read_at;
    }
    entity.dirty = true;
    dirty_.back().add(entity, offset);
    ++dirty_entities_;
}

void EntityTable::wait(Entity& entity, std::shared_ptr<const EventBatch> batch, std::uint32_t event) {
    if (entity.waiting.empty()) to_load_.push_back(&entity);
    entity.waiting.push_back({std::move(batch), event});
    ++waiting_;
}

std::vector<EntityKey> EntityTable::take_loads() {
    std::vector<EntityKey> keys;
    if (to_load_.empty()) return keys;
    loading_.push_back(to_load_.front()->first_waiting());
    for (; !to_load_.empty() && keys.size() < kLoadEntities; to_load_.pop_front())
        keys.push_back({to_load_.front()->view, to_load_.front()->name});
    loading_entities_ += keys.size();
    return keys;
}

void EntityTable::loaded(const EntityKey& key, std::optional<Head> unfolded) {
    Entity& entity = *entities_.find(entities_.hash_of(key.view, key.name), key.view, key.name);
    const ViewPlan& plan = *plans_[key.view];
    if (unfolded) {
        entity.windows.emplace(plan, std::move(*unfolded));
    } else {
        entity.windows.emplace(plan, partition_, generation_);
    }
    const auto waiting = std::exchange(entity.waiting, {});
    waiting_ -= waiting.size();
    account(entity);
    for (const WaitingEvent& w : waiting) count(entity, *w.batch, w.event);
    if (--loading_entities_ == 0) loading_.clear();
}

bool EntityTable::flush_due(std::int64_t hold, std::chrono::steady_clock::time_point now) const {
    if (flush_in_flight() || dirty_.empty()) return false;
    if (!more_ || now - dirty_.front().since >= longest_hold()) return true;
    return applied_.value - dirty_.front().low.value >= hold;
}

std::size_t EntityTable::take_flush(const Store& store) {
    if (dirty_.empty()) return 0;
    flushing_ = std::move(dirty_.front());
    dirty_.pop_front();
    dirty_entities_ -= flushing_.entities.size();
    const auto& entities = flushing_.entities;
    for (std::size_t i = 0; i < entities.size(); ++i) {
        // Each of those to come is one step nearer.
        if (i + 12 < entities.size()) __builtin_prefetch(&entities[i + 12]->windows);
        if (i + 8 < entities.size()) entities[i + 8]->windows->prefetch();
        if (i + 4 < entities.size()) entities[i + 4]->windows->prefetch_all();
        entities[i]->dirty = false;
        entities[i]->flushing = true;
        store(entities[i]->view, entities[i]->name, *entities[i]->windows);
        account(*entities[i]);
    }
    return entities.size();
}

void EntityTable::flushed() {
    for (Entity* const entity : flushing_.entities) entity->flushing = false;
    flushing_.clear();
}

std::size_t EntityTable::at_work() const {
    return to_load_.size() + loading_entities_ + dirty_entities_ + flushing_.entities.size();
}

std::size_t EntityTable::evict(std::size_t bytes) {
    if (at_work() > entities_.size() - entities_.size() / kWorthSearching) return 0;
    const std::size_t before = entity_bytes_;
    std::size_t evicted = 0;
    for (std::size_t seen = 0; seen < kSweepCells && before - entity_bytes_ < bytes; ++seen) {
        if (hand_ >= entities_.cells()) hand_ = 0;
        entities_.prefetch_at(hand_ + 12);
        Entity* const entity = entities_.at(hand_);
        const bool idle = entity && entity->windows && !entity->dirty && !entity->flushing;
        if (!idle || std::exchange(entity->touched, false)) {
            ++hand_;
            continue;
        }
        entity_bytes_ -= entity->bytes;
        ++evicted;
        entities_.erase(*entity);  // and the hand stays: another may have moved here
    }
    return evicted;
}

std::size_t EntityTable::memory_bytes() const {
    return entity_bytes_ + entities_.memory_bytes() + waiting_ * sizeof(WaitingEvent);
}

Offset EntityTable::safe() const {
    Offset low = std::min(counted(), flushing_.low);
    for (const Group& group : dirty_) low = std::min(low, group.low);
    return low;
}

Offset EntityTable::counted() const {
    Offset low = to_load_.empty() ? applied_ : std::min(applied_, to_load_.front()->first_waiting());
    for (const Offset loading : loading_) low = std::min(low, loading);
    return low;
}

}  // namespace freshet
