#include "model/frontier.hpp"

#include <algorithm>

namespace freshet {

Frontier::Frontier(Offset start, std::size_t aggregators) : flushed_(aggregators, start), safe_{start, {}} {}

void Frontier::shipped(Offset next, std::optional<Timestamp> clock) {
    shipped_.push_back({next, clock});
    settle();
}

void Frontier::dead_letter_acked(Offset offset) {
    const auto found = dead_letters_.find(offset);
    if (found != dead_letters_.end()) dead_letters_.erase(found);
    settle();
}

void Frontier::flushed(std::size_t aggregator, Offset next) {
    flushed_[aggregator] = std::max(flushed_[aggregator], next);
    settle();
}

void Frontier::settle() {
    Offset limit = *std::min_element(flushed_.begin(), flushed_.end());
    if (!dead_letters_.empty()) limit = std::min(limit, *dead_letters_.begin());
    while (!shipped_.empty() && shipped_.front().next <= limit) {
        safe_ = shipped_.front();
        shipped_.pop_front();
    }
}

}  // namespace freshet
