// Which views a node leaves out, and when, so that the others of their source get on. What is left out is told
// as incomplete (docs/decisions/0020-views-that-are-shed.md).
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "model/turn_look.hpp"
#include "model/view_plan.hpp"

namespace freshet {

// Of the views of a source, those that may be left out: the ones of low priority, if another has a limit to
// keep.
std::vector<bool> sheddable(std::span<const std::shared_ptr<const ViewPlan>> views);

// Whether a source sheds; does not flap.
class ShedJudge {
public:
    using SteadyTime = std::chrono::steady_clock::time_point;
    // A source that sheds soon after it resumed takes twice as long to resume, up to this.
    static constexpr Duration kLongest{3'600'000};

    struct Terms {
        std::optional<Duration> max_staleness = {};  // the tightest of the views that stay; none: never sheds
        std::int64_t backlog = 0;                    // so many events to come, or more, are one
        Duration shed_after{};                       // how long a backlog stands until the source sheds
        Duration resume_after{};                     // how long it keeps its limit until it resumes
    };
    // Of the views, with `backlog`, of which some may be shed.
    static Terms terms_of(std::span<const std::shared_ptr<const ViewPlan>> views, std::int64_t backlog,
                          Duration shed_after, Duration resume_after);

    explicit ShedJudge(const Terms& terms) : terms_(terms), resume_after_(terms.resume_after) {}

    // Looks at the partitions that are known; `all`: there are no others. Times do not fall. Whether sheds()
    // has changed by it.
    bool take(SteadyTime at, std::span<const TurnLook> looks, bool all);
    bool sheds() const { return sheds_; }

private:
    // A part of the time that a backlog stands: the least that was to come in it, and whether any was stored.
    struct Part {
        SteadyTime begin;
        std::int64_t least;
        std::int64_t stored_first;
        std::int64_t stored;
        bool goes_on() const { return stored > stored_first; }
    };

    bool late(const TurnLook& look) const { return look.staleness > *terms_.max_staleness; }
    bool backlog_stands(SteadyTime at, std::span<const TurnLook> looks);
    bool keeps_limit(SteadyTime at, std::span<const TurnLook> looks, bool all);
    void shed(SteadyTime at);

    Terms terms_;
    bool sheds_ = false;
    std::optional<Part> before_, part_;  // of two that follow each other, the whole one and the newer
    std::optional<SteadyTime> kept_since_, resumed_at_;
    Duration resume_after_;
};

// A source that sheds, or does so no more.
struct ShedChange {
    std::string source;
    bool sheds;
    Duration staleness;    // of the partition furthest behind
    std::int64_t to_come;  // in all partitions of the node
};

}  // namespace freshet
