#include "model/activity.hpp"

#include <utility>

namespace freshet {

void BucketCounts::add(const BucketCounts& other) {
    if (at_most.empty()) {
        *this = other;
        return;
    }
    for (std::size_t i = 0; i < at_most.size(); ++i) at_most[i] += other.at_most[i];
}

std::optional<double> BucketCounts::quantile_since(const BucketCounts& before, double part) const {
    if (at_most.empty()) return std::nullopt;
    const auto came = [&](std::size_t i) {
        return static_cast<double>(at_most[i] - (before.at_most.empty() ? 0 : before.at_most[i]));
    };
    const double all = came(bounds.size());
    if (all == 0) return std::nullopt;
    double below = 0, lower = 0;
    for (std::size_t i = 0; i < bounds.size(); ++i) {
        const double here = came(i);
        if (here >= part * all) return lower + (bounds[i] - lower) * (part * all - below) / (here - below);
        below = here;
        lower = bounds[i];
    }
    return lower;  // beyond the last bound nothing is known
}

void ActivityHistory::take(Timestamp at, ActivityTotals totals) {
    if (last_at_ && at > *last_at_) {
        const double seconds = std::chrono::duration<double>(at - *last_at_).count();
        samples_.push_back({at, (totals.events - last_.events) / seconds,
                            (totals.lookups - last_.lookups) / seconds,
                            totals.readable_s.quantile_since(last_.readable_s, 0.99),
                            totals.lookup_s.quantile_since(last_.lookup_s, 0.99)});
        if (samples_.size() > most_) samples_.pop_front();
    }
    if (last_at_ && at == *last_at_) return;
    last_at_ = at;
    last_ = std::move(totals);
}

}  // namespace freshet
