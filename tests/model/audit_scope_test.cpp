#include "model/audit_scope.hpp"

#include <doctest/doctest.h>

using namespace freshet;
using namespace std::chrono_literals;

namespace {

constexpr Duration kMaxFuture = 1min;
const Timestamp kToday{1000h};

// One event a minute, whose Kafka timestamp is its own, from offset 0 at 0 h; a view with windows of an hour, a
// day and a lifetime.
struct Ground {
    Source source;
    View view;
    ViewProgress progress;
    AuditGround ground;
    Offset seen{0};  // the lowest offset that was seen as next

    Ground() {
        for (const auto& [name, window] : std::vector<std::pair<std::string, std::optional<Duration>>>{
                 {"hour", 1h}, {"day", 24h}, {"ever", {}}}) {
            Feature& feature = view.features.emplace_back();
            feature.name = name;
            feature.window = window;
            feature.hop = window ? Duration{1min} : Duration{24h};
            progress.features[name] = {};
        }
        view.retain = 1min;
        progress.clock = kToday;
        ground.log = {Offset{0}, offset(kToday)};
        ground.end = offset(kToday);
        ground.most_events = 1'000'000;
        ground.offset_at = [this](Timestamp time) -> Result<Offset> {
            return std::clamp(offset(time), ground.log.low, ground.log.end);
        };
        ground.counted_from = [this](Timestamp) { return seen; };
    }
    static Offset offset(Timestamp time) { return Offset{time.time_since_epoch() / 1min}; }

    AuditScope scope() const {
        const ViewPlan plan(source, view);
        const auto moments = audit_moments(plan, progress.clock, kToday);
        REQUIRE(moments);
        auto scope = audit_scope(plan, kMaxFuture, progress, *moments, ground);
        REQUIRE(scope);
        return *scope;
    }
    // Names of the features in scope, with a blank behind each.
    std::string features() const {
        const ViewPlan plan(source, view);
        std::string names;
        for (const std::size_t f : scope().features) names += plan.features()[f].name + " ";
        return names;
    }
    std::size_t skipped(AuditSkip reason) const { return scope().skipped[static_cast<std::size_t>(reason)]; }
};

}  // namespace

TEST_CASE("of a log that is whole everything can be recounted, from where the windows begin") {
    Ground g;
    CHECK(g.features() == "hour day ever ");
    CHECK(g.scope().from == Offset{0});
    CHECK(g.scope().presence);
    g.view.features.pop_back();
    CHECK(g.features() == "hour day ");
    // The first tile of the day's window, and max_future before it.
    CHECK(g.scope().from == Ground::offset(kToday - 24h - kMaxFuture));
    CHECK(g.scope().presence);
}

TEST_CASE("what retention may have taken is left out") {
    Ground g;
    g.ground.log.low = Ground::offset(kToday - 2h);
    CHECK(g.features() == "hour ");
    CHECK(g.skipped(AuditSkip::retention) == 2);
    CHECK_FALSE(g.scope().presence);
    g.ground.log.low = Ground::offset(kToday - 1h);
    CHECK(g.features().empty());
}

TEST_CASE("windows that hold more than a round may read are left out") {
    Ground g;
    g.ground.most_events = 100;
    CHECK(g.features() == "hour ");
    CHECK(g.skipped(AuditSkip::too_long) == 2);
}

TEST_CASE("a view that began in the middle of the log is recounted once its windows lie behind that") {
    Ground g;
    g.seen = Ground::offset(kToday);  // this process has just come
    g.progress.since = kToday - 30min;
    CHECK(g.features().empty());
    CHECK(g.skipped(AuditSkip::incomplete) == 3);
    g.progress.since = kToday - 90min;  // complete, but clocks may be apart
    CHECK(g.features().empty());
    g.progress.since = kToday - 150min;
    CHECK(g.features() == "hour ");
    g.progress.since = kSincePending;
    CHECK(g.features().empty());
}

TEST_CASE("by the event clock only an offset that was seen tells what was counted") {
    Ground g;
    g.view.clock = View::Clock::event;
    g.seen = Ground::offset(kToday);
    g.progress.since = kToday - 500h;
    CHECK(g.features().empty());
    g.seen = Ground::offset(kToday - 10h);
    CHECK(g.features() == "hour ");
}

TEST_CASE("a feature that was added is left out until it is whole, the others are not") {
    Ground g;
    g.progress.features["hour"].since = kToday - 30min;
    g.progress.features["ever"].since = kToday - 900h;
    CHECK(g.features() == "day ");
    CHECK_FALSE(g.scope().presence);  // by the lifetime
    g.progress.features.erase("day");
    CHECK(g.features().empty());
}

TEST_CASE("with max_jump only the beginning of the log tells the clock") {
    Ground g;
    g.ground.jumps_refused = true;
    CHECK(g.features() == "hour day ever ");
    g.view.features.pop_back();
    CHECK(g.scope().from == Offset{0});
    g.ground.log.low = Offset{1};
    CHECK(g.features().empty());
    CHECK(g.skipped(AuditSkip::clock) == 2);
}

TEST_CASE("a view by the wall clock is read as of now, and as far back as its clock and retain allow") {
    Ground g;
    const ViewPlan plan(g.source, g.view);
    CHECK_FALSE(audit_moments(plan, std::nullopt, kToday));
    CHECK(audit_moments(plan, kToday - 10s, kToday)->oldest == kToday - 10s);
    CHECK(audit_moments(plan, kToday - 10h, kToday)->oldest == kToday - 1min);
    CHECK(audit_moments(plan, kToday + 10s, kToday)->oldest == kToday);
    CHECK(audit_moments(plan, kToday - 10h, kToday)->newest == kToday);
    g.view.clock = View::Clock::event;
    const ViewPlan by_event(g.source, g.view);
    CHECK(audit_moments(by_event, kToday - 10h, kToday)->newest == kToday - 10h);
}
