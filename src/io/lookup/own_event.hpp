// An event of a caller's own, which one answer counts as if it had just happened (WITH).
#pragma once

#include <memory>
#include <string_view>

#include "io/events/event_intake.hpp"
#include "io/lookup/lookup_catalogue.hpp"
#include "model/partial.hpp"

namespace freshet {

// What ingestion makes of the event.
class OwnEvent {
public:
    explicit OwnEvent(std::unique_ptr<EventBatch> batch) : batch_(std::move(batch)) {}

    // False: the view's `where` refuses it.
    bool counts() const { return !batch_->touches.front().empty(); }
    // Requires counts().
    std::string_view entity() const { return batch_->touches.front().front().entity; }
    // An origin that holds this event alone, which happened at `t`, after all others of that time. Requires
    // counts().
    Head head(const ViewPlan& plan, Timestamp t) const;

private:
    std::unique_ptr<EventBatch> batch_;
};

// One a view and loop. `view` outlives it.
class OwnEventDecoder {
public:
    explicit OwnEventDecoder(const ServedView& view);

    // Fails when the event would be a dead letter of the source or of the view.
    Result<OwnEvent> decode(std::string_view json);

private:
    EventIntake intake_;
};

}  // namespace freshet
