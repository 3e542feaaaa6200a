// How an event is counted in a state of each kind; inline, since it runs for every accumulator of every event.
#pragma once

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <bit>
#include <tuple>

#include "model/packed_state.hpp"

namespace freshet {

__extension__ using int128 = __int128;
__extension__ using uint128 = unsigned __int128;

inline int128 wide(const SumIntState& s) {
    return static_cast<int128>((static_cast<uint128>(static_cast<std::uint64_t>(s.high)) << 64) | s.low);
}

inline void set_wide(SumIntState& s, int128 sum) {
    s.low = static_cast<std::uint64_t>(sum);
    s.high = static_cast<std::int64_t>(sum >> 64);
}

inline double as_double(const Value& value) {
    if (const auto* i = std::get_if<std::int64_t>(&value)) return static_cast<double>(*i);
    return std::get<double>(value);
}

// Equal values of one field hash alike; 0.0 and -0.0 are equal.
inline std::uint64_t hash_of(const Value& value) {
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

inline void add_moment(MomentsState& s, double x) {
    ++s.n;
    const double delta = x - s.mean;
    s.mean += delta / static_cast<double>(s.n);
    s.m2 += delta * (x - s.mean);
}

// Whether `candidate` belongs in place of `current`.
inline bool precedes(AccumulatorKind kind, const auto& candidate, const auto& current) {
    return kind == AccumulatorKind::first ? candidate < current : current < candidate;
}

inline void set_scalar(Scalar& scalar, const Value& value) {
    if (const auto* x = std::get_if<double>(&value)) {
        scalar = *x;
    } else {
        scalar = to_scalar(value);
    }
}

inline void add_ordered(AccumulatorKind kind, OrderedState& s, const Value& value, const Event& event,
                        PartitionId partition) {
    if (s.present() && !precedes(kind, std::tie(event.time, partition, event.offset), s.key())) return;
    s.time = event.time;
    s.partition = partition;
    s.offset = event.offset;
    set_scalar(s.value, value);
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
        take_extreme(kind, s, std::get<T>(value));
    }
    void operator()(OrderedState& s) const { add_ordered(kind, s, value, event, partition); }
    void operator()(std::unique_ptr<OrderedState>& s) const {
        if (!s) s = std::make_unique<OrderedState>();
        (*this)(*s);
    }
    void operator()(HyperLogLog& s) const { s.add(hash_of(value)); }
    void operator()(DDSketch& s) const { s.add(as_double(value)); }
    void operator()(std::unique_ptr<DDSketch>& s) const {
        if (!s) s = std::make_unique<DDSketch>();
        (*this)(*s);
    }
};

// Counts one event in a packed state; gives by how much heap_bytes_of() it changed, modulo 2^64.
inline std::size_t add_packed(AccumulatorKind kind, void* state, const Value& value, const Event& event,
                              PartitionId partition) {
    return visit_packed(kind, state, [&](auto& s) {
        const std::size_t before = heap_bytes_of(s);
        Adding{kind, value, event, partition}(s);
        return heap_bytes_of(s) - before;
    });
}

}  // namespace freshet
