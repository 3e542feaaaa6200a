// A histogram of durations with buckets that grow with the value: 128 a power of two, so that a percentile is
// told within 0.8 %, in 60 kB and without a branch on the range.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>

namespace freshet::bench {

class Histogram {
public:
    void record(std::int64_t value) {
        const auto clipped = static_cast<std::uint64_t>(std::max<std::int64_t>(value, 0));
        ++counts_[bucket_of(clipped)];
        ++total_;
        max_ = std::max(max_, clipped);
    }

    std::uint64_t total() const { return total_; }
    std::uint64_t max() const { return max_; }

    // The smallest recorded value (up to a bucket) that at least `share` of all values do not exceed.
    std::uint64_t percentile(double share) const {
        const auto wanted =
            std::max<std::uint64_t>(1, static_cast<std::uint64_t>(share * static_cast<double>(total_) + 0.5));
        std::uint64_t seen = 0;
        for (std::size_t i = 0; i < counts_.size(); ++i) {
            seen += counts_[i];
            if (seen >= wanted) return std::min(last_of(i), max_);
        }
        return max_;
    }

private:
    static constexpr unsigned kBits = 7;
    static constexpr std::size_t kPerPower = std::size_t{1} << kBits;

    // Values below kPerPower have a bucket each; above, the highest kBits + 1 bits tell the bucket.
    static std::size_t bucket_of(std::uint64_t value) {
        if (value < kPerPower) return value;
        const unsigned shift = static_cast<unsigned>(std::bit_width(value)) - kBits - 1;
        return (shift + 1) * kPerPower + ((value >> shift) - kPerPower);
    }
    static std::uint64_t last_of(std::size_t bucket) {
        if (bucket < kPerPower) return bucket;
        const std::size_t shift = bucket / kPerPower - 1;
        return ((bucket % kPerPower + kPerPower + 1) << shift) - 1;
    }

    std::array<std::uint64_t, kPerPower*(64 - kBits + 1)> counts_{};
    std::uint64_t total_ = 0;
    std::uint64_t max_ = 0;
};

}  // namespace freshet::bench
