#include "io/stored/partial_codec.hpp"

#include "io/stored/column_decoder.hpp"
#include "io/stored/column_encoder.hpp"
#include "io/stored/partial_format.hpp"

namespace freshet {

namespace {

Error bad_bytes(std::string what) { return {Errc::corrupt, std::move(what)}; }

template <class T>
void append_big_endian(std::string& out, T value) {
    for (int shift = static_cast<int>(sizeof value) * 8 - 8; shift >= 0; shift -= 8)
        out.push_back(static_cast<char>(value >> shift & 0xff));
}

std::uint64_t big_endian(std::string_view bytes) {
    std::uint64_t value = 0;
    for (const char c : bytes) value = value << 8 | static_cast<unsigned char>(c);
    return value;
}

std::uint64_t behind(TileNumber newest, TileNumber tile) { return static_cast<std::uint64_t>(newest - tile); }

// The distance of each tile from the one before it.
void encode_steps(std::span<const ConstRow> tiles, WireWriter& out) {
    for (std::size_t i = 1; i < tiles.size(); ++i) out.varint(behind(tiles[i].number(), tiles[i - 1].number()));
}

void encode_columns(std::uint8_t tag, const Resolution& resolution, std::span<const ConstRow> rows,
                    const ColumnBase& base, WireWriter& out) {
    for (const RowLayout::Column column : resolution.rows.columns()) {
        const std::size_t opened = out.open(tag);
        encode_column(column, rows, base, out);
        out.close(opened);
    }
}

void encode_merge(const Resolution& resolution, const WindowPlan& window, const HeadView::Merge& merge,
                  TileNumber newest, const ColumnBase& base, WireWriter& out) {
    if (merge.complete_from != kNoTile) {
        out.byte(merged_tag::kComplete);
        out.varint(behind(newest, merge.complete_from));
    }
    if (merge.tiles == 0) return;
    if (merge.from != newest) {
        out.byte(merged_tag::kFrom);
        out.varint(behind(newest, merge.from));
    }
    out.byte(merged_tag::kTiles);
    out.varint(merge.tiles);
    for (const std::size_t a : window.accumulators) {
        const std::size_t opened = out.open(merged_tag::kColumn);
        encode_column(resolution.rows.columns()[a], std::span(&merge.row, 1), base, out);
        out.close(opened);
    }
}

}  // namespace

Result<Stamp> decode_stamp(std::string_view bytes) {
    if (bytes.size() < kStampBytes) return bad_bytes("stored head: shorter than its stamp");
    const std::uint64_t offset = big_endian(bytes.substr(4, 8));
    return Stamp{Generation{static_cast<std::uint32_t>(big_endian(bytes.substr(0, 4)))},
                 Offset{static_cast<std::int64_t>(offset)}};
}

PartialCodec::PartialCodec(const Source& source, const ViewPlan& plan) : plan_(plan), layouts_(source, plan) {}

// ---- Writing

void PartialCodec::encode_head(const HeadView& head, std::string& out) {
    append_big_endian(out, head.stamp.generation.value);
    append_big_endian(out, static_cast<std::uint64_t>(head.stamp.offset.value));
    WireWriter writer(out);
    writer.byte(static_cast<std::uint8_t>(PayloadEncoding::protobuf));
    writer.byte(head_tag::kLayout);
    writer.fixed(layouts_.fingerprint());
    if (head.partition.value != 0) {
        writer.byte(head_tag::kPartition);
        writer.varint(static_cast<std::uint64_t>(head.partition.value));
    }
    if (unix_ms(head.newest) != 0) {
        writer.byte(head_tag::kNewest);
        writer.sint(unix_ms(head.newest));
    }
    for (std::size_t r = 0; r < plan_.resolutions().size(); ++r) {
        const std::size_t opened = writer.open(head_tag::kResolution);
        encode_resolution(head, r, writer);
        writer.close(opened);
    }
}

void PartialCodec::encode_resolution(const HeadView& head, std::size_t index, WireWriter& out) const {
    const Resolution& resolution = plan_.resolutions()[index];
    const HeadView::Resolution& stored = head.resolutions[index];
    const TileNumber newest = tile_of(head.newest, resolution.hop);
    const ColumnBase base{head.newest, head.stamp.offset, head.partition};
    if (!stored.tiles.empty()) {
        const std::size_t opened = out.open(resolution_tag::kTiles);
        out.varint(behind(newest, stored.tiles.front().number()));
        encode_steps(stored.tiles, out);
        out.close(opened);
        encode_columns(resolution_tag::kColumn, resolution, stored.tiles, base, out);
    }
    if (stored.sealed_to == kNoTile) return;
    out.byte(resolution_tag::kSealed);
    out.varint(behind(newest, stored.sealed_to));
    for (std::size_t w = 0; w < resolution.windows.size(); ++w) {
        const std::size_t opened = out.open(resolution_tag::kWindow);
        encode_merge(resolution, resolution.windows[w], stored.merged[w], newest, base, out);
        out.close(opened);
    }
}

void PartialCodec::encode_chunk(std::size_t resolution, std::span<const ConstRow> tiles, std::string& out) {
    const Resolution& plan = plan_.resolutions()[resolution];
    const TileNumber first = chunk_of(tiles.front().number()) * kChunkTiles;
    const ColumnBase base{from_unix_ms(first * plan.hop.count()), Offset{0}, PartitionId{0}};
    WireWriter writer(out);
    writer.byte(static_cast<std::uint8_t>(PayloadEncoding::protobuf));
    writer.byte(chunk_tag::kLayout);
    writer.fixed(layouts_.fingerprint());
    const std::size_t opened = writer.open(chunk_tag::kTiles);
    writer.varint(behind(tiles.front().number(), first));
    encode_steps(tiles, writer);
    writer.close(opened);
    encode_columns(chunk_tag::kColumn, plan, tiles, base, writer);
}

// ---- Reading

Result<void> PartialCodec::decode_head(std::string_view bytes, Head& out) {
    if (auto indexed = index_head(bytes, layouts_, index_); !indexed) return indexed;
    return decode_head(index_, out);
}

Result<void> PartialCodec::decode_head(const HeadIndex& index, Head& out) {
    out.stamp = index.stamp;
    out.partition = index.partition;
    out.newest = index.newest;
    out.resolutions.resize(index.resolutions.size());
    for (std::size_t r = 0; r < out.resolutions.size(); ++r) {
        const Resolution& resolution = plan_.resolutions()[r];
        if (!decode_resolution(index.resolutions[r], resolution, index.base(), out.resolutions[r]))
            return undecodable(resolution.hop);
    }
    return {};
}

bool PartialCodec::decode_resolution(const HeadIndex::Resolution& index, const Resolution& resolution,
                                     const ColumnBase& base, ResolutionHead& out) {
    out.tiles.resize(index.tiles.size());
    for (std::size_t i = 0; i < index.tiles.size(); ++i) out.tiles[i].number = index.tiles[i];
    if (!decode_tiles(index.columns, resolution, base, out.tiles)) return false;
    out.stored_to = kNoTile;
    out.sealed_to = index.sealed_to;
    out.merged.resize(index.sealed_to == kNoTile ? 0 : index.windows.size());
    for (std::size_t w = 0; w < out.merged.size(); ++w) {
        const auto& accumulators = resolution.windows[w].accumulators;
        const std::vector<std::string_view>& columns = index.windows[w].columns;
        Merged& merged = out.merged[w];
        static_cast<MergedSpan&>(merged) = index.windows[w].span;
        merged.states.resize(columns.size());
        to_.assign(1, &merged.states);
        for (std::size_t i = 0; i < columns.size(); ++i)
            if (!decode_column(resolution.accumulators[accumulators[i]].kind, columns[i], to_, i, base))
                return false;
    }
    return true;
}

bool PartialCodec::decode_tiles(std::span<const std::string_view> columns, const Resolution& resolution,
                                const ColumnBase& base, std::vector<Tile>& tiles) {
    to_.clear();
    for (Tile& tile : tiles) {
        tile.states.resize(resolution.accumulators.size());
        to_.push_back(&tile.states);
    }
    for (std::size_t a = 0; a < columns.size(); ++a)
        if (!decode_column(resolution.accumulators[a].kind, columns[a], to_, a, base)) return false;
    return true;
}

Result<void> PartialCodec::decode_chunk(std::size_t resolution, TileNumber chunk, PartitionId partition,
                                        std::string_view bytes, Chunk& out) {
    chunk_.resolution = out.resolution = resolution;
    chunk_.number = out.number = chunk;
    if (auto indexed = index_chunk(bytes, layouts_, partition, chunk_); !indexed) return indexed;
    out.tiles.resize(chunk_.tiles.size());
    for (std::size_t i = 0; i < chunk_.tiles.size(); ++i) out.tiles[i].number = chunk_.tiles[i];
    if (!decode_tiles(chunk_.columns, plan_.resolutions()[resolution], chunk_.base, out.tiles))
        return undecodable_chunk();
    return {};
}

}  // namespace freshet
