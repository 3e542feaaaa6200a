// What the two directions of a Column of proto/partial.proto share: the states of one accumulator over several
// tiles.
#pragma once

#include <vector>

#include "io/stored/protobuf_wire.hpp"
#include "model/accumulator.hpp"

namespace freshet {

using States = std::vector<AccumulatorState>;

// What the times and offsets of first and last count from, and the partition they all belong to.
struct ColumnBase {
    Timestamp time;
    Offset offset;
    PartitionId partition;
};

namespace column_tag {

inline constexpr std::uint8_t kCount = wire_tag(1, WireType::bytes);
inline constexpr std::uint8_t kInteger = wire_tag(2, WireType::bytes);
inline constexpr std::uint8_t kHigh = wire_tag(3, WireType::bytes);
inline constexpr std::uint8_t kReal = wire_tag(4, WireType::bytes);
inline constexpr std::uint8_t kSpread = wire_tag(5, WireType::bytes);
inline constexpr std::uint8_t kTime = wire_tag(6, WireType::bytes);
inline constexpr std::uint8_t kOffset = wire_tag(7, WireType::bytes);
inline constexpr std::uint8_t kFlag = wire_tag(8, WireType::bytes);
inline constexpr std::uint8_t kBlob = wire_tag(9, WireType::bytes);

}  // namespace column_tag

}  // namespace freshet
