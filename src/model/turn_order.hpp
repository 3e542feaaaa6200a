// Who goes first where a node cannot do everything at once. Partitions share its threads, its memory and its
// pipeline to Redis; what must be fresh soon should not wait behind a backlog that is late anyway.
#pragma once

#include <atomic>
#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "model/definition.hpp"

namespace freshet {

// The rank of a source, from what is seen of one partition of it; does not flap. The lower, the sooner:
//   0  it has a max_staleness, and keeps it or can: what is late, but small, comes first;
//   1  it has none, so that nothing is late;
//   2  it is late with a backlog that no order would get rid of in time.
// A priority of `high` goes one rank before, one of `low` one behind.
class TurnJudge {
public:
    using SteadyTime = std::chrono::steady_clock::time_point;
    // So long a partition must be late, or in time again, until it counts as such.
    static constexpr Duration kSustained{3'000};

    // `max_staleness`: the tightest of the source's views and features; none: none has one.
    // `backlog`: so many events to come, or more, are one.
    TurnJudge(Priority priority, std::optional<Duration> max_staleness, std::int64_t backlog)
        : priority_(priority), max_staleness_(max_staleness), backlog_(backlog) {}

    // One look; times do not fall. `staleness`: none if it is not known, which says nothing. Whether the rank
    // has changed by it.
    bool take(SteadyTime at, std::optional<Duration> staleness, std::int64_t to_come);

    int rank() const;
    bool hopeless() const { return hopeless_; }
    std::optional<Duration> max_staleness() const { return max_staleness_; }

private:
    Priority priority_;
    std::optional<Duration> max_staleness_;
    std::int64_t backlog_;
    bool hopeless_ = false;
    std::optional<SteadyTime> differs_since_;  // what is seen is not what hopeless_ says
};

// The ranks of all that a node has, by source: a view is as late as the last of its source's partitions, so
// these are worth the same, the worst of theirs. Thread-safe.
class TurnOrder {
public:
    // The place of one partition; it is left with the object.
    class Seat {
    public:
        ~Seat();
        Seat(const Seat&) = delete;
        Seat& operator=(const Seat&) = delete;

        void set_rank(int rank);
        // Whether another source goes first now: then this partition takes small steps, so that the other need
        // not wait long. Where no source is told from the others, none does.
        bool gives_way() const { return gives_way_.load(std::memory_order_relaxed); }

    private:
        friend class TurnOrder;
        explicit Seat(std::shared_ptr<TurnOrder> order) : order_(std::move(order)) {}

        std::shared_ptr<TurnOrder> order_;
        std::optional<int> rank_;  // none: not judged yet; held by the order's mutex
        std::atomic<bool> gives_way_{false};
    };

    static std::shared_ptr<Seat> sit(const std::shared_ptr<TurnOrder>& order, const std::string& source);

private:
    void settle();

    std::mutex mutex_;
    std::map<Seat*, std::string> seats_;
};

}  // namespace freshet
