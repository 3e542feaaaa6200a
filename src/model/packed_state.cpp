#include "model/packed_state.hpp"

#include <cstddef>
#include <memory>
#include <type_traits>
#include <utility>

namespace freshet {

std::size_t packed_size(AccumulatorKind kind) {
    alignas(kPackedAlignment) std::byte nothing[64];
    return visit_packed(kind, nothing, []<class T>(T&) {
        static_assert(alignof(T) <= kPackedAlignment);
        return sizeof(T);
    });
}

void construct_packed(AccumulatorKind kind, void* at) {
    visit_packed(kind, at, []<class T>(T& state) { std::construct_at(&state); });
}

void destroy_packed(AccumulatorKind kind, void* at) {
    visit_packed(kind, at, []<class T>(T& state) { std::destroy_at(&state); });
}

void relocate_packed(AccumulatorKind kind, void* from, void* to) {
    visit_packed(kind, from, [to]<class T>(T& state) {
        std::construct_at(static_cast<T*>(to), std::move(state));
        std::destroy_at(&state);
    });
}

void pack(AccumulatorKind kind, AccumulatorState&& state, void* at) {
    visit_packed(kind, at, [&]<class T>(T& packed) {
        if constexpr (std::is_same_v<T, DDSketch>) {
            auto& sketch = std::get<std::unique_ptr<DDSketch>>(state);
            packed = sketch ? std::move(*sketch) : DDSketch{};
        } else {
            packed = std::move(std::get<T>(state));
        }
    });
}

AccumulatorState unpack(AccumulatorKind kind, const void* at) {
    return visit_packed(kind, const_cast<void*>(at), []<class T>(const T& packed) -> AccumulatorState {
        if constexpr (std::is_same_v<T, DDSketch>) {
            return packed.empty() ? nullptr : std::make_unique<DDSketch>(packed);
        } else if constexpr (std::is_same_v<T, std::unique_ptr<OrderedState>>) {
            return packed ? std::make_unique<OrderedState>(*packed) : nullptr;
        } else {
            return packed;
        }
    });
}

std::size_t packed_heap_bytes(AccumulatorKind kind, const void* at) {
    if (!has_heap(kind)) return 0;
    return visit_packed(kind, const_cast<void*>(at), []<class T>(const T& state) -> std::size_t {
        if constexpr (std::is_same_v<T, DDSketch> || std::is_same_v<T, HyperLogLog>) {
            return state.memory_bytes() - sizeof state;
        } else if constexpr (std::is_same_v<T, std::unique_ptr<OrderedState>>) {
            const auto* text = state ? std::get_if<std::string>(&state->value) : nullptr;
            return (state ? sizeof(OrderedState) : 0) + (text ? text->capacity() : 0);
        } else {
            return 0;
        }
    });
}

}  // namespace freshet
