#include "model/freshness_tracker.hpp"

#include <algorithm>

namespace freshet {

void FreshnessTracker::track(const std::string& feature, const std::string& source, std::int32_t partitions) {
    source_of_[feature] = source;
    sources_[source].partitions = std::max(sources_[source].partitions, partitions);
}

void FreshnessTracker::visible(const std::string& source, PartitionId partition, Timestamp watermark) {
    auto [known, is_new] = sources_[source].watermarks.try_emplace(partition, watermark);
    if (!is_new) known->second = std::max(known->second, watermark);
}

std::optional<Duration> FreshnessTracker::get_staleness(std::string_view feature, Timestamp now) const {
    const auto source = source_of_.find(feature);
    if (source == source_of_.end()) return std::nullopt;
    const Source& known = sources_.find(source->second)->second;
    std::optional<Timestamp> lowest;
    for (std::int32_t p = 0; p < known.partitions; ++p) {
        const auto watermark = known.watermarks.find(PartitionId{p});
        if (watermark == known.watermarks.end()) return std::nullopt;
        lowest = lowest ? std::min(*lowest, watermark->second) : watermark->second;
    }
    if (!lowest) return std::nullopt;
    return std::max(Duration{0}, now - *lowest);
}

bool FreshnessTracker::check_freshness(std::string_view feature, Duration max_staleness, Timestamp now) const {
    const auto staleness = get_staleness(feature, now);
    return staleness && *staleness <= max_staleness;
}

}  // namespace freshet
