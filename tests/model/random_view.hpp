// Random views, and random events for one entity of them, drawn from a seed.
#pragma once

#include <array>
#include <random>
#include <string>
#include <vector>

#include "model/view_plan.hpp"

namespace freshet::testing {

using Random = std::mt19937_64;

inline std::int64_t between(Random& random, std::int64_t low, std::int64_t high) {
    return std::uniform_int_distribution<std::int64_t>(low, high)(random);
}
inline bool chance(Random& random, int percent) { return between(random, 1, 100) <= percent; }
template <class T>
const auto& one_of(Random& random, const T& list) {
    return list[static_cast<std::size_t>(between(random, 0, static_cast<std::int64_t>(std::size(list)) - 1))];
}

enum FieldIndex : std::size_t { kInt, kFloat, kText, kFlag };

inline Source mixed_source() {
    Source source;
    source.name = source.topic = "orders";
    source.fields = {{"i", {"i"}, FieldType::int64},
                     {"f", {"f"}, FieldType::float64},
                     {"s", {"s"}, FieldType::string},
                     {"b", {"b"}, FieldType::boolean}};
    return source;
}

inline Feature random_feature(Random& random, const Source& source, std::span<const std::int64_t> hops) {
    static constexpr std::array kNumeric = {Function::sum,     Function::mean,     Function::min,
                                            Function::max,     Function::variance, Function::stddev,
                                            Function::quantile};
    static constexpr std::array kAny = {Function::count, Function::first, Function::last,
                                        Function::count_distinct};
    static constexpr std::array kTiles = {1, 1, 2, 3, 5, 8, 13, 20, 60, 60, 100};
    static constexpr std::array kWhere = {"i > 0", "f < 10.5 and b", "s in ['key1', 'key2', 'key3']",
                                          "not b", "s is not null",  "i < -1000000"};
    Feature feature;
    if (chance(random, 60)) {
        feature.function = one_of(random, kNumeric);
        feature.field = chance(random, 50) ? kInt : kFloat;
    } else {
        feature.function = one_of(random, kAny);
        feature.field = static_cast<std::size_t>(between(random, kInt, kFlag));
        if (feature.function == Function::count && chance(random, 70)) feature.field.reset();
    }
    feature.q = static_cast<double>(between(random, 0, 20)) / 20;
    feature.hop = std::chrono::seconds(one_of(random, hops));
    feature.window = one_of(random, kTiles) * feature.hop;
    if (chance(random, 5)) {
        feature.window.reset();
        feature.hop = std::chrono::hours(24);
    }
    if (chance(random, 25)) feature.where = *Expression::parse(one_of(random, kWhere), source.fields);
    return feature;
}

struct RandomView {
    Source source = mixed_source();
    View view;
};

inline RandomView random_view(Random& random) {
    static constexpr std::array<std::int64_t, 5> kHops = {1, 2, 10, 60, 3600};
    RandomView out;
    out.source.max_future = std::chrono::seconds(one_of(random, std::array{0, 1, 60}));
    out.view.name = "customer_orders";
    const std::array hops = {one_of(random, kHops), one_of(random, kHops)};
    for (std::int64_t n = between(random, 1, 10); n > 0; --n) {
        out.view.features.push_back(random_feature(random, out.source, hops));
        out.view.features.back().name = "feature" + std::to_string(n);
        out.view.retain = std::max(out.view.retain, out.view.features.back().hop);
    }
    if (chance(random, 30)) out.view.retain = std::chrono::seconds(between(random, 0, 500));
    return out;
}

// An event together with what it is made of. Its values stay where they are when it is moved.
struct StoredEvent {
    Timestamp time;
    PartitionId partition;
    Offset offset;
    Timestamp clock;
    std::vector<Value> values;

    Event event() const { return {time, offset, clock, values}; }
};

// The events of one entity in one partition: mostly ascending in time, some late, some leaps.
class RandomStream {
public:
    RandomStream(Random& random, const RandomView& view, PartitionId partition, Timestamp start)
        : random_(random), partition_(partition), clock_(start) {
        Duration longest{1};
        Duration shortest = std::chrono::hours(24);
        for (const Feature& feature : view.view.features) {
            longest = std::max(longest, feature.window.value_or(feature.hop));
            shortest = std::min(shortest, feature.hop);
        }
        reach_ = longest + view.view.retain + view.source.max_future;
        step_ = one_of(random, std::array{shortest / 5, shortest, shortest * 4, longest / 3});
        wide_values_ = chance(random, 20);
        whole_seconds_ = chance(random, 40);
    }

    StoredEvent next() {
        const std::int64_t kind = between(random_, 1, 100);
        Timestamp time = clock_ + Duration{between(random_, 0, 2 * step_.count())};
        if (kind <= 20) time = clock_ - Duration{between(random_, 0, 3 * step_.count())};
        if (kind <= 8) time = clock_ - Duration{between(random_, 0, reach_.count() * 5 / 4)};
        if (kind > 98) time = clock_ + Duration{between(random_, 0, 2 * reach_.count())};
        // So that partitions have events of one time.
        if (whole_seconds_) time = std::chrono::floor<std::chrono::seconds>(time);
        // Events of other entities move the clock, too.
        if (chance(random_, 10)) clock_ += Duration{between(random_, 0, 2 * step_.count())};
        clock_ = std::max(clock_, time);
        offset_.value += between(random_, 1, 50);
        return {time, partition_, offset_, clock_, {integer(), real(), text(), flag()}};
    }

private:
    Value integer() {
        if (chance(random_, 10)) return {};
        if (!wide_values_) return between(random_, -100, 100);
        constexpr auto kMost = std::numeric_limits<std::int64_t>::max();
        return chance(random_, 30) ? between(random_, kMost - 10, kMost) : between(random_, -kMost - 1, kMost);
    }
    Value real() {
        if (chance(random_, 10)) return {};
        if (!wide_values_) return std::round(std::normal_distribution<double>(5, 20)(random_));
        return std::lognormal_distribution<double>(0, 10)(random_) * (chance(random_, 50) ? 1 : -1);
    }
    Value text() {
        static const std::vector<std::string> kTexts = [] {
            std::vector<std::string> texts = {"", "a text too long for the small string optimisation"};
            for (int i = 0; i < 300; ++i) texts.push_back("key" + std::to_string(i));
            return texts;
        }();
        if (chance(random_, 10)) return {};
        return std::string_view{kTexts[static_cast<std::size_t>(between(random_, 0, wide_values_ ? 301 : 6))]};
    }
    Value flag() {
        if (chance(random_, 10)) return {};
        return chance(random_, 50);
    }

    Random& random_;
    PartitionId partition_;
    Timestamp clock_;
    Offset offset_{-1};
    Duration reach_;
    Duration step_;
    bool wide_values_;
    bool whole_seconds_;
};

}  // namespace freshet::testing
