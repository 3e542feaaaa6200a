// Strong types for the numbers that must never be swapped.
#pragma once

#include <chrono>
#include <compare>
#include <cstdint>
#include <string>

namespace freshet {

using Duration = std::chrono::milliseconds;
// A point in time, unix milliseconds. Whether it is event time, Kafka's or Redis's is said by the name.
using Timestamp = std::chrono::sys_time<Duration>;

constexpr std::int64_t unix_ms(Timestamp t) { return t.time_since_epoch().count(); }
constexpr Timestamp from_unix_ms(std::int64_t ms) { return Timestamp{Duration{ms}}; }

// A whole number that only mixes with its own kind.
template <class Tag, class T>
struct Strong {
    T value{};

    friend constexpr auto operator<=>(Strong, Strong) = default;
    constexpr Strong next() const { return Strong{static_cast<T>(value + 1)}; }
};

using Offset = Strong<struct OffsetTag, std::int64_t>;          // of a record in a Kafka partition
using PartitionId = Strong<struct PartitionTag, std::int32_t>;  // of a Kafka topic
using Epoch = Strong<struct EpochTag, std::uint64_t>;  // of an ownership of a partition; at least unix ms
using Generation = Strong<struct GenerationTag, std::uint32_t>;  // of a topic that was made anew, from 0
// In a Redis Cluster, where a partition's progress record stands: it proves ownership at the primary that
// serves the slot. A single server holds all records in the first.
using RecordSlot = std::uint16_t;
constexpr RecordSlot kFirstRecordSlot = 13'907;
using TileNumber = std::int64_t;  // floor(event time / hop)

// Where the events of a partial come from.
struct Partition {
    std::string topic;
    PartitionId id;

    friend auto operator<=>(const Partition&, const Partition&) = default;
    std::string text() const { return topic + "/" + std::to_string(id.value); }
};

}  // namespace freshet
