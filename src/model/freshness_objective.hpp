// Whether a view keeps its max_staleness, told over time: a state that does not flap, and how much of the last
// minutes, hours and day was in breach. Times are of one clock, the caller's.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "model/ids.hpp"

namespace freshet {

class FreshnessObjective {
public:
    // A breach ends when the view has been fresh for so long.
    static constexpr Duration kCalm{5'000};
    // A view whose staleness was never known is given so long from the first look, since it may just begin.
    static constexpr Duration kBeginning{10'000};

    explicit FreshnessObjective(Duration max_staleness) : max_staleness_(max_staleness) {}

    // One look at the view; times do not fall. None: its staleness is not known, which is a breach. Whether the
    // state has changed by it.
    bool take(Timestamp at, std::optional<Duration> staleness);

    Duration max_staleness() const { return max_staleness_; }
    bool in_breach() const { return in_breach_; }
    // When the breach that lasts, or was last, began; none: there was none.
    std::optional<Timestamp> breach_began() const { return breach_began_; }
    // Of the looks within `over`, at most a day, until `now`: the part that found a breach, 0 to 1. By whole
    // minutes. 0 when there was none.
    double burnt(Duration over, Timestamp now) const;

private:
    struct Minute {
        std::int64_t number = -1;  // since 1970
        std::uint32_t looks = 0;
        std::uint32_t breaches = 0;
    };

    Duration max_staleness_;
    bool in_breach_ = false;
    std::optional<Timestamp> breach_began_;
    std::optional<Timestamp> fresh_since_;
    std::optional<Timestamp> first_look_;
    bool known_ = false;  // its staleness, at some look
    std::array<Minute, 24 * 60> minutes_{};
};

}  // namespace freshet
