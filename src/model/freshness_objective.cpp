#include "model/freshness_objective.hpp"

#include "model/freshness_tracker.hpp"

namespace freshet {

namespace {

std::int64_t minute_of(Timestamp t) {
    return std::chrono::floor<std::chrono::minutes>(t).time_since_epoch().count();
}

}  // namespace

bool FreshnessObjective::take(Timestamp at, std::optional<Duration> staleness) {
    if (!first_look_) first_look_ = at;
    known_ = known_ || staleness;
    if (!known_ && at - *first_look_ < kBeginning) return false;
    const bool breach = !is_fresh(staleness, max_staleness_);
    const std::int64_t number = minute_of(at);
    Minute& minute = minutes_[static_cast<std::size_t>(number) % minutes_.size()];
    if (minute.number != number) minute = {number, 0, 0};
    ++minute.looks;
    minute.breaches += breach ? 1 : 0;

    if (breach) {
        fresh_since_.reset();
        if (in_breach_) return false;
        breach_began_ = at;
        return in_breach_ = true;
    }
    if (!fresh_since_) fresh_since_ = at;
    if (!in_breach_ || at - *fresh_since_ < kCalm) return false;
    in_breach_ = false;
    return true;
}

double FreshnessObjective::burnt(Duration over, Timestamp now) const {
    const std::int64_t last = minute_of(now), first = minute_of(now - over) + 1;
    std::uint64_t looks = 0, breaches = 0;
    for (const Minute& minute : minutes_) {
        if (minute.number < first || minute.number > last) continue;
        looks += minute.looks;
        breaches += minute.breaches;
    }
    return looks == 0 ? 0 : static_cast<double>(breaches) / static_cast<double>(looks);
}

}  // namespace freshet
