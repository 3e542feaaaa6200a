#include "model/accumulator.hpp"

#include <cmath>
#include <limits>
#include <tuple>

#include "model/adding.hpp"
#include "model/packed_state.hpp"

namespace freshet {

namespace {

FeatureValue finite_or_overflow(double x) {
    if (!std::isfinite(x)) return {{}, true};
    return {x};
}

FeatureValue sum_of(const SumIntState& s) {
    const int128 sum = wide(s);
    if (sum > std::numeric_limits<std::int64_t>::max() || sum < std::numeric_limits<std::int64_t>::min())
        return {{}, true};
    return {static_cast<std::int64_t>(sum)};
}

FeatureValue mean_of(std::uint64_t n, double sum) {
    if (n == 0) return {};
    return finite_or_overflow(sum / static_cast<double>(n));
}

FeatureValue variance_of(const MomentsState& s) {
    if (s.n == 0) return {};
    if (!std::isfinite(s.m2)) return {{}, true};  // also where it went below zero by overflow
    return {std::max(0.0, s.m2 / static_cast<double>(s.n))};
}

template <class... F>
struct Overloaded : F... {
    using F::operator()...;
};
template <class... F>
Overloaded(F...) -> Overloaded<F...>;  // for clang 14

}  // namespace

Scalar to_scalar(const Value& value) {
    return std::visit(Overloaded{[](std::string_view text) { return Scalar{std::string(text)}; },
                                 [](auto plain) { return Scalar{plain}; }},
                      value);
}

AccumulatorState make_state(AccumulatorKind kind) {
    switch (kind) {
        case AccumulatorKind::count:
            return CountState{};
        case AccumulatorKind::sum_int:
            return SumIntState{};
        case AccumulatorKind::sum_float:
            return SumFloatState{};
        case AccumulatorKind::moments:
            return MomentsState{};
        case AccumulatorKind::min_int:
        case AccumulatorKind::max_int:
            return ExtremeState<std::int64_t>{};
        case AccumulatorKind::min_float:
        case AccumulatorKind::max_float:
            return ExtremeState<double>{};
        case AccumulatorKind::first:
        case AccumulatorKind::last:
            return std::unique_ptr<OrderedState>{};
        case AccumulatorKind::distinct:
            return HyperLogLog{};
        case AccumulatorKind::quantile:
            return std::unique_ptr<DDSketch>{};
    }
    return CountState{};
}

void add(AccumulatorKind kind, AccumulatorState& state, const Value& value, const Event& event,
         PartitionId partition) {
    std::visit(Adding{kind, value, event, partition}, state);
}

void merge_states(AccumulatorKind, MomentsState& into, const MomentsState& from) {
    if (from.n == 0) return;
    if (into.n == 0) {
        into = from;
        return;
    }
    const double a = static_cast<double>(into.n);
    const double b = static_cast<double>(from.n);
    const double delta = from.mean - into.mean;
    into.n += from.n;
    into.mean += delta * (b / (a + b));
    into.m2 += from.m2 + delta * delta * (a * b / (a + b));
}

void merge_states(AccumulatorKind kind, OrderedState& into, const OrderedState& from) {
    if (from.present() && (!into.present() || precedes(kind, from.key(), into.key()))) into = from;
}

void merge_states(AccumulatorKind kind, std::unique_ptr<OrderedState>& into,
                  const std::unique_ptr<OrderedState>& from) {
    if (!from) return;
    if (!into) into = std::make_unique<OrderedState>();
    merge_states(kind, *into, *from);
}

void merge_states(AccumulatorKind, HyperLogLog& into, const HyperLogLog& from) { into.merge(from); }

void merge_states(AccumulatorKind, DDSketch& into, const DDSketch& from) { into.merge(from); }

void merge_states(AccumulatorKind, std::unique_ptr<DDSketch>& into, const std::unique_ptr<DDSketch>& from) {
    if (!from) return;
    if (!into) into = std::make_unique<DDSketch>();
    into->merge(*from);
}

void merge(AccumulatorKind kind, AccumulatorState& into, const AccumulatorState& from) {
    std::visit([&]<class State>(State& state) { merge_states(kind, state, std::get<State>(from)); }, into);
}

void merge_packed(AccumulatorKind kind, void* into, const void* from) {
    visit_packed(kind, into,
                 [&]<class T>(T& state) { merge_states(kind, state, *static_cast<const T*>(from)); });
}

AccumulatorState clone(const AccumulatorState& state) {
    return std::visit(Overloaded{[]<class T>(const std::unique_ptr<T>& s) -> AccumulatorState {
                                     return s ? std::make_unique<T>(*s) : nullptr;
                                 },
                                 [](const auto& s) -> AccumulatorState { return s; }},
                      state);
}

FeatureValue finish(Function function, double q, const AccumulatorState& state) {
    return std::visit(
        Overloaded{
            [](const CountState& s) -> FeatureValue { return {static_cast<std::int64_t>(s.n)}; },
            [&](const SumIntState& s) {
                return function == Function::sum ? sum_of(s) : mean_of(s.n, static_cast<double>(wide(s)));
            },
            [&](const SumFloatState& s) {
                return function == Function::sum ? finite_or_overflow(s.sum) : mean_of(s.n, s.sum);
            },
            [&](const MomentsState& s) {
                FeatureValue variance = variance_of(s);
                if (function != Function::stddev) return variance;
                if (auto* v = std::get_if<double>(&variance.value)) *v = std::sqrt(*v);
                return variance;
            },
            []<class T>(const ExtremeState<T>& s) -> FeatureValue {
                if (!s.present) return {};
                return {s.value};
            },
            [](const std::unique_ptr<OrderedState>& s) -> FeatureValue {
                if (!s) return {};
                return {s->value};
            },
            [](const HyperLogLog& s) -> FeatureValue { return {s.estimate()}; },
            [&](const std::unique_ptr<DDSketch>& s) -> FeatureValue {
                if (!s) return {};
                const auto x = s->quantile(q);
                if (!x) return {};
                return {*x};
            },
        },
        state);
}

std::size_t heap_bytes(const AccumulatorState& state) {
    if (const auto* s = std::get_if<std::unique_ptr<OrderedState>>(&state)) {
        if (!*s) return 0;
        const auto* text = std::get_if<std::string>(&(*s)->value);
        return sizeof(OrderedState) + (text ? text->capacity() : 0);
    }
    if (const auto* s = std::get_if<HyperLogLog>(&state)) return s->memory_bytes() - sizeof *s;
    if (const auto* s = std::get_if<std::unique_ptr<DDSketch>>(&state)) return *s ? (*s)->memory_bytes() : 0;
    return 0;
}

}  // namespace freshet
