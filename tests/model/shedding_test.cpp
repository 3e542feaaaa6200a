#include "model/shedding.hpp"

#include <doctest/doctest.h>

namespace freshet {
namespace {

using namespace std::chrono_literals;

ShedJudge::Terms terms() { return {5s, 1000, 10s, 20s}; }

// One partition that is looked at once a second.
class Judged {
public:
    // For `seconds`: events that arrive and are stored in each. How often it changed.
    int go_on(int seconds, std::int64_t arrive, std::int64_t store, Duration staleness, bool known = true) {
        int changes = 0;
        for (int i = 0; i < seconds; ++i) {
            end_ += arrive;
            stored_ = std::min(end_, stored_ + store);
            const TurnLook look{staleness, known, end_ - stored_, stored_};
            changes += judge_.take(now_ += 1s, std::span(&look, 1), true) ? 1 : 0;
        }
        return changes;
    }
    void begin_with(std::int64_t to_come) { end_ = to_come; }
    bool sheds() const { return judge_.sheds(); }
    // Until it has shed; the seconds that it took.
    int shed() {
        int seconds = 0;
        for (; !sheds() && seconds < 1000; ++seconds) go_on(1, 2000, 1000, 9s);
        return seconds;
    }
    int resume() {
        int seconds = 0;
        for (; sheds() && seconds < 10'000; ++seconds) go_on(1, 100, 1'000'000, 1s);
        return seconds;
    }

private:
    ShedJudge judge_{terms()};
    ShedJudge::SteadyTime now_{1000s};
    std::int64_t end_ = 0, stored_ = 0;
};

TEST_CASE("a source sheds when its backlog has stood for the time that is asked for, and tells it once") {
    Judged source;
    CHECK(source.go_on(9, 2000, 1000, 9s) == 0);
    CHECK_FALSE(source.sheds());
    CHECK(source.go_on(60, 2000, 1000, 9s) == 1);
    CHECK(source.sheds());
}

TEST_CASE("a backlog that neither grows nor shrinks stands") {
    Judged source;
    source.begin_with(5000);
    CHECK(source.go_on(30, 1000, 1000, 9s) == 1);
}

TEST_CASE("what catches up sheds nothing, however long that takes") {
    Judged source;
    source.begin_with(1'000'000);
    CHECK(source.go_on(300, 1000, 1100, 60s) == 0);
}

TEST_CASE("where nothing is stored something else than counting is in the way") {
    Judged source;
    CHECK(source.go_on(300, 1000, 0, 60s) == 0);
    CHECK(source.go_on(5, 1000, 20'000, 60s) == 0);
    CHECK(source.go_on(300, 1000, 1100, 60s) == 0);
}

TEST_CASE("what keeps its limit sheds nothing, nor what is late with a small backlog") {
    Judged source;
    CHECK(source.go_on(100, 2000, 1000, 5s) == 0);
    Judged small;
    small.begin_with(900);
    CHECK(small.go_on(100, 10, 10, 60s) == 0);
}

TEST_CASE("a moment in time begins the wait anew") {
    Judged source;
    for (int i = 0; i < 20; ++i) {
        CHECK(source.go_on(8, 2000, 1000, 9s) == 0);
        CHECK(source.go_on(1, 2000, 1000, 4s) == 0);
    }
}

TEST_CASE("a source resumes when it has kept its limit for long enough") {
    Judged source;
    source.shed();
    CHECK(source.go_on(100, 2000, 1000, 9s) == 0);
    CHECK(source.go_on(20, 100, 1'000'000, 1s) == 0);
    CHECK(source.go_on(1, 100, 100, 9s) == 0);
    CHECK(source.go_on(20, 100, 100, 1s) == 0);
    CHECK(source.go_on(10, 100, 100, 1s) == 1);
    CHECK_FALSE(source.sheds());
}

TEST_CASE("a source of which not all is known does not resume") {
    Judged source;
    source.shed();
    CHECK(source.go_on(100, 0, 1'000'000, 1s, false) == 0);
    CHECK(source.sheds());
    ShedJudge judge(terms());
    const TurnLook late{9s, true, 5000, 0};
    std::int64_t stored = 0;
    for (auto at = ShedJudge::SteadyTime{1s}; !judge.sheds(); at += 1s) {
        TurnLook look = late;
        look.stored = ++stored;
        judge.take(at, std::span(&look, 1), true);
    }
    const TurnLook in_time{1s, true, 0, stored};
    for (int i = 0; i < 100; ++i)
        CHECK_FALSE(judge.take(ShedJudge::SteadyTime{1000s + i * 1s}, std::span(&in_time, 1), false));
}

TEST_CASE("a source that sheds again soon takes twice as long to resume each time, up to an hour") {
    Judged source;
    source.shed();
    int before = source.resume();
    CHECK(before == 21);
    for (int i = 0; i < 3; ++i) {
        CHECK(source.shed() <= 12);
        const int now = source.resume();
        CHECK(now == 2 * (before - 1) + 1);
        before = now;
    }
    for (int i = 0; i < 10; ++i) {
        source.shed();
        before = source.resume();
    }
    CHECK(before == 3601);
    source.go_on(7201, 100, 1'000'000, 1s);
    source.shed();
    CHECK(source.resume() == 21);
}

std::shared_ptr<const ViewPlan> view(const char* name, Priority priority,
                                     std::optional<Duration> max_staleness) {
    static const Source source;
    View view;
    view.name = name;
    view.priority = priority;
    view.freshness.max_staleness = max_staleness;
    Feature count;
    count.name = "n";
    count.hop = 1s;
    count.window = 10s;
    view.features.push_back(count);
    return std::make_shared<ViewPlan>(source, view);
}

TEST_CASE("views of low priority are shed for others of their source that have a limit, and for that limit") {
    const auto a = view("a", Priority::normal, 8s), b = view("b", Priority::low, 2s),
               c = view("c", Priority::low, std::nullopt), d = view("d", Priority::normal, 6s);
    const std::vector<std::shared_ptr<const ViewPlan>> mixed{a, b, c, d};
    CHECK(sheddable(mixed) == std::vector<bool>{false, true, true, false});
    CHECK(ShedJudge::terms_of(mixed, 1, 1s, 1s).max_staleness == 6s);
}

TEST_CASE("where all views are low, or the others have no limit, none is shed") {
    const auto low = view("a", Priority::low, 2s), free = view("b", Priority::normal, std::nullopt),
               limited = view("c", Priority::normal, 2s);
    const std::vector<std::shared_ptr<const ViewPlan>> all_low{low, low}, no_limit{low, free}, no_low{limited};
    for (const auto& views : {all_low, no_limit, no_low}) {
        CHECK(sheddable(views) == std::vector<bool>(views.size(), false));
        ShedJudge judge(ShedJudge::terms_of(views, 1, 1s, 1s));
        for (int i = 0; i < 100; ++i) {
            const TurnLook look{1h, true, 1'000'000, i};
            CHECK_FALSE(judge.take(ShedJudge::SteadyTime{i * 1s}, std::span(&look, 1), true));
        }
    }
}

}  // namespace
}  // namespace freshet
