#include "model/fence.hpp"

#include <string>

namespace freshet {

void FenceBook::taken(const Partition& partition, Epoch epoch, std::uint64_t calls) {
    held_[partition] = {epoch, calls};
}

Result<void> FenceBook::acked(const Partition& partition, Epoch epoch, std::uint64_t calls) {
    const auto held = held_.find(partition);
    if (held == held_.end() || held->second.epoch != epoch) return {};
    if (calls <= held->second.acked_calls)
        return Error{Errc::lost_writes, partition.text() + ": its record counts call " + std::to_string(calls) +
                                            " again; the primary fell back in between"};
    held->second.acked_calls = calls;
    return {};
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
