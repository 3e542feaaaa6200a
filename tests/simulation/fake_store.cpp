#include "fake_store.hpp"

#include <algorithm>

namespace freshet::simulation {

namespace {

Error refused_for_memory() { return {Errc::unavailable, "OOM"}; }

StoredPartial* find(StoredEntity& entity, std::size_t partition, Generation generation) {
    for (StoredPartial& origin : entity.origins)
        if (origin.partition == partition && origin.generation == generation) return &origin;
    return nullptr;
}

}  // namespace

std::size_t entity_index(const std::string& name) {
    const auto& names = plan().names;
    return static_cast<std::size_t>(std::find(names.begin(), names.end(), name) - names.begin());
}

Head unfolded_copy(const StoredPartial& partial) {
    Head head = testing::copy_of(*partial.head);
    std::vector<Chunk> chunks;
    for (const auto& [id, chunk] : *partial.chunks) chunks.push_back(testing::copy_of(*chunk));
    unfold(head, std::move(chunks));
    return head;
}

Reply FakeStore::run(const Call& call, Timestamp now) {
    now_ = now;
    counts_.met(Met::call);
    expire(now);
    return std::visit([this](const auto& c) -> Reply { return run(c); }, call);
}

void FakeStore::expire(Timestamp now) {
    for (auto& view : state.entities)
        for (StoredEntity& entity : view)
            if (entity.expire_at && *entity.expire_at <= now) {
                counts_.met(Met::expired);
                entity = {};
            }
}

Result<void> FakeStore::check(Fence fence) const {
    if (plant_ == Plant::no_calls) fence.acked_calls = 0;
    const auto& record = state.records[static_cast<std::size_t>(fence.partition.id.value)];
    auto checked = record_rules::check(record ? &*record : nullptr, fence);
    if (!checked) counts_.met(checked.error().code == Errc::fenced ? Met::fenced : Met::lost_writes);
    return checked;
}

Result<TakenEpoch> FakeStore::run(const TakeCall& call) {
    if (out_of_memory) return refused_for_memory();
    return record_rules::take_epoch(record_of(call.claim.partition), call.claim, now_);
}

Result<std::uint64_t> FakeStore::run(const WriteCall& call) {
    if (out_of_memory) return refused_for_memory();
    if (auto checked = check(call.fence); !checked) return checked.error();
    for (const PartialWrite& partial : *call.writes) write(partial);
    ProgressRecord& record = *record_of(call.fence);
    if (call.read) record_rules::note_read(record, *call.read);
    return ++record.calls;
}

void FakeStore::write(const PartialWrite& write) {
    StoredEntity& entity = state.entities[write.view][write.entity];
    const auto partition = static_cast<std::size_t>(write.head->partition.value);
    const Stamp stamp = write.head->stamp;
    StoredPartial* stored = find(entity, partition, stamp.generation);
    if (stored && stored->head->stamp > stamp) {
        counts_.met(Met::stale);
        if (plant_ != Plant::no_stamp) return;
    }
    if (write.head->resolutions[0].sealed_to != kNoTile) counts_.met(Met::sealed);
    if (!stored) {
        static const auto kNone = std::make_shared<const Chunks>();
        stored = &entity.origins.emplace_back(StoredPartial{stamp.generation, partition, nullptr, kNone});
    }
    stored->head = write.head;
    if (!write.changed.empty()) {
        auto chunks = std::make_shared<Chunks>(*stored->chunks);
        for (const auto& [id, chunk] : write.changed) {
            if (chunk) {
                (*chunks)[id] = chunk;
            } else {
                chunks->erase(id);
            }
        }
        stored->chunks = std::move(chunks);
    }
    if (write.expire_at)
        entity.expire_at = std::max(entity.expire_at.value_or(*write.expire_at), *write.expire_at);
}

Result<LoadedHeads> FakeStore::run(const LoadCall& call) {
    if (auto checked = check(call.fence); !checked) return checked.error();
    LoadedHeads heads;
    for (const EntityKey& key : *call.keys) {
        StoredEntity& entity = state.entities[key.view][entity_index(key.name)];
        const auto partition = static_cast<std::size_t>(call.fence.partition.id.value);
        const StoredPartial* stored = find(entity, partition, call.generation);
        heads.emplace_back();
        if (stored) heads.back() = unfolded_copy(*stored);
    }
    return heads;
}

Result<Advanced> FakeStore::run(const AdvanceCall& call) {
    if (out_of_memory) return refused_for_memory();
    if (auto checked = check(call.fence); !checked) return checked.error();
    ProgressRecord& record = *record_of(call.fence);
    if (record.log.generation < call.update.log.generation) counts_.met(Met::generation);
    if (plant_ != Plant::no_removal) return record_rules::advance(record, call.update, now_);
    ProgressUpdate update = call.update;
    for (auto& [id, view] : update.views)
        if (const auto known = record.views.find(id); known != record.views.end())
            view.features.insert(known->second.features.begin(), known->second.features.end());
    return record_rules::advance(record, update, now_);
}

}  // namespace freshet::simulation
