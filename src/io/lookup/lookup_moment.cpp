// When a request is read: not before its view has come as far as it asks, and as of which time.
#include <utility>

#include "io/lookup/lookup_engine.hpp"

namespace freshet {

namespace {

constexpr Duration kLookAgain{5};     // for the record of a view that has not come far enough
constexpr Duration kTryAgain{1'000};  // how long, while keys are on their way to another primary

}  // namespace

LookupRequest::Moment* LookupEngine::moment_of(LookupRequest& request, LookupStore& store) {
    for (LookupRequest::Moment& moment : request.moments)
        if (moment.store == &store) return &moment;
    return take_moment(request, store) ? &request.moments.back() : nullptr;
}

bool LookupEngine::take_moment(LookupRequest& request, LookupStore& store) {
    const ServedView& view = *request.query.view;
    const LookupProgress& progress = store.progress;
    if (const std::string& trouble = progress.trouble(view.topic); !trouble.empty()) {
        fail(request, "UNAVAILABLE", trouble);
        return false;
    }
    if (!progress.settled(view.topic)) {
        request.read_again = true;
        return false;
    }
    const ViewProgressSummary& summary = progress.summary(view);
    if (!summary.foreign.empty()) {
        fail(request, "UNAVAILABLE",
             summary.foreign + " is counted under another definition than this node serves; give the nodes " +
                 "one configuration, or raise the view's version");
        return false;
    }
    if (request.query.after && !has_come(request, progress)) return false;
    request.moments.push_back({&store, {{}, summary.watermark, summary.since, progress.redis_now(now)}, now});
    return take_time(request, summary);
}

bool LookupEngine::vouched_for(LookupRequest& request, std::size_t row) {
    const LookupStore& store = *request.rows[row].store;
    const std::size_t topic = request.query.view->topic;
    if (!store.progress.doubts_slots(topic)) return true;
    if (store.progress.vouches_for(topic, slot_of(head_key(request, row)))) return true;
    fail(request, "UNAVAILABLE",
         store.redis.where() + " has come back with a copy of its data from before it received this entity");
    return false;
}

bool LookupEngine::take_time(LookupRequest& request, const ViewProgressSummary& summary) {
    const View& view = request.query.view->plan.view();
    ReadMoment& moment = request.moments.back().read;
    const bool by_event = view.clock == View::Clock::event;
    const std::optional<Timestamp> clock = by_event ? summary.clock : moment.now;
    moment.at = clock;
    if (request.query.at && clock) {
        moment.at = request.query.at;
        if (const Timestamp oldest = *clock - view.retain; *request.query.at < oldest) {
            fail(request, "RANGE",
                 "AT " + std::to_string(unix_ms(*request.query.at)) + " is before " +
                     std::to_string(unix_ms(oldest)) + ", the oldest time that view " + view.name +
                     " answers for");
            return false;
        }
    }
    if (request.kind != LookupRequest::Kind::get || !moment.breaks(request.query.view->tightest)) return true;
    return !refuse_stale(request, moment);
}

// Where on_breach is error, by the first feature that is asked for and in breach.
bool LookupEngine::refuse_stale(LookupRequest& request, const ReadMoment& moment) {
    const ServedView& view = *request.query.view;
    for (const std::size_t feature : request.query.features) {
        const ServedView::Contract& contract = view.contracts[feature];
        if (contract.on_breach != OnBreach::error || !moment.breaks(contract.max_staleness)) continue;
        const auto staleness = moment.staleness();
        const bool own = view.declared(feature).freshness.max_staleness.has_value();
        fail(request, "STALE",
             (own ? "feature " + view.name() + "." + view.declared(feature).name : "view " + view.name()) +
                 " is " + (staleness ? std::to_string(staleness->count()) + " ms" : "unknown time") +
                 " behind, max_staleness is " + std::to_string(contract.max_staleness->count()) + " ms");
        return true;
    }
    return false;
}

bool LookupEngine::has_come(LookupRequest& request, const LookupProgress& records) {
    const ServedView& view = *request.query.view;
    const LookupQuery::After& after = *request.query.after;
    const auto& partitions = records.partitions(view.topic);
    if (after.partition >= partitions.size() && partitions.front().recorded) {
        fail(request, "BADARG",
             "topic " + view.source.topic + " has " + std::to_string(partitions.size()) +
                 " partitions, and AFTER names partition " + std::to_string(after.partition));
        return false;
    }
    const auto& progress = records.progress(view, after.partition);
    // A topic that was made anew counts its offsets from the start.
    const bool of_this_log = progress && progress->generation == partitions[after.partition].generation;
    request.not_yet = !of_this_log || progress->next <= after.offset;
    return !request.not_yet;
}

void LookupEngine::wait(LookupRequest& request) {
    const LookupQuery::After& after = *request.query.after;
    if (now - request.started >= after.most) {
        fail(request, "BUSY",
             "view " + request.query.view->name() + " has not come past offset " +
                 std::to_string(after.offset.value) + " of partition " + std::to_string(after.partition) +
                 " within " + std::to_string(after.most.count()) + " ms");
        return finish(request);
    }
    waiting_.push_back(&request);
    if (waiting_.size() == 1) later_(kLookAgain);
}

// Keys of a slot that moves arrive one after the other; a head and its sealed tiles may be parted for a moment.
void LookupEngine::try_again(LookupRequest& request) {
    if (now - request.started >= kTryAgain) {
        fail(request, "UNAVAILABLE", request.try_again);
        return finish(request);
    }
    waiting_.push_back(&request);
    if (waiting_.size() == 1) later_(kLookAgain);
}

void LookupEngine::look_again() {
    for (LookupRequest* request : std::exchange(waiting_, {})) {
        LookupRequest& told = request->whole ? *request->whole : *request;
        if (!told.waiter || told.failed) {
            told.failed = true;  // of a vector that no one waits for, no rows are put together
            finish(*request);
            continue;
        }
        request->attempts = 0;
        send(*request);
        if (request->waiting == 0) settle(*request);
    }
}

}  // namespace freshet
