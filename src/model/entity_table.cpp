#include "model/entity_table.hpp"

#include <algorithm>

namespace freshet {

EntityTable::EntityTable(Plans plans, PartitionId partition, Generation generation, Offset start)
    : plans_(std::move(plans)),
      partition_(partition),
      generation_(generation),
      entities_(plans_.size()),
      applied_(start) {}

void EntityTable::apply(std::shared_ptr<const EventBatch> batch, std::span<const Touch> touches) {
    for (const Touch& touch : touches) {
        Entities& entities = entities_[touch.view];
        auto found = entities.find(touch.entity);
        if (found == entities.end())
            found = entities.emplace(std::string(touch.entity), std::make_unique<Entry>()).first;
        Entry& entry = *found.value();
        if (entry.windows) {
            count(touch.view, touch.entity, entry, batch->events[touch.event]);
        } else {
            wait(touch.view, touch.entity, entry, batch, touch.event);
        }
    }
    clock_ = std::max(clock_, batch->clock);
    recorded_clock_ = std::max(recorded_clock_, batch->recorded_clock);
    applied_ = std::max(applied_, batch->next);
}

void EntityTable::count(std::uint32_t view, std::string_view name, Entry& entry, const Event& event) {
    switch (entry.windows->add(*plans_[view], event)) {
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
    if (entry.dirty) return;
    entry.dirty = true;
    dirty_.entries.push_back({view, std::string(name), &entry});
    dirty_.low = std::min(dirty_.low, event.offset);
}

void EntityTable::wait(std::uint32_t view, std::string_view name, Entry& entry,
                       std::shared_ptr<const EventBatch> batch, std::uint32_t event) {
    if (entry.waiting.empty()) {
        to_load_.entries.push_back({view, std::string(name), &entry});
        to_load_.low = std::min(to_load_.low, batch->events[event].offset);
    }
    entry.waiting.push_back({std::move(batch), event});
    ++waiting_;
}

std::vector<EntityKey> EntityTable::take_loads() {
    std::vector<EntityKey> keys;
    keys.reserve(to_load_.entries.size());
    for (Ref& ref : to_load_.entries) keys.push_back({ref.view, std::move(ref.name)});
    if (!keys.empty()) {
        loading_.push_back(to_load_.low);
        loading_entities_ += keys.size();
    }
    to_load_.clear();
    return keys;
}

void EntityTable::loaded(const EntityKey& key, std::optional<Head> unfolded) {
    Entry& entry = *entities_[key.view].find(key.name).value();
    const ViewPlan& plan = *plans_[key.view];
    if (unfolded) {
        entry.windows.emplace(plan, std::move(*unfolded));
    } else {
        entry.windows.emplace(plan, partition_, generation_);
    }
    const auto waiting = std::exchange(entry.waiting, {});
    waiting_ -= waiting.size();
    for (const WaitingEvent& w : waiting) count(key.view, key.name, entry, w.batch->events[w.event]);
    if (--loading_entities_ == 0) loading_.clear();
}

std::size_t EntityTable::take_flush(const Store& store) {
    std::swap(dirty_, flushing_);
    dirty_.clear();
    for (Ref& ref : flushing_.entries) {
        ref.entry->dirty = false;
        store(ref.view, ref.name, *ref.entry->windows);
    }
    return flushing_.entries.size();
}

void EntityTable::flushed() { flushing_.clear(); }

std::size_t EntityTable::size() const {
    std::size_t total = 0;
    for (const Entities& entities : entities_) total += entities.size();
    return total;
}

Offset EntityTable::safe() const {
    Offset low = std::min({applied_, to_load_.low, dirty_.low, flushing_.low});
    for (const Offset loading : loading_) low = std::min(low, loading);
    return low;
}

}  // namespace freshet
