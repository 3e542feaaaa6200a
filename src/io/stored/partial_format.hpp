// What the two directions of a stored head or chunk share (docs/stored-value.md, proto/partial.proto).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "io/stored/protobuf_wire.hpp"
#include "model/partial.hpp"
#include "model/result.hpp"

namespace freshet {

// The byte before a payload.
enum class PayloadEncoding : std::uint8_t { protobuf = 1, msgpack = 2, json = 3 };  // 2 and 3 are reserved

constexpr std::size_t kStampBytes = 12;

namespace head_tag {
inline constexpr std::uint8_t kLayout = wire_tag(1, WireType::fixed32);
inline constexpr std::uint8_t kPartition = wire_tag(2, WireType::varint);
inline constexpr std::uint8_t kNewest = wire_tag(3, WireType::varint);
inline constexpr std::uint8_t kResolution = wire_tag(4, WireType::bytes);
}  // namespace head_tag

namespace resolution_tag {
inline constexpr std::uint8_t kTiles = wire_tag(1, WireType::bytes);
inline constexpr std::uint8_t kColumn = wire_tag(2, WireType::bytes);
inline constexpr std::uint8_t kSealed = wire_tag(3, WireType::varint);
inline constexpr std::uint8_t kWindow = wire_tag(4, WireType::bytes);
}  // namespace resolution_tag

namespace merged_tag {
inline constexpr std::uint8_t kComplete = wire_tag(1, WireType::varint);
inline constexpr std::uint8_t kFrom = wire_tag(2, WireType::varint);
inline constexpr std::uint8_t kTiles = wire_tag(3, WireType::varint);
inline constexpr std::uint8_t kColumn = wire_tag(4, WireType::bytes);
}  // namespace merged_tag

namespace chunk_tag {
inline constexpr std::uint8_t kLayout = wire_tag(1, WireType::fixed32);
inline constexpr std::uint8_t kTiles = wire_tag(2, WireType::bytes);
inline constexpr std::uint8_t kColumn = wire_tag(3, WireType::bytes);
}  // namespace chunk_tag

// Bounds on what is accepted from outside: a time is within 36 million years of 1970, a tile number never
// overflows, and a few stored bytes cannot claim a gigabyte of states.
constexpr std::int64_t kFarthestTime = std::int64_t{1} << 60;
constexpr std::uint64_t kFarthestTile = std::uint64_t{1} << 61;
constexpr std::size_t kMostTiles = 4096;

inline bool is_protobuf(std::string_view bytes) {
    return !bytes.empty() && bytes.front() == static_cast<char>(PayloadEncoding::protobuf);
}

// Takes ascending tile numbers, stored as distances, and hands each to `out`: the first is first_of(distance),
// none lies beyond `last`. False if they are not what a writer writes.
bool take_tile_numbers(std::string_view list, const auto& first_of, TileNumber last, const auto& out) {
    WireReader distances(list);
    TileNumber number = 0;
    for (std::size_t i = 0; !distances.done(); ++i) {
        const std::uint64_t distance = distances.varint();
        if (!distances.ok() || i == kMostTiles) return false;
        if (i == 0) {
            if (distance >= kFarthestTile) return false;
            number = first_of(static_cast<TileNumber>(distance));
            if (number > last) return false;
        } else {
            if (distance == 0 || distance > static_cast<std::uint64_t>(last - number)) return false;
            number += static_cast<TileNumber>(distance);
        }
        out(number);
    }
    return true;
}

// The stamp in front of a stored head.
Result<Stamp> decode_stamp(std::string_view bytes);

}  // namespace freshet
