#include "model/turn_order.hpp"

#include <algorithm>
#include <utility>

namespace freshet {

bool TurnJudge::take(SteadyTime at, const std::vector<TurnLook>& looks) {
    if (!terms_.max_staleness || looks.empty() || seen_hopeless(looks) == hopeless_) {
        differs_since_.reset();
        return false;
    }
    if (!differs_since_) differs_since_ = at;
    if (at - *differs_since_ < kSustained) return false;
    differs_since_.reset();
    hopeless_ = !hopeless_;
    return true;
}

// Between a backlog that is late and all being known to be in time nothing is told.
bool TurnJudge::seen_hopeless(const std::vector<TurnLook>& looks) const {
    if (hopeless_) return !std::ranges::all_of(looks, [&](const TurnLook& l) { return l.known && !late(l); });
    return std::ranges::any_of(looks,
                               [&](const TurnLook& l) { return late(l) && l.to_come >= terms_.backlog; });
}

int TurnJudge::rank() const {
    const int rank = hopeless_ ? 2 : terms_.max_staleness ? 0 : 1;
    return rank + (terms_.priority == Priority::low) - (terms_.priority == Priority::high);
}

std::shared_ptr<TurnOrder::Seat> TurnOrder::sit(const std::shared_ptr<TurnOrder>& order,
                                                const std::string& source, const TurnJudge::Terms& terms,
                                                const ShedJudge::Terms& shed_terms) {
    const std::shared_ptr<Seat> seat(new Seat(order, source));
    const std::lock_guard lock(order->mutex_);
    const auto standing = order->sources_.try_emplace(source, Standing{TurnJudge(terms), shed_terms}).first;
    standing->second.seats.push_back(seat.get());
    order->settle();
    return seat;
}

TurnOrder::Seat::~Seat() { order_->leave(*this); }

std::optional<TurnChange> TurnOrder::Seat::look(TurnJudge::SteadyTime at, const TurnLook& look) {
    return order_->look(*this, at, look);
}

std::optional<TurnChange> TurnOrder::look(Seat& seat, TurnJudge::SteadyTime at, const TurnLook& look) {
    const std::lock_guard lock(mutex_);
    Standing& standing = sources_.at(seat.source_);
    seat.seen_ = look;
    std::vector<TurnLook> looks;
    for (const Seat* one : standing.seats)
        if (one->seen_) looks.push_back(*one->seen_);
    const TurnLook& worst = *std::ranges::max_element(looks, {}, &TurnLook::staleness);
    if (standing.shed_judge.take(at, looks, looks.size() == standing.seats.size())) {
        std::int64_t to_come = 0;
        for (const TurnLook& one : looks) to_come += one.to_come;
        standing.untold = {seat.source_, standing.shed_judge.sheds(), worst.staleness, to_come};
        settle();
    }
    const int before = standing.judge.rank();
    if (!standing.judge.take(at, looks)) return std::nullopt;
    settle();
    return TurnChange{seat.source_, before, standing.judge.rank(), worst};
}

std::optional<ShedChange> TurnOrder::Seat::take_shed_change() {
    const std::lock_guard lock(order_->mutex_);
    return std::exchange(order_->sources_.at(source_).untold, std::nullopt);
}

void TurnOrder::left(const std::string& source) {
    const std::lock_guard lock(mutex_);
    const auto standing = sources_.find(source);
    if (standing == sources_.end()) return;
    standing->second.shed_judge = ShedJudge(standing->second.shed_terms);
    standing->second.untold.reset();
    settle();
}

void TurnOrder::leave(const Seat& seat) {
    const std::lock_guard lock(mutex_);
    std::erase(sources_.at(seat.source_).seats, &seat);
    settle();
}

void TurnOrder::settle() {
    std::optional<int> first;
    for (const auto& [source, standing] : sources_)
        if (!standing.seats.empty())
            first = std::min(first.value_or(standing.judge.rank()), standing.judge.rank());
    for (const auto& [source, standing] : sources_)
        for (Seat* seat : standing.seats) {
            seat->gives_way_.store(standing.judge.rank() > *first, std::memory_order_relaxed);
            seat->sheds_.store(standing.shed_judge.sheds(), std::memory_order_relaxed);
        }
}

}  // namespace freshet
