// How old what is served may be, and how old it is. All times are of one clock, Redis's.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/ids.hpp"

namespace freshet {

// Staleness by feature, from the visibility watermarks of its source's partitions. A feature is as stale as the
// partition that is furthest behind, since a missing event may be on its way in any of them.
class FreshnessTracker {
public:
    // A feature, "view.feature", of a source with `partitions` partitions.
    void track(const std::string& feature, const std::string& source, std::int32_t partitions);
    // Everything that was in this partition at `watermark` is counted and visible. Never moves back.
    void visible(const std::string& source, PartitionId partition, Timestamp watermark);

    // `now` minus the lowest watermark, at least 0. None: unknown feature, or a partition without a watermark.
    std::optional<Duration> get_staleness(std::string_view feature, Timestamp now) const;
    // Whether the staleness is known and at most `max_staleness`.
    bool check_freshness(std::string_view feature, Duration max_staleness, Timestamp now) const;

private:
    struct Source {
        std::int32_t partitions = 0;
        std::map<PartitionId, Timestamp> watermarks;
    };
    std::map<std::string, Source, std::less<>> sources_;
    std::map<std::string, std::string, std::less<>> source_of_;
};

}  // namespace freshet
