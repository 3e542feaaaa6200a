#include "model/audit_scope.hpp"

#include <algorithm>

#include "model/partial.hpp"

namespace freshet {

namespace {

using namespace std::chrono_literals;

// How far clocks of producers may be ahead of what Kafka's timestamps and Redis's time are taken for.
constexpr Duration kClocksApart = 1h;

class Scoping {
public:
    Scoping(const ViewPlan& plan, Duration max_future, const ViewProgress& progress,
            const AuditMoments& moments, const AuditGround& ground)
        : plan_(plan), max_future_(max_future), progress_(progress), moments_(moments), ground_(ground) {}

    Result<AuditScope> run() {
        AuditScope scope;
        scope.from = ground_.end;
        for (std::size_t f = 0; f < plan_.features().size(); ++f) {
            const FeaturePlan& feature = plan_.features()[f];
            const auto judged = judge(feature.resolution, feature.window, since_of(feature.name));
            if (!judged) return judged.error();
            if (judged->skip) {
                ++scope.skipped[static_cast<std::size_t>(*judged->skip)];
                continue;
            }
            scope.features.push_back(f);
            scope.from = std::min(scope.from, judged->from);
        }
        const auto presence = judge_presence();
        if (!presence) return presence.error();
        scope.presence = !presence->skip;
        return scope;
    }

private:
    struct Judged {
        std::optional<AuditSkip> skip;
        Offset from{};
    };

    std::optional<Timestamp> since_of(const std::string& feature) const {
        const auto counted = progress_.features.find(feature);
        return std::max(progress_.since,
                        counted == progress_.features.end() ? kSincePending : counted->second.since);
    }

    // By the one feature over the longest window that was counted longest.
    Result<Judged> judge_presence() const {
        Judged best{AuditSkip::incomplete, {}};
        for (const FeaturePlan& feature : plan_.features()) {
            if (feature.resolution != plan_.presence_resolution() || feature.window != plan_.presence_window())
                continue;
            const auto judged = judge(feature.resolution, feature.window, since_of(feature.name));
            if (!judged || !judged->skip) return judged;
            best = *judged;
        }
        return best;
    }

    Result<Judged> judge(std::size_t resolution, std::size_t window, std::optional<Timestamp> since) const {
        const Resolution& r = plan_.resolutions()[resolution];
        const bool lifetime = r.windows[window].tiles == kLifetimeTiles;
        if (lifetime && since) return Judged{AuditSkip::incomplete};
        if (ground_.jumps_refused && (since || ground_.log.low.value > 0)) return Judged{AuditSkip::clock};
        Offset from{0};
        if (!lifetime) {
            const Timestamp begin{tiles_at(r, window, moments_.oldest).first * r.hop};
            const auto at = ground_.offset_at(begin - max_future_);
            if (!at) return at.error();
            from = std::max(*at, ground_.begins);
            if (since && !all_counted(*since, begin, from)) return Judged{AuditSkip::incomplete};
        }
        if (ground_.log.low.value > 0 && from <= ground_.log.low) return Judged{AuditSkip::retention};
        if (ground_.jumps_refused) from = Offset{0};
        if (ground_.end.value - from.value > ground_.most_events) return Judged{AuditSkip::too_long};
        return Judged{std::nullopt, from};
    }

    // Whether what was passed over before counting began had times before `begin`.
    bool all_counted(Timestamp since, Timestamp begin, Offset from) const {
        const Offset counted_from = ground_.counted_from(since);  // asked early, so that it is noted early
        if (since == kSincePending || begin <= since) return false;
        const bool wall = plan_.view().clock == View::Clock::wall;
        return (wall && begin > since + kClocksApart) || from >= counted_from;
    }

    const ViewPlan& plan_;
    const Duration max_future_;
    const ViewProgress& progress_;
    const AuditMoments& moments_;
    const AuditGround& ground_;
};

}  // namespace

std::string_view name_of(AuditSkip reason) {
    constexpr std::string_view names[] = {"incomplete", "retention", "too_long", "clock",
                                          "definition", "compacted", "changed",  "unavailable"};
    static_assert(std::size(names) == kAuditSkips);
    return names[static_cast<std::size_t>(reason)];
}

std::optional<AuditMoments> audit_moments(const ViewPlan& plan, std::optional<Timestamp> clock,
                                          Timestamp redis_now) {
    if (!clock) return std::nullopt;
    if (plan.view().clock == View::Clock::event) return AuditMoments{*clock, *clock};
    return AuditMoments{std::clamp(*clock, redis_now - plan.view().retain, redis_now), redis_now};
}

Result<AuditScope> audit_scope(const ViewPlan& plan, Duration max_future, const ViewProgress& progress,
                               const AuditMoments& moments, const AuditGround& ground) {
    return Scoping(plan, max_future, progress, moments, ground).run();
}

}  // namespace freshet
