// Records of one partition to batches: decoding, the rules of time, each view's `where` and entity, dead
// letters.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "io/event_log.hpp"
#include "io/events/event_decoder.hpp"
#include "model/event_batch.hpp"
#include "model/view_plan.hpp"

namespace freshet {

using ViewPlans = std::vector<std::shared_ptr<const ViewPlan>>;

// A source with its views made ready.
struct SourcePlan {
    Source source;
    ViewPlans views;
};

// Why a record, or its part in one view, is not counted. `view` is empty when no view counts it.
struct Rejection {
    Offset offset;
    DeadLetter letter;
    std::string view;
};

class EventIntake {
public:
    // `plans`: the views of `source`. Entities are spread over `aggregators` by hash.
    EventIntake(const Source& source, ViewPlans plans, std::size_t aggregators);

    // Starts over: the partition's clock as recorded, and where each view goes on.
    void restart(std::optional<Timestamp> clock, std::vector<Offset> view_next);

    std::unique_ptr<EventBatch> new_batch() const;
    // Adds a record; rejections go to `rejected`. Offsets rise from call to call.
    void add(const LogRecord& record, EventBatch& batch, std::vector<Rejection>& rejected);
    // Call once, after the last record: `next` is one past the last offset seen.
    void finish(EventBatch& batch, Offset next);

    std::optional<Timestamp> clock() const { return clock_; }

private:
    std::optional<DeadLetter> check_time(Timestamp time, Timestamp kafka_time) const;
    void touch_views(EventBatch& batch, Offset offset, std::span<const Value> fields,
                     std::vector<Rejection>& rejected);
    std::optional<std::string_view> entity_name(const ViewPlan& plan, std::span<const Value> fields,
                                                StringArena& strings);

    const Source source_;
    ViewPlans plans_;
    std::size_t aggregators_;
    EventDecoder decoder_;
    std::optional<Timestamp> clock_;
    std::vector<Offset> view_next_;
    std::size_t expected_ = 0;  // events of a batch: as many as the last one had
    std::string name_;          // scratch
};

// The name of an entity from the texts of its columns (docs/semantics.md, Views).
void join_entity(std::span<const std::string_view> columns, std::string& name);

}  // namespace freshet
