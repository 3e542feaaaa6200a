#include "model/accumulator.hpp"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <cmath>
#include <limits>
#include <tuple>

#include "model/packed_state.hpp"

namespace freshet {

namespace {

__extension__ using int128 = __int128;
__extension__ using uint128 = unsigned __int128;

int128 wide(const SumIntState& s) {
    return static_cast<int128>((static_cast<uint128>(static_cast<std::uint64_t>(s.high)) << 64) | s.low);
}

void set_wide(SumIntState& s, int128 sum) {
    s.low = static_cast<std::uint64_t>(sum);
    s.high = static_cast<std::int64_t>(sum >> 64);
}

double as_double(const Value& value) {
    if (const auto* i = std::get_if<std::int64_t>(&value)) return static_cast<double>(*i);
    return std::get<double>(value);
}

// Equal values of one field hash alike; 0.0 and -0.0 are equal.
std::uint64_t hash_of(const Value& value) {
    if (const auto* text = std::get_if<std::string_view>(&value))
        return XXH3_64bits(text->data(), text->size());
    std::uint64_t bits = 0;
    if (const auto* i = std::get_if<std::int64_t>(&value)) {
        bits = static_cast<std::uint64_t>(*i);
    } else if (const auto* d = std::get_if<double>(&value)) {
        bits = std::bit_cast<std::uint64_t>(*d == 0 ? 0.0 : *d);
    } else {
        bits = std::get<bool>(value) ? 1 : 0;
    }
    return XXH3_64bits(&bits, sizeof bits);
}

void add_moment(MomentsState& s, double x) {
    ++s.n;
    const double delta = x - s.mean;
    s.mean += delta / static_cast<double>(s.n);
    s.m2 += delta * (x - s.mean);
}

template <class T>
void take_extreme(ExtremeState<T>& s, T value, bool want_max) {
    if (!s.present || (want_max ? s.value < value : value < s.value)) s = {true, value};
}

bool wants_max(AccumulatorKind kind) {
    return kind == AccumulatorKind::max_int || kind == AccumulatorKind::max_float;
}

// Whether `candidate` belongs in place of `current`.
bool precedes(AccumulatorKind kind, const auto& candidate, const auto& current) {
    return kind == AccumulatorKind::first ? candidate < current : current < candidate;
}

void add_ordered(AccumulatorKind kind, std::unique_ptr<OrderedState>& s, const Value& value, const Event& event,
                 PartitionId partition) {
    if (s && !precedes(kind, std::tie(event.time, partition, event.offset), s->key())) return;
    if (!s) s = std::make_unique<OrderedState>();
    *s = {event.time, partition, event.offset, to_scalar(value)};
}

// Counts one event in a state of any type.
struct Adding {
    AccumulatorKind kind;
    const Value& value;
    const Event& event;
    PartitionId partition;

    void operator()(CountState& s) const { ++s.n; }
    void operator()(SumIntState& s) const {
        ++s.n;
        set_wide(s, wide(s) + std::get<std::int64_t>(value));
    }
    void operator()(SumFloatState& s) const {
        ++s.n;
        s.sum += std::get<double>(value);
    }
    void operator()(MomentsState& s) const { add_moment(s, as_double(value)); }
    template <class T>
    void operator()(ExtremeState<T>& s) const {
        take_extreme(s, std::get<T>(value), wants_max(kind));
    }
    void operator()(std::unique_ptr<OrderedState>& s) const { add_ordered(kind, s, value, event, partition); }
    void operator()(HyperLogLog& s) const { s.add(hash_of(value)); }
    void operator()(DDSketch& s) const { s.add(as_double(value)); }
    void operator()(std::unique_ptr<DDSketch>& s) const {
        if (!s) s = std::make_unique<DDSketch>();
        (*this)(*s);
    }
};

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

void add_packed(AccumulatorKind kind, void* state, const Value& value, const Event& event,
                PartitionId partition) {
    visit_packed(kind, state, Adding{kind, value, event, partition});
}

void merge_states(AccumulatorKind, CountState& into, const CountState& from) { into.n += from.n; }

void merge_states(AccumulatorKind, SumIntState& into, const SumIntState& from) {
    into.n += from.n;
    set_wide(into, wide(into) + wide(from));
}

void merge_states(AccumulatorKind, SumFloatState& into, const SumFloatState& from) {
    into.n += from.n;
    into.sum += from.sum;
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

void merge_states(AccumulatorKind kind, ExtremeState<std::int64_t>& into,
                  const ExtremeState<std::int64_t>& from) {
    if (from.present) take_extreme(into, from.value, wants_max(kind));
}

void merge_states(AccumulatorKind kind, ExtremeState<double>& into, const ExtremeState<double>& from) {
    if (from.present) take_extreme(into, from.value, wants_max(kind));
}

void merge_states(AccumulatorKind kind, std::unique_ptr<OrderedState>& into,
                  const std::unique_ptr<OrderedState>& from) {
    if (!from || (into && !precedes(kind, from->key(), into->key()))) return;
    if (into) {
        *into = *from;
    } else {
        into = std::make_unique<OrderedState>(*from);
    }
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
