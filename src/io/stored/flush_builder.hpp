// Changed entities to fenced write calls, and stored bytes back to entities: where the windows meet their
// encoding.
#pragma once

#include <string>
#include <vector>

#include "io/events/event_intake.hpp"
#include "io/partial_store.hpp"
#include "io/stored/partial_codec.hpp"
#include "io/stored/stored_fields.hpp"
#include "model/entity_windows.hpp"

namespace freshet {

// Heads of one script call. Enough to make the fence nearly free, few enough not to hold up the server.
constexpr std::size_t kWritesPerCall = 32;

// For one origin: a partition and its generation. `view` is an index into the plans.
class FlushBuilder {
public:
    FlushBuilder(const Source& source, ViewPlans plans, PartitionId partition, Generation generation);

    // Adds an entity as it stands. `clock`: the partition's, as recorded; tiles are kept behind it.
    void add(std::uint32_t view, const std::string& entity, EntityWindows& windows,
             std::optional<Timestamp> clock);
    // What was added since the last call, in calls of kWritesPerCall; the fences are the writer's to fill in.
    std::vector<WriteCall> take();
    // Of heads and chunks in what take() will hand out.
    std::size_t bytes() const { return bytes_; }

    // Layouts that stored values of a view may be in (PartialCodec::learn).
    void learn(std::uint32_t view, std::string_view layouts) { codecs_[view].learn(layouts); }

    PartialKey key_of(std::uint32_t view, const std::string& entity) const;
    // The stored state of an entity, unfolded; none where nothing is stored.
    Result<std::optional<Head>> decode(std::uint32_t view, const LoadedPartial& loaded);

private:
    std::size_t resolution_with(const ViewPlan& plan, Duration hop) const;

    ViewPlans plans_;
    HeadField origin_;
    std::string origin_text_;
    std::vector<PartialCodec> codecs_;  // one a view
    std::vector<WriteCall> calls_;
    std::size_t bytes_ = 0;
    HeadView head_;        // scratch
    std::string encoded_;  // scratch: grows once, so that a head is allocated as long as it is
    std::vector<EntityWindows::ChunkId> changed_;  // scratch
};

}  // namespace freshet
