#include "model/turn_order.hpp"

#include <algorithm>

namespace freshet {

bool TurnJudge::take(SteadyTime at, std::optional<Duration> staleness, std::int64_t to_come) {
    if (!max_staleness_ || !staleness) return false;
    const bool late = *staleness > *max_staleness_;
    // Between the two nothing is told.
    const bool seen = hopeless_ ? late : late && to_come >= backlog_;
    if (seen == hopeless_) {
        differs_since_.reset();
        return false;
    }
    if (!differs_since_) differs_since_ = at;
    if (at - *differs_since_ < kSustained) return false;
    differs_since_.reset();
    hopeless_ = seen;
    return true;
}

int TurnJudge::rank() const {
    const int rank = hopeless_ ? 2 : max_staleness_ ? 0 : 1;
    return rank + (priority_ == Priority::low) - (priority_ == Priority::high);
}

std::shared_ptr<TurnOrder::Seat> TurnOrder::sit(const std::shared_ptr<TurnOrder>& order,
                                                const std::string& source) {
    const std::shared_ptr<Seat> seat(new Seat(order));
    const std::lock_guard lock(order->mutex_);
    order->seats_.emplace(seat.get(), source);
    return seat;
}

TurnOrder::Seat::~Seat() {
    const std::lock_guard lock(order_->mutex_);
    order_->seats_.erase(this);
    order_->settle();
}

void TurnOrder::Seat::set_rank(int rank) {
    const std::lock_guard lock(order_->mutex_);
    if (rank_ == rank) return;
    rank_ = rank;
    order_->settle();
}

void TurnOrder::settle() {
    std::map<std::string, int> ranks;  // of each source, its worst
    for (const auto& [seat, source] : seats_) {
        if (!seat->rank_) continue;
        const auto [known, is_new] = ranks.emplace(source, *seat->rank_);
        if (!is_new) known->second = std::max(known->second, *seat->rank_);
    }
    std::optional<int> first;
    for (const auto& [source, rank] : ranks) first = std::min(first.value_or(rank), rank);
    for (const auto& [seat, source] : seats_) {
        const auto rank = ranks.find(source);
        seat->gives_way_.store(rank != ranks.end() && rank->second > *first, std::memory_order_relaxed);
    }
}

}  // namespace freshet
