// What a replica may answer, and what its primary is asked instead. A replica is behind: it may say that a view
// has not come as far as it has, which the records that it holds tell, but nothing that was never so.
#include "io/lookup/lookup_engine.hpp"

namespace freshet {

// AFTER wants what was just written; FS.EXPLAIN explains with the last word.
bool LookupEngine::may_read_replica(const LookupRequest& request) {
    return !request.query.after && request.kind != LookupRequest::Kind::explain;
}

bool LookupEngine::leave_replica(LookupRequest& request, std::uint64_t tag, const RedisAnswer& answer) {
    if (request.rows.empty() || step_of(tag) == Step::epoch) return false;
    LookupRequest::Row& row = request.rows[row_of(tag)];
    if (!row.asked->primary) return false;
    if (step_of(tag) == Step::queued) {
        row.refused = row.refused || answer.is_error();  // the end of the transaction follows
        return true;
    }
    if (is_last_word(request, tag, answer)) return false;
    row.store = row.asked = row.store->primary;
    if (!row.store->redis.usable()) {
        fail(request, "UNAVAILABLE", row.store->redis.reason());
        return true;
    }
    row.store->progress.refresh(request.query.view->topic, now);
    send_again(request, tag);
    return true;
}

// It is not where anything is wrong. Nor where the entity, or the sealed tiles that were asked for, are not
// there: they may be on their way to another primary, which only the primary knows, or not have come yet. Nor
// where the replica may not have the slot yet. Nor where the answer is older than the view may be and the
// primary could do better.
bool LookupEngine::is_last_word(LookupRequest& request, std::uint64_t tag, const RedisAnswer& answer) {
    const LookupRequest::Row& row = request.rows[row_of(tag)];
    if (row.refused || answer.is_error()) return false;
    if (step_of(tag) == Step::names) return true;
    const bool whole = step_of(tag) == Step::whole;
    if (whole && answer.elements.size() != 2) return false;
    if (whole ? answer.elements[0].elements.empty() || answer.elements[1].elements.empty()
              : answer.elements.empty())
        return false;

    const ServedView& view = *request.query.view;
    const LookupProgress& records = row.store->progress;
    const ViewProgressSummary& summary = records.summary(view);
    if (!records.trouble(view.topic).empty() || !records.settled(view.topic) || !summary.foreign.empty())
        return false;
    if (!records.vouches_for(view.topic, slot_of(head_key(request, row_of(tag))))) return false;
    const ReadMoment moment{{}, summary.watermark, {}, records.redis_now(now)};
    return !moment.breaks(view.tightest_of(request.query.features)) || !row.store->primary->redis.usable();
}

}  // namespace freshet
