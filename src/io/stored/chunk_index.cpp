#include "io/stored/chunk_index.hpp"

#include "io/stored/head_index.hpp"
#include "io/stored/partial_format.hpp"
#include "model/partial.hpp"

namespace freshet {

namespace {

Error bad_chunk(std::string what) { return {Errc::corrupt, "stored chunk: " + std::move(what)}; }

bool is_in_range(TileNumber chunk, Duration hop) {
    const Duration farthest{kFarthestTime};
    return chunk_of(tile_of(Timestamp{-farthest}, hop)) <= chunk &&
           chunk <= chunk_of(tile_of(Timestamp{farthest}, hop));
}

}  // namespace

Error undecodable_chunk() { return bad_chunk("columns do not decode"); }

Result<void> index_chunk(std::string_view bytes, const StoredLayouts& layouts, PartitionId partition,
                         ChunkIndex& out) {
    if (!is_protobuf(bytes)) return bad_chunk("unknown encoding");
    WireReader in(bytes.substr(1));
    const StoredLayout::Resolution* stored = &layouts.current().resolutions[out.resolution];
    const Duration hop = stored->hop;
    const std::uint32_t layout = in.next(chunk_tag::kLayout) ? in.fixed<std::uint32_t>() : 0;
    const OlderLayout* older = nullptr;
    if (layout != layouts.fingerprint()) {
        const auto found = layouts.find(layout);
        if (!found) return found.error();
        older = *found;
        stored = older->resolution(out.resolution);
        if (!stored) return bad_chunk("its layout has no such hop");
    }
    if (!is_in_range(out.number, hop)) return bad_chunk("number out of range");
    const TileNumber start = out.number * kChunkTiles;
    out.base = {from_unix_ms(start * hop.count()), Offset{0}, partition};
    const auto first_of = [&](TileNumber distance) { return start + distance; };
    const std::string_view numbers = in.next(chunk_tag::kTiles) ? in.bytes() : std::string_view{};
    out.tiles.clear();
    if (!take_tile_numbers(numbers, first_of, start + kChunkTiles - 1,
                           [&](TileNumber number) { out.tiles.push_back(number); }) ||
        out.tiles.empty())
        return bad_chunk("bad tile numbers");
    if (!take_columns(chunk_tag::kColumn, stored->accumulators.size(), in, out.columns) || !in.done())
        return undecodable_chunk();
    if (older) older->map(out.resolution, out.columns);
    return {};
}

}  // namespace freshet
