#include "model/packed_state.hpp"

#include <cstddef>
#include <memory>
#include <type_traits>
#include <utility>

namespace freshet {

std::size_t packed_size(AccumulatorKind kind) {
    alignas(kPackedAlignment) std::byte nothing[sizeof(OrderedState)];
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
        if constexpr (std::is_same_v<T, DDSketch> || std::is_same_v<T, OrderedState>) {
            auto& held = std::get<std::unique_ptr<T>>(state);
            packed = held ? std::move(*held) : T{};
        } else {
            packed = std::move(std::get<T>(state));
        }
    });
}

AccumulatorState unpack(AccumulatorKind kind, const void* at) {
    return visit_packed(kind, const_cast<void*>(at), []<class T>(const T& packed) -> AccumulatorState {
        if constexpr (std::is_same_v<T, DDSketch>) {
            return packed.empty() ? nullptr : std::make_unique<DDSketch>(packed);
        } else if constexpr (std::is_same_v<T, OrderedState>) {
            return packed.present() ? std::make_unique<OrderedState>(packed) : nullptr;
        } else {
            return packed;
        }
    });
}

std::size_t packed_heap_bytes(AccumulatorKind kind, const void* at) {
    if (!has_heap(kind)) return 0;
    return visit_packed(kind, const_cast<void*>(at), [](const auto& state) { return heap_bytes_of(state); });
}

}  // namespace freshet
