// Heads and chunks to and from the bytes that stand in Redis (docs/stored-value.md, proto/partial.proto).
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "io/stored/column_format.hpp"
#include "model/partial.hpp"
#include "model/result.hpp"

namespace freshet {

// The byte before a payload.
enum class PayloadEncoding : std::uint8_t { protobuf = 1, msgpack = 2, json = 3 };  // 2 and 3 are reserved

constexpr std::size_t kStampBytes = 12;

// Plans with equal fingerprints store the same accumulators and windows in the same order. Names of features,
// the order of a source's fields and freshness are not part of it.
std::uint32_t layout_fingerprint(const Source& source, const ViewPlan& plan);

// The stamp in front of a stored head.
Result<Stamp> decode_stamp(std::string_view bytes);

// Reuses its memory from call to call; one per thread and view. `plan` outlives it.
class PartialCodec {
public:
    PartialCodec(const Source& source, const ViewPlan& plan);

    std::uint32_t layout() const { return layout_; }

    // Appends the stored bytes. No tile lies after the one of `head.newest`.
    void encode_head(const HeadView& head, std::string& out);
    // Appends the stored bytes of a chunk: `tiles`, at least one, all of one chunk of one resolution.
    void encode_chunk(std::size_t resolution, std::span<const ConstRow> tiles, std::string& out);

    // Both reuse the memory of `out`, and leave anything in it when they fail.
    Result<void> decode_head(std::string_view bytes, Head& out);
    // `partition` as the name of the field tells; where it comes from a head, the head's.
    Result<void> decode_chunk(std::size_t resolution, TileNumber chunk, PartitionId partition,
                              std::string_view bytes, Chunk& out);

private:
    void encode_resolution(const HeadView& head, std::size_t index, WireWriter& out) const;
    bool decode_columns(std::uint8_t tag, const Resolution& resolution, const ColumnBase& base,
                        std::vector<Tile>& tiles, WireReader& in);
    bool decode_resolution(std::string_view bytes, const Head& head, std::size_t index, ResolutionHead& out);
    bool decode_merged(std::string_view bytes, const Resolution& resolution, const WindowPlan& window,
                       TileNumber newest, const ColumnBase& base, Merged& out);
    Result<void> check_layout(std::uint32_t stored) const;

    const ViewPlan& plan_;
    std::uint32_t layout_;
    std::vector<States*> to_;
};

}  // namespace freshet
