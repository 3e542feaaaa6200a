// What docs/semantics.md says a feature is, computed from all the events at every read.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>
#include <tuple>
#include <vector>

#include "model/random_view.hpp"

namespace freshet::testing {

using Events = std::vector<const StoredEvent*>;

inline std::int64_t floor_of(std::int64_t a, std::int64_t b) { return a / b - (a % b != 0 && a < 0 ? 1 : 0); }

inline bool in_window(std::optional<Duration> window, Duration hop, Timestamp time, Timestamp t) {
    const std::int64_t tile = floor_of(unix_ms(time), hop.count());
    if (tile > floor_of(unix_ms(t), hop.count())) return false;
    return !window || tile >= floor_of(unix_ms(t - *window), hop.count());
}

inline bool is_missing(const View& view, const Events& events, Timestamp t) {
    const auto rank = [](const Feature* f) {
        return std::tuple(f->window.value_or(Duration::max()), -f->hop.count());
    };
    const Feature* longest = &view.features.front();
    for (const Feature& feature : view.features)
        if (rank(&feature) > rank(longest)) longest = &feature;
    return std::none_of(events.begin(), events.end(), [&](const StoredEvent* e) {
        return in_window(longest->window, longest->hop, e->time, t);
    });
}

// The events that a feature takes at t, ascending by (time, partition, offset).
inline Events taken_by(const Feature& feature, const Events& events, Timestamp t) {
    Events taken;
    for (const StoredEvent* e : events) {
        if (!in_window(feature.window, feature.hop, e->time, t)) continue;
        if (feature.where && !feature.where->accepts(e->values)) continue;
        if (feature.field && is_null(e->values[*feature.field])) continue;
        taken.push_back(e);
    }
    const auto place = [](const StoredEvent* e) { return std::tie(e->time, e->partition, e->offset); };
    std::sort(taken.begin(), taken.end(), [&](const auto* a, const auto* b) { return place(a) < place(b); });
    return taken;
}

class Expected {
public:
    Expected(const Feature& feature, FieldType type, const Events& taken)
        : feature_(feature), is_int_(type == FieldType::int64), taken_(taken) {}

    bool agrees(const FeatureValue& got) const {
        switch (feature_.function) {
            case Function::count:
                return is(got, static_cast<std::int64_t>(taken_.size()));
            case Function::sum:
                return agrees_with_sum(got);
            case Function::mean:
                return taken_.empty() ? is_null(got) : near(got, mean(), scale());
            case Function::min:
                return is_extreme(got, false);
            case Function::max:
                return is_extreme(got, true);
            case Function::variance:
                return taken_.empty() ? is_null(got) : near(got, variance(), scale() * scale());
            case Function::stddev:
                return agrees_with_stddev(got);
            case Function::first:
                return taken_.empty() ? is_null(got) : is(got, value(*taken_.front()));
            case Function::last:
                return taken_.empty() ? is_null(got) : is(got, value(*taken_.back()));
            case Function::count_distinct:
                return agrees_with_distinct(got);
            case Function::quantile:
                return agrees_with_quantile(got);
        }
        return false;
    }

private:
    static bool is_null(const FeatureValue& got) { return got.value.index() == 0 && !got.overflow; }
    static bool is(const FeatureValue& got, const Scalar& wanted) {
        return got.value == wanted && !got.overflow;
    }
    static bool near(const FeatureValue& got, double wanted, double size) {
        if (!std::isfinite(wanted)) return got.overflow && got.value.index() == 0;
        const auto* x = std::get_if<double>(&got.value);
        return x && !got.overflow && std::fabs(*x - wanted) <= 1e-9 * size;
    }

    Scalar value(const StoredEvent& e) const { return to_scalar(e.values[*feature_.field]); }
    double number(const StoredEvent& e) const {
        const Value& x = e.values[*feature_.field];
        return is_int_ ? static_cast<double>(std::get<std::int64_t>(x)) : std::get<double>(x);
    }
    std::vector<double> numbers() const {
        std::vector<double> out;
        for (const StoredEvent* e : taken_) out.push_back(number(*e));
        return out;
    }
    // The largest magnitude: errors of rounding are small against it.
    double scale() const {
        double most = 0;
        for (const double x : numbers()) most = std::max(most, std::fabs(x));
        return most;
    }
    double mean() const {
        long double sum = 0;
        for (const double x : numbers()) sum += x;
        return static_cast<double>(sum / static_cast<long double>(taken_.size()));
    }
    double variance() const {
        long double sum = 0;
        const long double middle = mean();
        for (const double x : numbers()) sum += (x - middle) * (x - middle);
        return static_cast<double>(sum / static_cast<long double>(taken_.size()));
    }

    bool agrees_with_sum(const FeatureValue& got) const {
        const auto n = static_cast<double>(taken_.size());
        if (!is_int_) return near(got, n == 0 ? 0 : mean() * n, scale() * n);
        __extension__ __int128 sum = 0;
        for (const StoredEvent* e : taken_) sum += std::get<std::int64_t>(e->values[*feature_.field]);
        const bool fits = sum == static_cast<std::int64_t>(sum);
        return fits ? is(got, static_cast<std::int64_t>(sum)) : got.overflow && got.value.index() == 0;
    }
    bool is_extreme(const FeatureValue& got, bool largest) const {
        if (taken_.empty()) return is_null(got);
        Scalar wanted = value(*taken_.front());
        for (const StoredEvent* e : taken_)
            wanted = largest ? std::max(wanted, value(*e)) : std::min(wanted, value(*e));
        return is(got, wanted);
    }
    bool agrees_with_stddev(const FeatureValue& got) const {
        if (taken_.empty()) return is_null(got);
        const auto* x = std::get_if<double>(&got.value);
        return x && near({*x * *x}, variance(), scale() * scale());
    }
    bool agrees_with_distinct(const FeatureValue& got) const {
        std::set<Scalar> values;
        for (const StoredEvent* e : taken_) values.insert(value(*e));
        const auto n = static_cast<std::int64_t>(values.size());
        if (n <= 128) return is(got, n);
        const auto* estimate = std::get_if<std::int64_t>(&got.value);
        return estimate && std::abs(static_cast<double>(*estimate - n)) <= 0.08 * static_cast<double>(n);
    }
    bool agrees_with_quantile(const FeatureValue& got) const {
        if (taken_.empty()) return is_null(got);
        std::vector<double> sorted = numbers();
        std::sort(sorted.begin(), sorted.end());
        const auto rank = static_cast<std::size_t>(feature_.q * static_cast<double>(sorted.size() - 1));
        const double wanted = sorted[rank];
        const auto* x = std::get_if<double>(&got.value);
        const double collapsed = scale() / 1e17;
        return x && std::fabs(*x - wanted) <= 0.01001 * std::fabs(wanted) + 1e-9 + collapsed;
    }

    const Feature& feature_;
    bool is_int_;
    const Events& taken_;
};

}  // namespace freshet::testing
