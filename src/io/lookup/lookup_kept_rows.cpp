// Rows of views with `cache_for`: given again while they are young enough and their view's freshness holds.
#include "io/lookup/lookup_engine.hpp"
#include "model/freshness_tracker.hpp"

namespace freshet {

void LookupEngine::write_kept(LookupRequest& request) {
    for (std::size_t row = 0; row < request.rows.size(); ++row) write_kept_row(request, row);
    observer_.from_cache(request.written, request.rows.size() - request.written);
}

void LookupEngine::write_kept_row(LookupRequest& request, std::size_t row) {
    const Freshness& allowed = request.query.view->plan.view().freshness;
    const auto kept = kept_.find(*request.shape, request.query.entity(row), now - allowed.cache_for);
    if (!kept) return;
    // Redis's time since then has gone on as ours has; rounded up, so that no staleness is understated.
    const Timestamp redis_now = kept->redis_now + std::chrono::ceil<Duration>(now - kept->read);
    const auto staleness = freshet::staleness(kept->watermark, redis_now);
    if (allowed.max_staleness && !is_fresh(staleness, *allowed.max_staleness)) return;
    const std::size_t begin = request.body.size();
    request.body += kept->before;
    if (request.query.meta) RespWriter(request.body).integer(staleness->count());
    request.body += kept->behind;
    note_written(request, row, begin);
}

// Not what is missing: whether Redis was emptied has not been asked yet. Nor what is stale, or may be.
void LookupEngine::keep_row(const LookupRequest& request, std::size_t row, const ReadMoment& moment) {
    const RowReader& reader = *readers_[request.query.view->index];
    if (!moment.watermark || moment.in_breach(*request.query.view) || reader.wrote_missing()) return;
    const auto [begin, end] = reader.staleness_place();
    const LookupRequest::Row& written = request.rows[row];
    const std::string_view body = request.body;
    kept_.put(*request.shape, request.query.entity(row),
              {body.substr(written.begin, begin - written.begin), body.substr(end, written.end - end),
               *moment.watermark, moment.now, now});
}

}  // namespace freshet
