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
#include <vector>

#include "model/definition.hpp"
#include "model/shedding.hpp"
#include "model/turn_look.hpp"

namespace freshet {

// The rank of a source; does not flap. The lower, the sooner:
//   0  it has a max_staleness, and keeps it or can: what is late, but small, comes first;
//   1  it has none, so that nothing is late;
//   2  it is late with a backlog that no order would get rid of in time.
// A priority of `high` goes one rank before, one of `low` one behind.
class TurnJudge {
public:
    using SteadyTime = std::chrono::steady_clock::time_point;
    // So long a source must be late, or in time again, until it counts as such.
    static constexpr Duration kSustained{3'000};

    struct Terms {
        Priority priority = Priority::normal;
        std::optional<Duration> max_staleness;  // the tightest of the source's views and features
        std::int64_t backlog;                   // so many events to come, or more, are one
    };
    explicit TurnJudge(const Terms& terms) : terms_(terms) {}

    // Looks at all partitions that are known; times do not fall. Whether the rank has changed by it.
    bool take(SteadyTime at, const std::vector<TurnLook>& looks);

    int rank() const;

private:
    bool late(const TurnLook& look) const { return look.staleness > *terms_.max_staleness; }
    bool seen_hopeless(const std::vector<TurnLook>& looks) const;

    Terms terms_;
    bool hopeless_ = false;
    std::optional<SteadyTime> differs_since_;  // what is seen is not what hopeless_ says
};

// A source that has got another rank.
struct TurnChange {
    std::string source;
    int before;
    int after;
    TurnLook worst;  // of its partitions
};

// The ranks of all that a node has, by source: a view is as late as the last of its source's partitions, so
// these are worth the same. And which sources shed. What was judged of a source outlives the lives of its
// partitions. Thread-safe.
class TurnOrder {
public:
    // The place of one partition; it is left with the object.
    class Seat {
    public:
        ~Seat();
        Seat(const Seat&) = delete;
        Seat& operator=(const Seat&) = delete;

        // About once a second; times do not fall. What has changed by it.
        std::optional<TurnChange> look(TurnJudge::SteadyTime at, const TurnLook& look);
        // Whether another source goes first now: then this partition takes small steps, so that the other need
        // not wait long. Where no source is told from the others, none does.
        bool gives_way() const { return gives_way_.load(std::memory_order_relaxed); }
        // Whether the source sheds, as of the last look at any of its partitions.
        bool sheds() const { return sheds_.load(std::memory_order_relaxed); }
        // What has changed by a look in that; told once.
        std::optional<ShedChange> take_shed_change();

    private:
        friend class TurnOrder;
        Seat(std::shared_ptr<TurnOrder> order, std::string source)
            : order_(std::move(order)), source_(std::move(source)) {}

        const std::shared_ptr<TurnOrder> order_;
        const std::string source_;
        std::optional<TurnLook> seen_;  // held by the order's mutex
        std::atomic<bool> gives_way_{false};
        std::atomic<bool> sheds_{false};
    };

    // The terms are the same for all partitions of a source.
    static std::shared_ptr<Seat> sit(const std::shared_ptr<TurnOrder>& order, const std::string& source,
                                     const TurnJudge::Terms& terms, const ShedJudge::Terms& shed_terms = {});
    // The node has no partition of the source any more: it sheds nothing when it gets one again.
    void left(const std::string& source);

private:
    struct Standing {
        TurnJudge judge;
        ShedJudge::Terms shed_terms;
        ShedJudge shed_judge{shed_terms};
        std::optional<ShedChange> untold = {};
        std::vector<Seat*> seats = {};
    };

    std::optional<TurnChange> look(Seat& seat, TurnJudge::SteadyTime at, const TurnLook& look);
    void leave(const Seat& seat);
    void settle();

    std::mutex mutex_;
    std::map<std::string, Standing> sources_;
};

}  // namespace freshet
