#include "io/stored/partial_codec.hpp"

#include <array>
#include <charconv>
#include <limits>

#include "io/stored/column_decoder.hpp"
#include "io/stored/column_encoder.hpp"

namespace freshet {

namespace {

namespace head_tag {
constexpr std::uint8_t kLayout = wire_tag(1, WireType::fixed32);
constexpr std::uint8_t kPartition = wire_tag(2, WireType::varint);
constexpr std::uint8_t kNewest = wire_tag(3, WireType::varint);
constexpr std::uint8_t kResolution = wire_tag(4, WireType::bytes);
}  // namespace head_tag

namespace resolution_tag {
constexpr std::uint8_t kTiles = wire_tag(1, WireType::bytes);
constexpr std::uint8_t kColumn = wire_tag(2, WireType::bytes);
constexpr std::uint8_t kSealed = wire_tag(3, WireType::varint);
constexpr std::uint8_t kWindow = wire_tag(4, WireType::bytes);
}  // namespace resolution_tag

namespace merged_tag {
constexpr std::uint8_t kComplete = wire_tag(1, WireType::varint);
constexpr std::uint8_t kFrom = wire_tag(2, WireType::varint);
constexpr std::uint8_t kTiles = wire_tag(3, WireType::varint);
constexpr std::uint8_t kColumn = wire_tag(4, WireType::bytes);
}  // namespace merged_tag

namespace chunk_tag {
constexpr std::uint8_t kLayout = wire_tag(1, WireType::fixed32);
constexpr std::uint8_t kTiles = wire_tag(2, WireType::bytes);
constexpr std::uint8_t kColumn = wire_tag(3, WireType::bytes);
}  // namespace chunk_tag

// Bounds on what is accepted from outside: a time is within 36 million years of 1970, a tile number never
// overflows, and a few stored bytes cannot claim a gigabyte of states.
constexpr std::int64_t kFarthestTime = std::int64_t{1} << 60;
constexpr std::uint64_t kFarthestTile = std::uint64_t{1} << 61;
constexpr std::size_t kMostTiles = 4096;

bool is_protobuf(std::string_view bytes) {
    return !bytes.empty() && bytes.front() == static_cast<char>(PayloadEncoding::protobuf);
}

Error corrupt(std::string what) { return {Errc::corrupt, std::move(what)}; }

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

// The tile that stands next as a number of tiles behind the newest.
bool take_tile(WireReader& in, TileNumber newest, TileNumber& out) {
    const std::uint64_t distance = in.varint();
    out = newest - static_cast<TileNumber>(distance & (kFarthestTile - 1));
    return distance < kFarthestTile;
}

// What stands of a merge after `complete_behind`, up to its columns.
bool take_merged_tiles(WireReader& in, TileNumber newest, Merged& out) {
    out.from = newest;
    if (in.next(merged_tag::kFrom) && !take_tile(in, newest, out.from)) return false;
    const std::uint64_t tiles = in.next(merged_tag::kTiles) ? in.varint() : 0;
    out.tiles = static_cast<std::uint32_t>(tiles);
    if (tiles == 0) out.from = kNoTile;
    return tiles <= std::numeric_limits<std::uint32_t>::max();
}

std::size_t count_of_varints(std::string_view list) {
    std::size_t count = 0;
    for (const char c : list) count += static_cast<unsigned char>(c) < 0x80;
    return count;
}

// Ascending tile numbers by their distances: the first tells first_of(distance) where it is, none lies beyond
// `last`.
bool take_tile_numbers(std::string_view list, const auto& first_of, TileNumber last, std::vector<Tile>& out) {
    const std::size_t count = count_of_varints(list);
    if (count > kMostTiles) return false;
    out.resize(count);
    WireReader distances(list);
    for (std::size_t i = 0; i < count; ++i) {
        const std::uint64_t distance = distances.varint();
        if (i == 0) {
            if (distance >= kFarthestTile) return false;
            out[i].number = first_of(static_cast<TileNumber>(distance));
            if (out[i].number > last) return false;
        } else {
            if (distance == 0 || distance > behind(last, out[i - 1].number)) return false;
            out[i].number = out[i - 1].number + static_cast<TileNumber>(distance);
        }
    }
    return distances.done();
}

std::string in_hex(std::uint32_t number) {
    std::array<char, 8> digits{};
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number, 16).ptr;
    return {digits.data(), end};
}

std::string describe_layout(const Source& source, const ViewPlan& plan) {
    std::string text;
    for (const Resolution& resolution : plan.resolutions()) {
        text += "hop " + std::to_string(resolution.hop.count()) + "\n";
        for (const AccumulatorDef& def : resolution.accumulators) {
            text += "accumulator " + std::to_string(static_cast<int>(def.kind));
            if (def.field) {
                const FieldDef& field = source.fields[*def.field];
                text += " of " + field.name + " " + std::string(name_of(field.type));
            }
            if (def.filter) text += " where " + plan.filters()[*def.filter].text();
            text += "\n";
        }
        for (const WindowPlan& window : resolution.windows) {
            text += "window " + std::to_string(window.tiles);
            for (const std::size_t a : window.accumulators) text += " " + std::to_string(a);
            text += "\n";
        }
    }
    return text;
}

}  // namespace

std::uint32_t layout_fingerprint(const Source& source, const ViewPlan& plan) {
    std::uint32_t hash = 2166136261U;  // FNV-1a
    for (const char c : describe_layout(source, plan))
        hash = (hash ^ static_cast<unsigned char>(c)) * 16777619U;
    return hash == 0 ? 1 : hash;  // a zero field would not be written
}

Result<Stamp> decode_stamp(std::string_view bytes) {
    if (bytes.size() < kStampBytes) return corrupt("stored head: shorter than its stamp");
    const std::uint64_t offset = big_endian(bytes.substr(4, 8));
    return Stamp{Generation{static_cast<std::uint32_t>(big_endian(bytes.substr(0, 4)))},
                 Offset{static_cast<std::int64_t>(offset)}};
}

PartialCodec::PartialCodec(const Source& source, const ViewPlan& plan)
    : plan_(plan), layout_(layout_fingerprint(source, plan)) {}

// ---- Writing

void PartialCodec::encode_head(const HeadView& head, std::string& out) {
    append_big_endian(out, head.stamp.generation.value);
    append_big_endian(out, static_cast<std::uint64_t>(head.stamp.offset.value));
    WireWriter writer(out);
    writer.byte(static_cast<std::uint8_t>(PayloadEncoding::protobuf));
    writer.byte(head_tag::kLayout);
    writer.fixed(layout_);
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
    writer.fixed(layout_);
    const std::size_t opened = writer.open(chunk_tag::kTiles);
    writer.varint(behind(tiles.front().number(), first));
    encode_steps(tiles, writer);
    writer.close(opened);
    encode_columns(chunk_tag::kColumn, plan, tiles, base, writer);
}

// ---- Reading

Result<void> PartialCodec::check_layout(std::uint32_t stored) const {
    if (stored == layout_) return {};
    return corrupt("stored layout " + in_hex(stored) + " is not layout " + in_hex(layout_) + " of view " +
                   plan_.id());
}

Result<void> PartialCodec::decode_head(std::string_view bytes, Head& out) {
    const auto stamp = decode_stamp(bytes);
    if (!stamp) return stamp.error();
    out.stamp = *stamp;
    bytes.remove_prefix(kStampBytes);
    if (!is_protobuf(bytes)) return corrupt("stored head: unknown encoding");
    WireReader in(bytes.substr(1));
    if (auto same = check_layout(in.next(head_tag::kLayout) ? in.fixed<std::uint32_t>() : 0); !same)
        return same;

    const std::uint64_t partition = in.next(head_tag::kPartition) ? in.varint() : 0;
    const std::int64_t newest = in.next(head_tag::kNewest) ? in.sint() : 0;
    if (partition > std::numeric_limits<std::int32_t>::max())
        return corrupt("stored head: partition out of range");
    if (newest < -kFarthestTime || newest > kFarthestTime) return corrupt("stored head: time out of range");
    out.partition = PartitionId{static_cast<std::int32_t>(partition)};
    out.newest = from_unix_ms(newest);
    out.resolutions.resize(plan_.resolutions().size());
    for (std::size_t r = 0; r < out.resolutions.size(); ++r) {
        if (!in.next(head_tag::kResolution) || !decode_resolution(in.bytes(), out, r, out.resolutions[r]))
            return corrupt("stored head: tiles of hop " +
                           std::to_string(plan_.resolutions()[r].hop.count() / 1000) + " s do not decode");
    }
    if (!in.done()) return corrupt("stored head: bytes after its end");
    return {};
}

bool PartialCodec::decode_resolution(std::string_view bytes, const Head& head, std::size_t index,
                                     ResolutionHead& out) {
    const Resolution& resolution = plan_.resolutions()[index];
    const TileNumber newest = tile_of(head.newest, resolution.hop);
    const ColumnBase base{head.newest, head.stamp.offset, head.partition};
    WireReader in(bytes);
    const std::string_view numbers = in.next(resolution_tag::kTiles) ? in.bytes() : std::string_view{};
    const auto first_of = [&](TileNumber distance) { return newest - distance; };
    if (!take_tile_numbers(numbers, first_of, newest, out.tiles)) return false;
    if (!decode_columns(resolution_tag::kColumn, resolution, base, out.tiles, in)) return false;

    out.stored_to = kNoTile;
    out.sealed_to = kNoTile;
    out.merged.resize(in.next(resolution_tag::kSealed) ? resolution.windows.size() : 0);
    if (out.merged.empty()) return in.done();
    if (!take_tile(in, newest, out.sealed_to)) return false;
    for (std::size_t w = 0; w < out.merged.size(); ++w) {
        if (!in.next(resolution_tag::kWindow)) return false;
        if (!decode_merged(in.bytes(), resolution, resolution.windows[w], newest, base, out.merged[w]))
            return false;
    }
    return in.done();
}

bool PartialCodec::decode_columns(std::uint8_t tag, const Resolution& resolution, const ColumnBase& base,
                                  std::vector<Tile>& tiles, WireReader& in) {
    if (tiles.empty()) return true;
    to_.clear();
    for (Tile& tile : tiles) {
        tile.states.resize(resolution.accumulators.size());
        to_.push_back(&tile.states);
    }
    for (std::size_t a = 0; a < resolution.accumulators.size(); ++a) {
        if (!in.next(tag) || !decode_column(resolution.accumulators[a].kind, in.bytes(), to_, a, base))
            return false;
    }
    return true;
}

bool PartialCodec::decode_merged(std::string_view bytes, const Resolution& resolution, const WindowPlan& window,
                                 TileNumber newest, const ColumnBase& base, Merged& out) {
    WireReader in(bytes);
    out.complete_from = kNoTile;
    if (in.next(merged_tag::kComplete) && !take_tile(in, newest, out.complete_from)) return false;
    if (!take_merged_tiles(in, newest, out)) return false;
    out.states.resize(out.tiles > 0 ? window.accumulators.size() : 0);
    to_.assign(1, &out.states);
    for (std::size_t i = 0; i < out.states.size(); ++i) {
        const AccumulatorKind kind = resolution.accumulators[window.accumulators[i]].kind;
        if (!in.next(merged_tag::kColumn) || !decode_column(kind, in.bytes(), to_, i, base)) return false;
    }
    return in.done();
}

Result<void> PartialCodec::decode_chunk(std::size_t resolution, TileNumber chunk, PartitionId partition,
                                        std::string_view bytes, Chunk& out) {
    const Resolution& plan = plan_.resolutions()[resolution];
    if (!is_protobuf(bytes)) return corrupt("stored chunk: unknown encoding");
    WireReader in(bytes.substr(1));
    if (auto same = check_layout(in.next(chunk_tag::kLayout) ? in.fixed<std::uint32_t>() : 0); !same)
        return same;
    const Duration farthest{kFarthestTime};
    if (chunk < chunk_of(tile_of(Timestamp{-farthest}, plan.hop)) ||
        chunk > chunk_of(tile_of(Timestamp{farthest}, plan.hop)))
        return corrupt("stored chunk: number out of range");
    out.resolution = resolution;
    out.number = chunk;
    const TileNumber start = chunk * kChunkTiles;
    const ColumnBase base{from_unix_ms(start * plan.hop.count()), Offset{0}, partition};
    const auto first_of = [&](TileNumber distance) { return start + distance; };
    const std::string_view numbers = in.next(chunk_tag::kTiles) ? in.bytes() : std::string_view{};
    if (!take_tile_numbers(numbers, first_of, start + kChunkTiles - 1, out.tiles) || out.tiles.empty())
        return corrupt("stored chunk: bad tile numbers");
    if (!decode_columns(chunk_tag::kColumn, plan, base, out.tiles, in) || !in.done())
        return corrupt("stored chunk: columns do not decode");
    return {};
}

}  // namespace freshet
