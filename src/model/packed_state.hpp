// States of accumulators without a tag, where their kind is known from elsewhere: what AccumulatorState holds
// of a kind, at an address. What AccumulatorState points to stands in place.
#pragma once

#include "model/accumulator.hpp"

namespace freshet {

// Calls `f` with the state at `at` as what it is.
template <class F>
decltype(auto) visit_packed(AccumulatorKind kind, void* at, F&& f) {
    switch (kind) {
        case AccumulatorKind::count:
            return f(*static_cast<CountState*>(at));
        case AccumulatorKind::sum_int:
            return f(*static_cast<SumIntState*>(at));
        case AccumulatorKind::sum_float:
            return f(*static_cast<SumFloatState*>(at));
        case AccumulatorKind::moments:
            return f(*static_cast<MomentsState*>(at));
        case AccumulatorKind::min_int:
        case AccumulatorKind::max_int:
            return f(*static_cast<ExtremeState<std::int64_t>*>(at));
        case AccumulatorKind::min_float:
        case AccumulatorKind::max_float:
            return f(*static_cast<ExtremeState<double>*>(at));
        case AccumulatorKind::first:
        case AccumulatorKind::last:
            return f(*static_cast<OrderedState*>(at));
        case AccumulatorKind::distinct:
            return f(*static_cast<HyperLogLog*>(at));
        case AccumulatorKind::quantile:
            break;
    }
    return f(*static_cast<DDSketch*>(at));
}

std::size_t packed_size(AccumulatorKind kind);
constexpr std::size_t kPackedAlignment = 8;
constexpr std::size_t kInlineText = 15;  // a std::string of so many bytes holds no heap

// An empty state in raw memory, and its end.
void construct_packed(AccumulatorKind kind, void* at);
void destroy_packed(AccumulatorKind kind, void* at);
// Ends the state at `from` and begins it at `to`, which is raw memory.
void relocate_packed(AccumulatorKind kind, void* from, void* to);

// As merge() of AccumulatorState. What counts an event is in adding.hpp.
void merge_packed(AccumulatorKind kind, void* into, const void* from);

// `state` is of `kind`; what stands at `at` is replaced.
void pack(AccumulatorKind kind, AccumulatorState&& state, void* at);
AccumulatorState unpack(AccumulatorKind kind, const void* at);

// Heap bytes held by a packed state.
inline std::size_t heap_bytes_of(const auto&) { return 0; }
inline std::size_t heap_bytes_of(const HyperLogLog& state) { return state.memory_bytes() - sizeof state; }
inline std::size_t heap_bytes_of(const DDSketch& state) { return state.memory_bytes() - sizeof state; }
inline std::size_t heap_bytes_of(const OrderedState& state) {
    const auto* text = std::get_if<std::string>(&state.value);
    return text && text->capacity() > kInlineText ? text->capacity() + 1 : 0;
}

// Whether states of a kind may hold heap.
constexpr bool has_heap(AccumulatorKind kind) {
    return kind == AccumulatorKind::first || kind == AccumulatorKind::last ||
           kind == AccumulatorKind::distinct || kind == AccumulatorKind::quantile;
}

// Heap bytes held by a state, beyond packed_size().
std::size_t packed_heap_bytes(AccumulatorKind kind, const void* at);

}  // namespace freshet
