#include "model/freshness_tracker.hpp"

#include <doctest/doctest.h>

using namespace freshet;
using namespace std::chrono_literals;

namespace {
constexpr Timestamp at(std::int64_t ms) { return from_unix_ms(ms); }

std::optional<Timestamp> lowest(std::initializer_list<std::optional<Timestamp>> watermarks) {
    LowestWatermark all;
    for (const auto& watermark : watermarks) all.add(watermark);
    return all.get();
}
}  // namespace

TEST_CASE("partitions have got as far as the one that is furthest behind") {
    CHECK(lowest({at(9'000), at(4'000), at(5'000)}) == at(4'000));
    CHECK(lowest({at(9'000)}) == at(9'000));
}

TEST_CASE("a partition without a watermark, or none at all, leaves unknown how far all have got") {
    CHECK(lowest({at(9'000), std::nullopt, at(5'000)}) == std::nullopt);
    CHECK(lowest({}) == std::nullopt);
}

TEST_CASE("a feature is as stale as its view is behind") {
    FreshnessTracker tracker;
    tracker.track("stores", 1);
    tracker.track("stores.orders_20m", 1);
    tracker.track("cards.orders_20m", 0);
    tracker.visible(0, at(9'000));
    tracker.visible(1, at(4'000));
    CHECK(tracker.get_staleness("stores.orders_20m", at(10'000)) == 6s);
    CHECK(tracker.get_staleness("stores", at(10'000)) == 6s);
    CHECK(tracker.get_staleness("cards.orders_20m", at(10'000)) == 1s);
    CHECK(tracker.check_freshness("stores.orders_20m", 6s, at(10'000)));
    CHECK_FALSE(tracker.check_freshness("stores.orders_20m", 5'999ms, at(10'000)));
}

TEST_CASE("staleness grows while nothing moves the watermark") {
    FreshnessTracker tracker;
    tracker.track("v.f", 0);
    tracker.visible(0, at(5'000));
    CHECK(tracker.get_staleness("v.f", at(6'000)) == 1s);
    CHECK(tracker.get_staleness("v.f", at(66'000)) == 61s);
}

TEST_CASE("what has no watermark, no longer has one, or is not known by name is never fresh") {
    FreshnessTracker tracker;
    tracker.track("v.f", 0);
    CHECK(tracker.get_staleness("v.f", at(1)) == std::nullopt);
    CHECK_FALSE(tracker.check_freshness("v.f", 1h, at(1)));
    tracker.visible(0, at(5'000));
    CHECK(tracker.check_freshness("v.f", 1h, at(5'000)));
    tracker.visible(0, std::nullopt);
    CHECK_FALSE(tracker.check_freshness("v.f", 1h, at(5'000)));
    CHECK(tracker.get_staleness("v.none", at(1)) == std::nullopt);
    CHECK_FALSE(tracker.check_freshness("v.none", 1h, at(1)));
}

TEST_CASE("a watermark ahead of now is no negative staleness") {
    CHECK(staleness(at(5'000), at(4'000)) == 0s);
    CHECK(is_fresh(0s, 0s));
    CHECK_FALSE(is_fresh(std::nullopt, 1h));
}
