#include "model/freshness_objective.hpp"

#include <doctest/doctest.h>

using namespace freshet;
using namespace std::chrono_literals;

namespace {

constexpr Timestamp kStart = from_unix_ms(1'700'000'040'000);  // a whole minute

}  // namespace

TEST_CASE("a breach begins at once, and ends when the view has been fresh for a while") {
    FreshnessObjective objective(2s);
    CHECK_FALSE(objective.take(kStart, 2s));
    CHECK_FALSE(objective.breach_began());
    CHECK(objective.take(kStart + 1s, 2001ms));
    CHECK(objective.in_breach());
    CHECK_FALSE(objective.take(kStart + 2s, 9s));
    for (int s = 3; s <= 7; ++s) CHECK_FALSE(objective.take(kStart + s * 1s, 100ms));
    CHECK(objective.in_breach());
    CHECK(objective.take(kStart + 8s, 100ms));
    CHECK_FALSE(objective.in_breach());
    CHECK(objective.breach_began() == kStart + 1s);
}

TEST_CASE("a view that is fresh now and then stays in breach") {
    FreshnessObjective objective(2s);
    int changes = 0;
    for (int s = 0; s < 60; ++s) changes += objective.take(kStart + s * 1s, s % 5 == 0 ? 3s : 1s);
    CHECK(changes == 1);
    CHECK(objective.in_breach());
}

TEST_CASE("what is not known any more is a breach") {
    FreshnessObjective objective(2s);
    CHECK_FALSE(objective.take(kStart, 1s));
    CHECK(objective.take(kStart + 1s, std::nullopt));
    CHECK(objective.burnt(5min, kStart) == 0.5);
}

TEST_CASE("a view that just begins is given a while until its staleness is known") {
    FreshnessObjective objective(2s);
    for (int s = 0; s < 10; ++s) CHECK_FALSE(objective.take(kStart + s * 1s, std::nullopt));
    CHECK(objective.burnt(5min, kStart + 9s) == 0);
    CHECK(objective.take(kStart + 10s, std::nullopt));
    FreshnessObjective late(2s);
    CHECK_FALSE(late.take(kStart, std::nullopt));
    CHECK(late.take(kStart + 1s, 9s));
}

TEST_CASE("the part of the time in breach is told for minutes, hours and a day") {
    FreshnessObjective objective(2s);
    CHECK(objective.burnt(24h, kStart) == 0);
    // A day at one look a second, of which the last minute of each hour is in breach.
    Timestamp now = kStart;
    for (int m = 0; m < 24 * 60; ++m)
        for (int s = 0; s < 60; ++s, now += 1s) objective.take(now, m % 60 == 59 ? 3s : 1s);
    now -= 1s;
    CHECK(objective.burnt(5min, now) == doctest::Approx(1 / 5.0));
    CHECK(objective.burnt(1h, now) == doctest::Approx(1 / 60.0));
    CHECK(objective.burnt(24h, now) == doctest::Approx(1 / 60.0));
    // What is older than the day is forgotten, whether or not anybody looked since.
    CHECK(objective.burnt(1h, now + 50min) == doctest::Approx(1 / 10.0));
    CHECK(objective.burnt(24h, now + 25h) == 0);
    objective.take(now + 25h, 1s);
    CHECK(objective.burnt(24h, now + 25h) == 0);
}
