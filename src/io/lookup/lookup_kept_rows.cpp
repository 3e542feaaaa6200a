// Rows of views with `cache_for`: given again while they are young enough and the freshness of all their
// features holds.
#include "io/lookup/lookup_engine.hpp"
#include "model/freshness_tracker.hpp"

namespace freshet {

void LookupEngine::write_kept(LookupRequest& request) {
    const auto most = request.query.view->tightest_of(request.query.features);
    for (std::size_t row = 0; row < request.rows.size(); ++row) write_kept_row(request, row, most);
    observer_.from_cache(request.written, request.rows.size() - request.written);
}

void LookupEngine::write_kept_row(LookupRequest& request, std::size_t row, std::optional<Duration> most) {
    const Duration young = request.query.view->plan.view().freshness.cache_for;
    const auto kept = kept_.find(*request.shape, request.query.entity(row), now - young);
    if (!kept) return;
    // Redis's time since then has gone on as ours has; rounded up, so that no staleness is understated.
    const Timestamp redis_now = kept->redis_now + std::chrono::ceil<Duration>(now - kept->read);
    const auto staleness = freshet::staleness(kept->watermark, redis_now);
    if (most && !is_fresh(staleness, *most)) return;
    const std::size_t begin = request.body.size();
    request.body += kept->before;
    if (request.query.meta) RespWriter(request.body).integer(staleness->count());
    request.body += kept->behind;
    note_written(request, row, begin);
}

// Not what is missing: whether Redis was emptied has not been asked yet. Nor what is stale, or may be.
void LookupEngine::note_to_keep(LookupRequest& request, std::size_t row) {
    const ReadMoment& moment = moment_of_row(request, row).read;
    const RowReader& reader = *readers_[request.query.view->index];
    if (!moment.watermark || reader.wrote_missing()) return;
    if (moment.breaks(request.query.view->tightest_of(request.query.features))) return;
    const auto [begin, end] = reader.staleness_place();
    request.rows[row].kept_before = begin;
    request.rows[row].kept_behind = end;
}

void LookupEngine::keep_rows(LookupRequest& request) {
    const std::string_view body = request.body;
    for (std::size_t i = 0; i < request.rows.size(); ++i) {
        const LookupRequest::Row& row = request.rows[i];
        if (!row.to_be_kept()) continue;
        const LookupRequest::Moment& moment = moment_of_row(request, i);
        kept_.put(*request.shape, request.query.entity(i),
                  {body.substr(row.begin, row.kept_before - row.begin),
                   body.substr(row.kept_behind, row.end - row.kept_behind), *moment.read.watermark,
                   moment.read.now, moment.taken});
    }
}

}  // namespace freshet
