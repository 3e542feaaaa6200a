#include "io/lookup/own_event.hpp"

#include <limits>
#include <utility>

#include "model/entity_windows.hpp"

namespace freshet {

namespace {

// The event is of the time that it is read as of, so it need not hold one.
Source without_time(Source source) {
    source.time = {};
    return source;
}

// The catalogue owns the plan.
ViewPlans plan_of(const ServedView& view) {
    return {std::shared_ptr<const ViewPlan>(std::shared_ptr<const ViewPlan>{}, &view.plan)};
}

}  // namespace

Head OwnEvent::head(const ViewPlan& plan, Timestamp t) const {
    Event event = batch_->events.front();
    event.time = event.clock = t;
    event.offset = Offset{std::numeric_limits<std::int64_t>::max()};
    EntityWindows windows(plan, PartitionId{std::numeric_limits<std::int32_t>::max()}, Generation{0});
    windows.add(plan, event);
    return windows.unfolded();
}

OwnEventDecoder::OwnEventDecoder(const ServedView& view)
    : intake_(without_time(view.source), plan_of(view), 1) {}

Result<OwnEvent> OwnEventDecoder::decode(std::string_view json) {
    intake_.restart(std::nullopt, {Offset{0}});
    std::unique_ptr<EventBatch> batch = intake_.new_batch();
    std::vector<Rejection> rejected;
    intake_.add({Offset{0}, Timestamp{}, {}, json}, *batch, rejected);
    if (!rejected.empty()) return Error{Errc::invalid_argument, rejected.front().letter.message};
    intake_.finish(*batch, Offset{1});
    return OwnEvent(std::move(batch));
}

}  // namespace freshet
