// Which offset of a partition is safe: everything below it is flushed and acked, skipped, or dead-lettered and
// acked.
#pragma once

#include <deque>
#include <optional>
#include <set>
#include <vector>

#include "model/ids.hpp"

namespace freshet {

class Frontier {
public:
    Frontier(Offset start, std::size_t aggregators);

    // A batch ending before `next` went out; `clock` is the partition's clock after it.
    void shipped(Offset next, std::optional<Timestamp> clock);
    void dead_letter_sent(Offset offset) { dead_letters_.insert(offset); }
    void dead_letter_acked(Offset offset);
    // An aggregator has nothing unflushed below `next`.
    void flushed(std::size_t aggregator, Offset next);

    struct Mark {
        Offset next;
        std::optional<Timestamp> clock;  // as of `next`
    };
    // The end of the last batch that is wholly safe. Only ends of batches are safe, since the clock is known
    // there.
    const Mark& safe() const { return safe_; }

private:
    void settle();

    std::deque<Mark> shipped_;  // beyond safe_, ascending
    std::multiset<Offset> dead_letters_;
    std::vector<Offset> flushed_;
    Mark safe_;
};

}  // namespace freshet
