#include "model/freshness_tracker.hpp"

#include <algorithm>

namespace freshet {

void LowestWatermark::add(std::optional<Timestamp> watermark) {
    known_ = known_ && watermark;
    if (watermark) lowest_ = std::min(lowest_.value_or(*watermark), *watermark);
}

std::optional<Duration> staleness(std::optional<Timestamp> watermark, Timestamp now) {
    if (!watermark) return std::nullopt;
    return std::max(Duration{0}, now - *watermark);
}

bool is_fresh(std::optional<Duration> staleness, Duration max_staleness) {
    return staleness && *staleness <= max_staleness;
}

void FreshnessTracker::track(std::string name, std::size_t view) {
    view_of_.insert_or_assign(std::move(name), view);
    watermarks_.resize(std::max(watermarks_.size(), view + 1));
}

void FreshnessTracker::visible(std::size_t view, std::optional<Timestamp> watermark) {
    watermarks_.resize(std::max(watermarks_.size(), view + 1));
    watermarks_[view] = watermark;
}

std::optional<Duration> FreshnessTracker::get_staleness(std::string_view name, Timestamp now) const {
    const auto view = view_of_.find(name);
    return view == view_of_.end() ? std::nullopt : staleness(watermarks_[view->second], now);
}

bool FreshnessTracker::check_freshness(std::string_view name, Duration max_staleness, Timestamp now) const {
    return is_fresh(get_staleness(name, now), max_staleness);
}

}  // namespace freshet
