// Replies for people: what views there are, and what stands behind one number.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "io/lookup/lookup_progress.hpp"
#include "io/lookup/lookup_query.hpp"
#include "io/lookup/lookup_row.hpp"
#include "io/redis/resp_writer.hpp"
#include "model/freshness_tracker.hpp"

namespace freshet {

void write_view(const ServedView& view, RespWriter& out);
void write_service(const ServedService& service, RespWriter& out);

// The part of a head that one merge stands for, of the window that a query's only feature reads.
struct MergedRange {
    TileNumber from = kNoTile;  // kNoTile: nothing is merged
    TileNumber to = kNoTile;
    std::uint32_t tiles = 0;
};
std::vector<MergedRange> merged_ranges(const LookupQuery& query, std::span<const Head* const> heads);

// `reader` holds the entity, unfolded; `merged` is what its heads said before.
void write_explanation(const LookupQuery& query, const ReadMoment& moment, RowReader& reader,
                       std::span<const MergedRange> merged, const LookupProgress& progress, RespWriter& out);

// Of each view, by its name, and of each feature, as view.feature.
FreshnessTracker tracker_of(const LookupCatalogue& catalogue);
// The reply to FS.FRESHNESS.
void write_freshness(const LookupQuery& query, const LookupCatalogue& catalogue,
                     const FreshnessTracker& tracker, Timestamp now, RespWriter& out);

std::string scalar_text(const Scalar& value);

}  // namespace freshet
