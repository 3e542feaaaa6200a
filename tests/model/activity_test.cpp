// What a status page shows of the last minutes.
#include "model/activity.hpp"

#include <doctest/doctest.h>

using namespace freshet;
using namespace std::chrono_literals;

namespace {

constexpr Timestamp kNoon = from_unix_ms(1'700'000'000'000);

BucketCounts buckets(std::vector<std::uint64_t> at_most) { return {{0.001, 0.01, 0.1}, std::move(at_most)}; }

}  // namespace

TEST_CASE("a sample is what came between two looks, by the second") {
    ActivityHistory history(3);
    history.take(kNoon, {1000, 10, {}, {}});
    CHECK(history.samples().empty());
    history.take(kNoon + 2s, {1500, 10, {}, {}});
    REQUIRE(history.samples().size() == 1);
    CHECK(history.samples()[0].at == kNoon + 2s);
    CHECK(history.samples()[0].events_per_s == 250);
    CHECK(history.samples()[0].lookups_per_s == 0);
    CHECK(!history.samples()[0].readable_p99_s);
}

TEST_CASE("only the last samples are kept, the oldest first") {
    ActivityHistory history(2);
    for (int i = 0; i < 5; ++i) history.take(kNoon + i * 1s, {i * i * 1.0, 0, {}, {}});
    REQUIRE(history.samples().size() == 2);
    CHECK(history.samples()[0].events_per_s == 5);
    CHECK(history.samples()[1].events_per_s == 7);
}

TEST_CASE("two looks at one time, or a clock set back, give no sample and lose nothing") {
    ActivityHistory history(9);
    history.take(kNoon, {100, 0, {}, {}});
    history.take(kNoon, {150, 0, {}, {}});
    CHECK(history.samples().empty());
    history.take(kNoon + 1s, {200, 0, {}, {}});
    CHECK(history.samples().back().events_per_s == 100);
    history.take(kNoon - 60s, {300, 0, {}, {}});
    CHECK(history.samples().size() == 1);
    history.take(kNoon - 59s, {400, 0, {}, {}});
    CHECK(history.samples().back().events_per_s == 100);
}

TEST_CASE("a quantile is of what came since, not of all") {
    const BucketCounts before = buckets({100, 100, 100, 100});
    CHECK(!before.quantile_since(before, 0.99));
    CHECK(*buckets({100, 200, 200, 200}).quantile_since(before, 0.5) == doctest::Approx(0.0055));
    CHECK(*buckets({200, 200, 200, 200}).quantile_since(before, 0.99) == doctest::Approx(0.00099));
    CHECK(*buckets({100, 100, 100, 101}).quantile_since(before, 0.99) == 0.1);  // beyond the last bound
    CHECK(*before.quantile_since({}, 1) == doctest::Approx(0.001));
    CHECK(!BucketCounts{}.quantile_since({}, 0.99));
}

TEST_CASE("histograms of several topics are added up") {
    BucketCounts sum;
    sum.add(buckets({1, 2, 3, 4}));
    sum.add(buckets({10, 10, 10, 10}));
    CHECK(sum.at_most == std::vector<std::uint64_t>{11, 12, 13, 14});
}
