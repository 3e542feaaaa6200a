// What a tile keeps of its events: one mergeable state per accumulator. Several features may share one
// accumulator.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>

#include "model/ddsketch.hpp"
#include "model/definition.hpp"
#include "model/event.hpp"
#include "model/hyperloglog.hpp"

namespace freshet {

enum class AccumulatorKind : std::uint8_t {
    count,
    sum_int,
    sum_float,
    moments,
    min_int,
    min_float,
    max_int,
    max_float,
    first,
    last,
    distinct,
    quantile
};

struct AccumulatorDef {
    AccumulatorKind kind;
    std::optional<std::size_t> field;   // index into Source::fields; none counts every event
    std::optional<std::size_t> filter;  // index into ViewPlan::filters; none accepts every event

    friend bool operator==(const AccumulatorDef&, const AccumulatorDef&) = default;
};

Scalar to_scalar(const Value& value);

struct CountState {
    std::uint64_t n = 0;
};

// An exact sum of int64: the 128-bit two's complement number high:low.
struct SumIntState {
    std::uint64_t n = 0;
    std::uint64_t low = 0;
    std::int64_t high = 0;
};

struct SumFloatState {
    std::uint64_t n = 0;
    double sum = 0;
};

// Welford's running moments, merged after Chan et al. (1979).
struct MomentsState {
    std::uint64_t n = 0;
    double mean = 0;
    double m2 = 0;  // sum of (x - mean)^2
};

template <class T>
struct ExtremeState {
    bool present = false;
    T value{};
};

// The first or last value by (event time, partition, offset).
struct OrderedState {
    Timestamp time;
    PartitionId partition;
    Offset offset;
    Scalar value;  // null where there is none

    bool present() const { return value.index() != 0; }
    auto key() const { return std::tie(time, partition, offset); }
};

// The large and the rare ones are held by pointer, so that a state stays at 40 bytes; null is empty.
using AccumulatorState =
    std::variant<CountState, SumIntState, SumFloatState, MomentsState, ExtremeState<std::int64_t>,
                 ExtremeState<double>, std::unique_ptr<OrderedState>, HyperLogLog, std::unique_ptr<DDSketch>>;

// The empty state of a kind.
AccumulatorState make_state(AccumulatorKind kind);

// Counts one event. `value` is the accumulator's field (anything for count "*"), not null.
void add(AccumulatorKind kind, AccumulatorState& state, const Value& value, const Event& event,
         PartitionId partition);

// Adds `from` to `into`; the outcome does not depend on how merges are grouped (sums of doubles: up to
// rounding).
void merge(AccumulatorKind kind, AccumulatorState& into, const AccumulatorState& from);

// The same for states whose type is known.
inline void merge_states(AccumulatorKind, CountState& into, const CountState& from) { into.n += from.n; }
inline void merge_states(AccumulatorKind, SumIntState& into, const SumIntState& from) {
    into.n += from.n;
    into.low += from.low;
    const std::uint64_t carry = into.low < from.low ? 1 : 0;
    into.high = static_cast<std::int64_t>(static_cast<std::uint64_t>(into.high) +
                                          static_cast<std::uint64_t>(from.high) + carry);
}
inline void merge_states(AccumulatorKind, SumFloatState& into, const SumFloatState& from) {
    into.n += from.n;
    into.sum += from.sum;
}
void merge_states(AccumulatorKind kind, MomentsState& into, const MomentsState& from);
constexpr bool wants_max(AccumulatorKind kind) {
    return kind == AccumulatorKind::max_int || kind == AccumulatorKind::max_float;
}
template <class T>
void take_extreme(AccumulatorKind kind, ExtremeState<T>& into, T value) {
    if (!into.present || (wants_max(kind) ? into.value < value : value < into.value)) into = {true, value};
}
template <class T>
void merge_states(AccumulatorKind kind, ExtremeState<T>& into, const ExtremeState<T>& from) {
    if (from.present) take_extreme(kind, into, from.value);
}
void merge_states(AccumulatorKind kind, OrderedState& into, const OrderedState& from);
void merge_states(AccumulatorKind kind, std::unique_ptr<OrderedState>& into,
                  const std::unique_ptr<OrderedState>& from);
void merge_states(AccumulatorKind kind, HyperLogLog& into, const HyperLogLog& from);
void merge_states(AccumulatorKind kind, DDSketch& into, const DDSketch& from);
void merge_states(AccumulatorKind kind, std::unique_ptr<DDSketch>& into, const std::unique_ptr<DDSketch>& from);

AccumulatorState clone(const AccumulatorState& state);

// A feature's value: null (monostate) with `overflow` where the true value does not fit its type.
struct FeatureValue {
    Scalar value;
    bool overflow = false;
};

FeatureValue finish(Function function, double q, const AccumulatorState& state);

// Heap bytes held by a state, beyond sizeof(AccumulatorState).
std::size_t heap_bytes(const AccumulatorState& state);

}  // namespace freshet
