#include "model/accumulator.hpp"

#include <doctest/doctest.h>

#include <limits>
#include <vector>

using namespace freshet;

namespace {

constexpr auto kMost = std::numeric_limits<std::int64_t>::max();
constexpr auto kLeast = std::numeric_limits<std::int64_t>::min();

struct Timed {
    Value value;
    std::int64_t ms = 0;
    std::int32_t partition = 0;
    std::int64_t offset = 0;
};

AccumulatorState state_of(AccumulatorKind kind, const std::vector<Timed>& events) {
    AccumulatorState state = make_state(kind);
    for (const Timed& e : events) {
        const Event event{from_unix_ms(e.ms), Offset{e.offset}, {}, {}};
        add(kind, state, e.value, event, PartitionId{e.partition});
    }
    return state;
}

AccumulatorState merged(AccumulatorKind kind, const AccumulatorState& a, const AccumulatorState& b) {
    AccumulatorState state = clone(a);
    merge(kind, state, b);
    return state;
}

std::vector<Timed> ints(const std::vector<std::int64_t>& values) {
    std::vector<Timed> out;
    for (const std::int64_t v : values) out.push_back({v});
    return out;
}

std::vector<Timed> doubles(const std::vector<double>& values) {
    std::vector<Timed> out;
    for (const double v : values) out.push_back({v});
    return out;
}

Scalar value_of(Function function, const AccumulatorState& state, double q = 0.5) {
    const FeatureValue answer = finish(function, q, state);
    CHECK_FALSE(answer.overflow);
    return answer.value;
}

bool overflows(Function function, const AccumulatorState& state) {
    const FeatureValue answer = finish(function, 0.5, state);
    return answer.overflow && answer.value == Scalar{};
}

constexpr AccumulatorKind kAllKinds[] = {
    AccumulatorKind::count,   AccumulatorKind::sum_int,   AccumulatorKind::sum_float,
    AccumulatorKind::moments, AccumulatorKind::min_int,   AccumulatorKind::min_float,
    AccumulatorKind::max_int, AccumulatorKind::max_float, AccumulatorKind::first,
    AccumulatorKind::last,    AccumulatorKind::distinct,  AccumulatorKind::quantile};

}  // namespace

TEST_CASE("over no events count, sum and count_distinct are zero and the others null") {
    CHECK(value_of(Function::count, make_state(AccumulatorKind::count)) == Scalar{std::int64_t{0}});
    CHECK(value_of(Function::sum, make_state(AccumulatorKind::sum_int)) == Scalar{std::int64_t{0}});
    CHECK(value_of(Function::sum, make_state(AccumulatorKind::sum_float)) == Scalar{0.0});
    CHECK(value_of(Function::count_distinct, make_state(AccumulatorKind::distinct)) == Scalar{std::int64_t{0}});
    CHECK(value_of(Function::mean, make_state(AccumulatorKind::sum_int)) == Scalar{});
    CHECK(value_of(Function::mean, make_state(AccumulatorKind::sum_float)) == Scalar{});
    CHECK(value_of(Function::variance, make_state(AccumulatorKind::moments)) == Scalar{});
    CHECK(value_of(Function::stddev, make_state(AccumulatorKind::moments)) == Scalar{});
    CHECK(value_of(Function::min, make_state(AccumulatorKind::min_int)) == Scalar{});
    CHECK(value_of(Function::max, make_state(AccumulatorKind::max_float)) == Scalar{});
    CHECK(value_of(Function::first, make_state(AccumulatorKind::first)) == Scalar{});
    CHECK(value_of(Function::quantile, make_state(AccumulatorKind::quantile)) == Scalar{});
}

TEST_CASE("a sum of integers is exact beyond 64 bits, and overflows only when its value does") {
    const auto kind = AccumulatorKind::sum_int;
    const AccumulatorState high = state_of(kind, ints({kMost, kMost, kMost}));
    CHECK(overflows(Function::sum, high));
    const AccumulatorState low = state_of(kind, ints({kLeast, kLeast, kLeast}));
    CHECK(overflows(Function::sum, low));
    CHECK(value_of(Function::sum, merged(kind, high, low)) == Scalar{std::int64_t{-3}});
    CHECK(value_of(Function::mean, high) == Scalar{static_cast<double>(kMost)});
    CHECK(value_of(Function::sum, state_of(kind, ints({kMost}))) == Scalar{kMost});
    CHECK(value_of(Function::sum, state_of(kind, ints({kLeast}))) == Scalar{kLeast});
    CHECK(overflows(Function::sum, state_of(kind, ints({kMost, 1}))));
}

TEST_CASE("a sum, mean or variance of doubles that is not finite overflows") {
    const AccumulatorState sums = state_of(AccumulatorKind::sum_float, doubles({1e308, 1e308}));
    CHECK(overflows(Function::sum, sums));
    CHECK(overflows(Function::mean, sums));
    for (const auto& values : {doubles({1e308, -1e308}), doubles({-1e308, 1e308, 5}), doubles({1e200, 3})}) {
        CHECK(overflows(Function::variance, state_of(AccumulatorKind::moments, values)));
        CHECK(overflows(Function::stddev, state_of(AccumulatorKind::moments, values)));
    }
}

TEST_CASE("variance and stddev are those of the population, and never below zero") {
    const auto kind = AccumulatorKind::moments;
    const AccumulatorState state = state_of(kind, ints({2, 4, 4, 4, 5, 5, 7, 9}));
    CHECK(std::get<double>(value_of(Function::variance, state)) == doctest::Approx(4));
    CHECK(std::get<double>(value_of(Function::stddev, state)) == doctest::Approx(2));
    const AccumulatorState same = state_of(kind, doubles({0.1, 0.1, 0.1}));
    CHECK(std::get<double>(value_of(Function::variance, merged(kind, same, same))) >= 0);
    // Far from zero, where the mean of squares less the square of the mean has no digits left.
    const AccumulatorState far = merged(kind, state_of(kind, doubles({1e9 + 4, 1e9 + 7})),
                                        state_of(kind, doubles({1e9 + 13, 1e9 + 16})));
    CHECK(std::get<double>(value_of(Function::variance, far)) == doctest::Approx(22.5));
}

TEST_CASE("min and max keep the type of the field") {
    CHECK(value_of(Function::min, state_of(AccumulatorKind::min_int, ints({3, kLeast, 5}))) == Scalar{kLeast});
    CHECK(value_of(Function::max, state_of(AccumulatorKind::max_int, ints({3, kMost, 5}))) == Scalar{kMost});
    CHECK(value_of(Function::min, state_of(AccumulatorKind::min_float, doubles({3, -0.5}))) == Scalar{-0.5});
    CHECK(value_of(Function::max, state_of(AccumulatorKind::max_float, doubles({-3, -5}))) == Scalar{-3.0});
}

TEST_CASE("first and last go by time, then partition, then offset, not by arrival") {
    using namespace std::string_view_literals;
    const std::vector<Timed> events = {
        {"c"sv, 20, 0, 5}, {"a"sv, 10, 1, 9}, {"b"sv, 10, 0, 8}, {"d"sv, 20, 1, 1}, {"e"sv, 20, 1, 2}};
    CHECK(value_of(Function::first, state_of(AccumulatorKind::first, events)) == Scalar{std::string("b")});
    CHECK(value_of(Function::last, state_of(AccumulatorKind::last, events)) == Scalar{std::string("e")});
    for (std::size_t cut = 0; cut <= events.size(); ++cut) {
        const auto middle = events.begin() + static_cast<std::ptrdiff_t>(cut);
        for (const auto kind : {AccumulatorKind::first, AccumulatorKind::last}) {
            const auto function = kind == AccumulatorKind::first ? Function::first : Function::last;
            const AccumulatorState a = state_of(kind, {events.begin(), middle});
            const AccumulatorState b = state_of(kind, {middle, events.end()});
            CHECK(value_of(function, merged(kind, a, b)) == value_of(function, merged(kind, b, a)));
            CHECK(value_of(function, merged(kind, a, b)) == value_of(function, state_of(kind, events)));
        }
    }
}

TEST_CASE("count_distinct takes 0.0 and -0.0 for one value, and values of every type") {
    const auto kind = AccumulatorKind::distinct;
    using namespace std::string_view_literals;
    CHECK(value_of(Function::count_distinct, state_of(kind, doubles({0.0, -0.0, 1}))) ==
          Scalar{std::int64_t{2}});
    CHECK(value_of(Function::count_distinct, state_of(kind, {{true}, {false}, {true}})) ==
          Scalar{std::int64_t{2}});
    CHECK(value_of(Function::count_distinct, state_of(kind, {{""sv}, {"a"sv}, {"a"sv}})) ==
          Scalar{std::int64_t{2}});
}

TEST_CASE("merging an empty state changes nothing, and merging into one copies") {
    for (const AccumulatorKind kind : kAllKinds) {
        CAPTURE(static_cast<int>(kind));
        const bool is_int = kind == AccumulatorKind::sum_int || kind == AccumulatorKind::min_int ||
                            kind == AccumulatorKind::max_int;
        const AccumulatorState state = state_of(kind, is_int ? ints({4, 7}) : doubles({4, 7}));
        for (const Function function : {Function::count, Function::sum, Function::stddev}) {
            const Scalar wanted = finish(function, 0.5, state).value;
            CHECK(finish(function, 0.5, merged(kind, state, make_state(kind))).value == wanted);
            CHECK(finish(function, 0.5, merged(kind, make_state(kind), state)).value == wanted);
            CHECK(finish(function, 0.5, clone(state)).value == wanted);
        }
    }
}

TEST_CASE("a state takes 40 bytes, and only what it holds elsewhere is heap") {
    CHECK(sizeof(AccumulatorState) <= 40);
    for (const AccumulatorKind kind : kAllKinds) CHECK(heap_bytes(make_state(kind)) == 0);
    CHECK(heap_bytes(state_of(AccumulatorKind::count, ints({1}))) == 0);
    CHECK(heap_bytes(state_of(AccumulatorKind::distinct, ints({1}))) == 8);
    CHECK(heap_bytes(state_of(AccumulatorKind::last, ints({1}))) >= sizeof(OrderedState));
    CHECK(heap_bytes(state_of(AccumulatorKind::quantile, ints({1}))) == sizeof(DDSketch));
}
