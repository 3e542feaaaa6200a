// Heads and chunks to and from the bytes that stand in Redis (docs/stored-value.md, proto/partial.proto).
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "io/stored/chunk_index.hpp"
#include "io/stored/column_format.hpp"
#include "io/stored/head_index.hpp"
#include "io/stored/partial_format.hpp"
#include "model/partial.hpp"
#include "model/result.hpp"

namespace freshet {

// Reuses its memory from call to call; one per thread and view. `plan` outlives it.
class PartialCodec {
public:
    PartialCodec(const Source& source, const ViewPlan& plan);

    const StoredLayouts& layouts() const { return layouts_; }
    // StoredLayouts::learn: what is decoded may be of any of them, and comes out as of the current one.
    bool learn(std::string_view layouts) { return layouts_.learn(layouts); }

    // Appends the stored bytes. No tile lies after the one of `head.newest`.
    void encode_head(const HeadView& head, std::string& out);
    // Appends the stored bytes of a chunk: `tiles`, at least one, all of one chunk of one resolution.
    void encode_chunk(std::size_t resolution, std::span<const ConstRow> tiles, std::string& out);

    // Both reuse the memory of `out`, and leave anything in it when they fail.
    Result<void> decode_head(std::string_view bytes, Head& out);
    Result<void> decode_head(const HeadIndex& index, Head& out);
    // `partition` as the name of the field tells; where it comes from a head, the head's.
    Result<void> decode_chunk(std::size_t resolution, TileNumber chunk, PartitionId partition,
                              std::string_view bytes, Chunk& out);

private:
    void encode_resolution(const HeadView& head, std::size_t index, WireWriter& out) const;
    bool decode_resolution(const HeadIndex::Resolution& index, const Resolution& resolution,
                           const ColumnBase& base, ResolutionHead& out);
    bool decode_tiles(std::span<const std::string_view> columns, const Resolution& resolution,
                      const ColumnBase& base, std::vector<Tile>& tiles);

    const ViewPlan& plan_;
    StoredLayouts layouts_;
    std::vector<States*> to_;
    HeadIndex index_;
    ChunkIndex chunk_;
};

}  // namespace freshet
