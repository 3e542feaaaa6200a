// Slots of a Redis Cluster, as the ranges that they make up.
#pragma once

#include <algorithm>
#include <vector>

#include "model/ids.hpp"

namespace freshet {

struct SlotRange {
    RecordSlot first = 0;
    RecordSlot last = 0;  // one of them, too

    friend auto operator<=>(const SlotRange&, const SlotRange&) = default;
};
using SlotRanges = std::vector<SlotRange>;

inline bool contains(const SlotRanges& ranges, RecordSlot slot) {
    return std::ranges::any_of(
        ranges, [&](const SlotRange& range) { return range.first <= slot && slot <= range.last; });
}

// Whether every slot of `wanted` is in one of `ranges`, both in any order.
inline bool contains_all(SlotRanges ranges, const SlotRanges& wanted) {
    std::ranges::sort(ranges);
    return std::ranges::all_of(wanted, [&](SlotRange want) {
        unsigned next = want.first;
        for (const SlotRange& range : ranges)
            if (range.first <= next && next <= range.last) next = range.last + 1u;
        return next > want.last;
    });
}

// What is in both, each in any order and without overlaps.
inline SlotRanges common_slots(const SlotRanges& a, const SlotRanges& b) {
    SlotRanges common;
    for (const SlotRange& one : a)
        for (const SlotRange& other : b)
            if (const SlotRange both{std::max(one.first, other.first), std::min(one.last, other.last)};
                both.first <= both.last)
                common.push_back(both);
    std::ranges::sort(common);
    return common;
}

}  // namespace freshet
