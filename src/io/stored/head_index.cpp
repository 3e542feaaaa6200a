#include "io/stored/head_index.hpp"

#include <limits>

#include "io/stored/partial_format.hpp"

namespace freshet {

namespace {

Error bad_head(std::string what) { return {Errc::corrupt, "stored head: " + std::move(what)}; }

// The tile that stands next as a number of tiles behind the newest.
bool take_tile(WireReader& in, TileNumber newest, TileNumber& out) {
    const std::uint64_t distance = in.varint();
    out = newest - static_cast<TileNumber>(distance & (kFarthestTile - 1));
    return distance < kFarthestTile;
}

bool index_window(std::string_view bytes, const StoredLayout::Window& layout, TileNumber newest,
                  HeadIndex::Window& out) {
    WireReader in(bytes);
    MergedSpan& span = out.span;
    span = {newest, kNoTile, 0};
    if (in.next(merged_tag::kComplete) && !take_tile(in, newest, span.complete_from)) return false;
    if (in.next(merged_tag::kFrom) && !take_tile(in, newest, span.from)) return false;
    const std::uint64_t tiles = in.next(merged_tag::kTiles) ? in.varint() : 0;
    if (tiles > std::numeric_limits<std::uint32_t>::max()) return false;
    span.tiles = static_cast<std::uint32_t>(tiles);
    if (tiles == 0) span.from = kNoTile;
    return take_columns(merged_tag::kColumn, tiles > 0 ? layout.accumulators.size() : 0, in, out.columns) &&
           in.done();
}

bool index_resolution(std::string_view bytes, const StoredLayout::Resolution& layout, Timestamp newest_event,
                      HeadIndex::Resolution& out) {
    const TileNumber newest = tile_of(newest_event, layout.hop);
    WireReader in(bytes);
    const std::string_view numbers = in.next(resolution_tag::kTiles) ? in.bytes() : std::string_view{};
    const auto first_of = [&](TileNumber distance) { return newest - distance; };
    out.tiles.clear();
    if (!take_tile_numbers(numbers, first_of, newest, [&](TileNumber n) { out.tiles.push_back(n); }))
        return false;
    if (!take_columns(resolution_tag::kColumn, out.tiles.empty() ? 0 : layout.accumulators.size(), in,
                      out.columns))
        return false;
    out.sealed_to = kNoTile;
    if (!in.next(resolution_tag::kSealed)) return in.done();
    if (!take_tile(in, newest, out.sealed_to)) return false;
    out.windows.resize(layout.windows.size());
    for (std::size_t w = 0; w < out.windows.size(); ++w) {
        if (!in.next(resolution_tag::kWindow)) return false;
        if (!index_window(in.bytes(), layout.windows[w], newest, out.windows[w])) return false;
    }
    return in.done();
}

// What follows the layout's number in a payload.
Result<void> index_payload(WireReader& in, const StoredLayout& layout, HeadIndex& out) {
    const std::uint64_t partition = in.next(head_tag::kPartition) ? in.varint() : 0;
    const std::int64_t newest = in.next(head_tag::kNewest) ? in.sint() : 0;
    if (partition > std::numeric_limits<std::int32_t>::max()) return bad_head("partition out of range");
    if (newest < -kFarthestTime || newest > kFarthestTime) return bad_head("time out of range");
    out.partition = PartitionId{static_cast<std::int32_t>(partition)};
    out.newest = from_unix_ms(newest);
    out.resolutions.resize(layout.resolutions.size());
    for (std::size_t r = 0; r < out.resolutions.size(); ++r) {
        const StoredLayout::Resolution& resolution = layout.resolutions[r];
        if (!in.next(head_tag::kResolution) ||
            !index_resolution(in.bytes(), resolution, out.newest, out.resolutions[r]))
            return undecodable(resolution.hop);
    }
    if (!in.done()) return bad_head("bytes after its end");
    return {};
}

}  // namespace

bool take_columns(std::uint8_t tag, std::size_t count, WireReader& in, std::vector<std::string_view>& out) {
    out.resize(count);
    for (std::string_view& column : out) {
        if (!in.next(tag)) return false;
        column = in.bytes();
    }
    return in.ok();
}

Error undecodable(Duration hop) {
    return bad_head("tiles of hop " + std::to_string(hop.count() / 1000) + " s do not decode");
}

Result<void> index_head(std::string_view bytes, const StoredLayouts& layouts, HeadIndex& out) {
    const auto stamp = decode_stamp(bytes);
    if (!stamp) return stamp.error();
    out.stamp = *stamp;
    bytes.remove_prefix(kStampBytes);
    if (!is_protobuf(bytes)) return bad_head("unknown encoding");
    WireReader in(bytes.substr(1));
    const std::uint32_t layout = in.next(head_tag::kLayout) ? in.fixed<std::uint32_t>() : 0;
    if (layout == layouts.fingerprint()) return index_payload(in, layouts.current(), out);

    const auto older = layouts.find(layout);
    if (!older) return older.error();
    thread_local HeadIndex stored;
    stored.stamp = *stamp;
    if (auto indexed = index_payload(in, (*older)->layout(), stored); !indexed) return indexed;
    (*older)->map(stored, out);
    return {};
}

}  // namespace freshet
