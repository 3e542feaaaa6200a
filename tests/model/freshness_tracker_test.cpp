#include "model/freshness_tracker.hpp"

#include <doctest/doctest.h>

using namespace freshet;
using namespace std::chrono_literals;

namespace {
constexpr Timestamp at(std::int64_t ms) { return from_unix_ms(ms); }
}  // namespace

TEST_CASE("a feature is as stale as the partition that is furthest behind") {
    FreshnessTracker tracker;
    tracker.track("stores.orders_20m", "orders", 2);
    tracker.visible("orders", PartitionId{0}, at(9'000));
    tracker.visible("orders", PartitionId{1}, at(4'000));
    CHECK(tracker.get_staleness("stores.orders_20m", at(10'000)) == 6s);
    CHECK(tracker.check_freshness("stores.orders_20m", 6s, at(10'000)));
    CHECK_FALSE(tracker.check_freshness("stores.orders_20m", 5'999ms, at(10'000)));
}

TEST_CASE("a partition without a watermark is never fresh") {
    FreshnessTracker tracker;
    tracker.track("stores.orders_20m", "orders", 2);
    tracker.visible("orders", PartitionId{0}, at(9'000));
    CHECK(tracker.get_staleness("stores.orders_20m", at(10'000)) == std::nullopt);
    CHECK_FALSE(tracker.check_freshness("stores.orders_20m", 1h, at(10'000)));
}

TEST_CASE("an unknown feature is never fresh") {
    FreshnessTracker tracker;
    CHECK(tracker.get_staleness("stores.none", at(1)) == std::nullopt);
    CHECK_FALSE(tracker.check_freshness("stores.none", 1h, at(1)));
}

TEST_CASE("a watermark never moves back, and staleness grows while nothing moves it") {
    FreshnessTracker tracker;
    tracker.track("v.f", "orders", 1);
    tracker.visible("orders", PartitionId{0}, at(5'000));
    tracker.visible("orders", PartitionId{0}, at(3'000));
    CHECK(tracker.get_staleness("v.f", at(6'000)) == 1s);
    CHECK(tracker.get_staleness("v.f", at(66'000)) == 61s);
}

TEST_CASE("a watermark ahead of now is no negative staleness") {
    FreshnessTracker tracker;
    tracker.track("v.f", "orders", 1);
    tracker.visible("orders", PartitionId{0}, at(5'000));
    CHECK(tracker.get_staleness("v.f", at(4'000)) == 0s);
}
