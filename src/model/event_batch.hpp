// A run of consecutive records of one partition, decoded once and shared by the aggregators of that partition.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "model/event.hpp"
#include "model/log_identity.hpp"
#include "model/string_arena.hpp"

namespace freshet {

// One event to be counted for one entity of one view.
struct Touch {
    std::uint32_t event;  // index into EventBatch::events
    std::uint32_t view;   // index into the plans of the source
    std::string_view entity;
};

// Immutable once built: events and touches point into `values` and `strings`.
struct EventBatch {
    Epoch epoch{};
    Offset next{};                   // one past the last record
    std::optional<Timestamp> clock;  // the partition's clock after the last record
    // The clock that readers may still read as of, from the record; tiles are kept behind this one.
    std::optional<Timestamp> recorded_clock;
    // Another batch follows at once, whatever becomes of this one: there is a backlog, and a flush may wait for
    // more events of its entities.
    bool more = false;
    std::chrono::steady_clock::time_point read_at{};
    // How old its last record was then, by Kafka's timestamp.
    Duration behind{0};
    std::optional<MarkedSpan> read;  // its records, counted or not
    std::size_t bytes = 0;           // of the records' payloads
    std::size_t records = 0;
    std::vector<Event> events;
    std::vector<std::vector<Touch>> touches;  // one list an aggregator, in offset order
    std::vector<Value> values;
    StringArena strings;

    // What its entities may grow by when it is counted, roughly: each event may begin an entity, or a tile.
    std::size_t growth_bytes() const {
        constexpr std::size_t kByTouch = 512;
        std::size_t bytes = 0;
        for (const auto& list : touches) bytes += list.size() * kByTouch;
        return bytes;
    }
    std::size_t memory_bytes() const {
        std::size_t bytes = events.capacity() * sizeof(Event) + values.capacity() * sizeof(Value);
        for (const auto& list : touches) bytes += list.capacity() * sizeof(Touch);
        return bytes + strings.memory_bytes();
    }
};

}  // namespace freshet
