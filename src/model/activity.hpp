// How much a node has been doing: rates and 99th percentiles between looks at counters that only grow, for the
// last minutes. Times are of one clock, the caller's.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "model/ids.hpp"

namespace freshet {

// How many observations were at most each of the bounds; behind them, how many there were.
struct BucketCounts {
    std::vector<double> bounds;
    std::vector<std::uint64_t> at_most;  // one more than bounds

    // Of another histogram with the same bounds; an empty one takes them over.
    void add(const BucketCounts& other);
    // Of what came since `before`, the value that this part of it does not exceed, 0 to 1, as if values lay
    // evenly between bounds. None: nothing came.
    std::optional<double> quantile_since(const BucketCounts& before, double part) const;
};

// Since the node's start.
struct ActivityTotals {
    double events = 0;
    double lookups = 0;
    BucketCounts readable_s;  // from Kafka's time of an event until look-ups see it
    BucketCounts lookup_s;
};

struct ActivitySample {
    Timestamp at;
    double events_per_s = 0;
    double lookups_per_s = 0;
    std::optional<double> readable_p99_s;  // none: there was nothing
    std::optional<double> lookup_p99_s;
};

class ActivityHistory {
public:
    explicit ActivityHistory(std::size_t most_samples) : most_(most_samples) {}

    // The first look gives no sample, nor does one at the time of the look before.
    void take(Timestamp at, ActivityTotals totals);
    // The oldest first.
    const std::deque<ActivitySample>& samples() const { return samples_; }

private:
    std::size_t most_;
    std::optional<Timestamp> last_at_;
    ActivityTotals last_;
    std::deque<ActivitySample> samples_;
};

}  // namespace freshet
