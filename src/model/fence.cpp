#include "model/fence.hpp"

#include <algorithm>

namespace freshet {

void FenceBook::taken(const Partition& partition, Epoch epoch, std::uint64_t calls) {
    held_[partition] = {epoch, calls};
}

void FenceBook::acked(const Partition& partition, Epoch epoch, std::uint64_t calls) {
    const auto held = held_.find(partition);
    if (held == held_.end() || held->second.epoch != epoch) return;
    held->second.acked_calls = std::max(held->second.acked_calls, calls);
}

std::optional<Fence> FenceBook::fence(const Partition& partition, Epoch epoch) const {
    const auto held = held_.find(partition);
    if (held == held_.end() || held->second.epoch != epoch) return std::nullopt;
    return Fence{partition, epoch, held->second.acked_calls};
}

Error FenceBook::over(const Partition& partition) {
    return {Errc::fenced, partition.text() + " has begun a new life"};
}

}  // namespace freshet
