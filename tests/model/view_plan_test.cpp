#include "model/view_plan.hpp"

#include <doctest/doctest.h>

#include <optional>

using namespace freshet;
using namespace std::chrono_literals;

namespace {

Source orders() {
    Source source;
    source.name = source.topic = "orders";
    source.fields = {{"amount", {"amount"}, FieldType::float64}, {"items", {"items"}, FieldType::int64}};
    source.max_future = 1min;
    return source;
}
constexpr std::size_t kAmount = 0;
constexpr std::size_t kItems = 1;

struct ViewOf {
    View view;

    ViewOf& feature(Function function, std::optional<std::size_t> field, std::optional<Duration> window,
                    Duration hop, const char* where = nullptr) {
        Feature f;
        f.name = "f" + std::to_string(view.features.size());
        f.function = function;
        f.field = field;
        f.window = window;
        f.hop = hop;
        if (where) f.where = *Expression::parse(where, orders().fields);
        view.features.push_back(f);
        return *this;
    }
    ViewPlan plan() const { return {orders(), view}; }
};

}  // namespace

TEST_CASE("the tile of a time is rounded down, before 1970 too") {
    CHECK(tile_of(from_unix_ms(0), 1s) == 0);
    CHECK(tile_of(from_unix_ms(999), 1s) == 0);
    CHECK(tile_of(from_unix_ms(1000), 1s) == 1);
    CHECK(tile_of(from_unix_ms(-1), 1s) == -1);
    CHECK(tile_of(from_unix_ms(-1000), 1s) == -1);
    CHECK(tile_of(from_unix_ms(-1001), 1s) == -2);
}

TEST_CASE("features of one hop share a resolution, equal ones an accumulator, equal lengths a window") {
    const ViewPlan plan = ViewOf{}
                              .feature(Function::mean, kAmount, 24h, 1min)
                              .feature(Function::sum, kAmount, 1h, 1min)
                              .feature(Function::sum, kItems, 1h, 1min)
                              .feature(Function::sum, kAmount, 1h, 1min, "items > 3")
                              .feature(Function::mean, kAmount, 1h, 1min, "(items>3)")
                              .feature(Function::sum, kAmount, 10s, 1s)
                              .plan();
    REQUIRE(plan.resolutions().size() == 2);
    const Resolution& minutes = plan.resolutions()[0];
    CHECK(minutes.accumulators.size() == 3);
    REQUIRE(minutes.windows.size() == 2);
    CHECK(minutes.windows[0].tiles == 60);
    CHECK(minutes.windows[0].accumulators == std::vector<std::size_t>{0, 1, 2});
    CHECK(minutes.windows[1].tiles == 1440);
    CHECK(minutes.windows[1].accumulators == std::vector<std::size_t>{0});
    CHECK(plan.filters().size() == 1);
    CHECK(plan.features()[0].window == 1);
    CHECK(plan.features()[1].window == 0);
    CHECK(plan.features()[3].accumulator == plan.features()[4].accumulator);
    CHECK(plan.resolutions()[1].accumulators.size() == 1);
    CHECK(plan.find_feature("f5") == 5);
    CHECK(plan.find_feature("f6") == std::nullopt);
}

TEST_CASE("a tile is kept for the longest window of its hop, retain and max_future behind the clock") {
    ViewOf made;
    made.feature(Function::count, {}, 10min, 1min).feature(Function::count, {}, 5min, 1min);
    made.view.retain = 2min;
    const ViewPlan plan = made.plan();
    CHECK(plan.resolutions()[0].kept == 13min);
    CHECK(plan.resolutions()[0].oldest_kept(Timestamp{100min}) == 87);
    CHECK(plan.longest_kept() == 14min);
    CHECK_FALSE(plan.keeps_forever());
}

TEST_CASE("a lifetime keeps every tile and its key for ever") {
    const ViewPlan plan =
        ViewOf{}.feature(Function::count, {}, std::nullopt, 24h).feature(Function::count, {}, 1h, 1min).plan();
    CHECK(plan.resolutions()[0].oldest_kept(Timestamp{100min}) == std::numeric_limits<TileNumber>::min());
    CHECK(plan.keeps_forever());
    CHECK(plan.presence_resolution() == 0);
}

TEST_CASE("the longest window decides presence, and of equal ones that of the smallest hop") {
    const ViewPlan by_hop = ViewOf{}
                                .feature(Function::count, {}, 1h, 1min)
                                .feature(Function::count, {}, 2h, 10min)
                                .feature(Function::count, {}, 2h, 30s)
                                .plan();
    CHECK(by_hop.presence_resolution() == 2);
    const ViewPlan shared =
        ViewOf{}.feature(Function::count, {}, 2h, 1min).feature(Function::count, {}, 1h, 1min).plan();
    CHECK(shared.presence_resolution() == 0);
    CHECK(shared.presence_window() == 1);
}
