#include "io/stored/flush_builder.hpp"

#include <algorithm>
namespace freshet {

FlushBuilder::FlushBuilder(const Source& source, ViewPlans plans, PartitionId partition, Generation generation)
    : plans_(std::move(plans)), origin_{partition, generation}, origin_text_(origin_.text()) {
    codecs_.reserve(plans_.size());
    for (const auto& plan : plans_) codecs_.emplace_back(source, *plan);
}

PartialKey FlushBuilder::key_of(std::uint32_t view, const std::string& entity) const {
    return {plans_[view]->id(), entity, origin_text_};
}

// Raising an expiry costs the store as much as the write, so it is raised seldom: a sixteenth too late at most.
static Timestamp rounded_expiry(Timestamp earliest, Duration kept) {
    const Duration step = std::max(kept / 16, Duration{1000});
    return Timestamp{(earliest.time_since_epoch() / step + 1) * step};
}

void FlushBuilder::add(std::uint32_t view, const std::string& entity, EntityWindows& windows,
                       std::optional<Timestamp> clock) {
    const ViewPlan& plan = *plans_[view];
    windows.flush(plan, clock, head_, changed_);
    PartialWrite write{key_of(view, entity), {}, {}, {}};
    encoded_.clear();
    codecs_[view].encode_head(head_, encoded_);
    write.head = encoded_;
    bytes_ += write.head.size();
    for (const EntityWindows::ChunkId& id : changed_) {
        ChunkWrite chunk{SealedField{origin_, plan.resolutions()[id.resolution].hop, id.number}.text(), {}};
        const auto tiles = windows.sealed_tiles(id);
        if (!tiles.empty()) codecs_[view].encode_chunk(id.resolution, tiles, chunk.bytes);
        bytes_ += chunk.bytes.size();
        write.chunks.push_back(std::move(chunk));
    }
    write.has_sealed = !write.chunks.empty();
    for (const HeadView::Resolution& resolution : head_.resolutions)
        write.has_sealed = write.has_sealed || resolution.sealed_to != kNoTile;
    // Event time may stand still for ever, so only wall-clock views can expire.
    if (plan.view().clock == View::Clock::wall && !plan.keeps_forever())
        write.expire_at = rounded_expiry(windows.newest() + plan.longest_kept(), plan.longest_kept());
    if (calls_.empty() || calls_.back().writes.size() == kWritesPerCall)
        calls_.emplace_back().writes.reserve(kWritesPerCall);
    calls_.back().writes.push_back(std::move(write));
}

std::vector<WriteCall> FlushBuilder::take() {
    bytes_ = 0;
    return std::exchange(calls_, {});
}

std::size_t FlushBuilder::resolution_with(const ViewPlan& plan, Duration hop) const {
    std::size_t r = 0;
    while (r < plan.resolutions().size() && plan.resolutions()[r].hop != hop) ++r;
    return r;
}

Result<std::optional<Head>> FlushBuilder::decode(std::uint32_t view, const LoadedPartial& loaded) {
    if (!loaded.head) return std::optional<Head>{};
    Head head;
    if (auto decoded = codecs_[view].decode_head(*loaded.head, head); !decoded) return decoded.error();
    std::vector<Chunk> chunks;
    for (const StoredChunk& stored : loaded.chunks) {
        const auto field = SealedField::parse(stored.field);
        if (!field || field->head != origin_) continue;
        const std::size_t resolution = resolution_with(*plans_[view], field->hop);
        if (resolution == plans_[view]->resolutions().size()) continue;
        Chunk& chunk = chunks.emplace_back();
        auto decoded =
            codecs_[view].decode_chunk(resolution, field->chunk, origin_.partition, stored.bytes, chunk);
        if (!decoded) return decoded.error().within("sealed tiles " + stored.field);
    }
    unfold(head, std::move(chunks));
    return std::optional<Head>{std::move(head)};
}

}  // namespace freshet
