#include "model/entity_windows.hpp"

#include <algorithm>

#include "model/packed_state.hpp"

namespace freshet {

namespace {

// Expired tiles are dropped in one move once there are this many, since each drop shifts those behind.
constexpr std::size_t kExpireAtOnce = 8;

std::uint64_t passing_filters(const ViewPlan& plan, const Event& event) {
    std::uint64_t passing = 0;
    for (std::size_t i = 0; i < plan.filters().size(); ++i)
        if (plan.filters()[i].accepts(event.fields)) passing |= std::uint64_t{1} << i;
    return passing;
}

}  // namespace

EntityWindows::EntityWindows(const ViewPlan& plan, PartitionId partition, Generation generation)
    : stamp_{generation, Offset{-1}}, partition_(partition) {
    resolutions_.reserve(plan.resolutions().size());
    for (const Resolution& resolution : plan.resolutions()) resolutions_.emplace_back(resolution.rows);
}

EntityWindows::EntityWindows(const ViewPlan& plan, Head unfolded)
    : EntityWindows(plan, unfolded.partition, unfolded.stamp.generation) {
    stamp_ = unfolded.stamp;
    newest_ = unfolded.newest;
    for (std::size_t r = 0; r < resolutions_.size(); ++r) {
        Tiles& tiles = resolutions_[r];
        for (Tile& tile : unfolded.resolutions[r].tiles) tiles.all.append(std::move(tile));
        if (unfolded.resolutions[r].stored_to == kNoTile) continue;
        tiles.sealed = std::make_unique<Sealed>(plan.resolutions()[r].rows);
        tiles.sealed->to = unfolded.resolutions[r].stored_to;
    }
}

EntityWindows::Outcome EntityWindows::add(const ViewPlan& plan, const Event& event) {
    if (event.offset <= stamp_.offset) return Outcome::duplicate;
    const std::uint64_t passing = passing_filters(plan, event);
    bool kept = false;
    for (std::size_t r = 0; r < resolutions_.size(); ++r) {
        const Resolution& resolution = plan.resolutions()[r];
        const TileNumber number = tile_of(event.time, resolution.hop);
        const bool may_be_late = event.time < event.clock - resolution.kept;  // spares a division
        if (may_be_late && number < resolution.oldest_kept(event.clock)) continue;
        kept = true;
        count(resolution, resolutions_[r], number, event, passing, partition_);
    }
    if (!kept) return Outcome::late;
    newest_ = stamp_.offset.value < 0 ? event.time : std::max(newest_, event.time);
    stamp_.offset = event.offset;
    return Outcome::counted;
}

void EntityWindows::mark_changed(Sealed& sealed, TileNumber number) {
    const TileNumber chunk = chunk_of(number);
    auto& list = sealed.changed_chunks;
    const auto place = std::lower_bound(list.begin(), list.end(), chunk);
    if (place == list.end() || *place != chunk) list.insert(place, chunk);
}

std::size_t EntityWindows::tile_at(Tiles& tiles, TileNumber number) {
    TileRows& all = tiles.all;
    if (!all.empty() && all.back().number() == number) return all.size() - 1;
    const std::size_t place = all.lower_bound(number);
    if (place < all.size() && all[place].number() == number) return place;
    if (tiles.sealed) {
        for (Sealed::Merge& merge : tiles.sealed->merged)
            if (merge.tiles > 0 && merge.from <= number && number <= tiles.sealed->to) ++merge.tiles;
    }
    all.insert(place, number);
    return place;
}

void EntityWindows::count(const Resolution& resolution, Tiles& tiles, TileNumber number, const Event& event,
                          std::uint64_t passing, PartitionId partition) {
    const std::size_t tile = tile_at(tiles, number);
    tiles.all.add(tile, resolution.accumulators, event, passing, partition);
    if (number > tiles.sealed_to()) return;
    Sealed& sealed = *tiles.sealed;
    mark_changed(sealed, number);
    for (std::size_t w = 0; w < sealed.merged.size(); ++w) {
        if (sealed.merged[w].tiles == 0 || number < sealed.merged[w].from) continue;
        for (const std::size_t a : resolution.windows[w].accumulators)
            sealed.rows.add(w, a, resolution.accumulators[a], event, passing, partition);
    }
}

void EntityWindows::expire(const Resolution& resolution, Tiles& tiles, Timestamp clock) {
    TileRows& all = tiles.all;
    const std::size_t expired = all.lower_bound(resolution.oldest_kept(clock));
    if (expired == 0 || (expired < kExpireAtOnce && expired < all.size())) return;
    if (tiles.sealed) {
        // The chunk that loses some tiles and keeps others need not be rewritten for that.
        const TileNumber sealed_to = tiles.sealed->to;
        const bool keeps_sealed = expired < all.size() && all[expired].number() <= sealed_to;
        const TileNumber first_kept_chunk = keeps_sealed ? chunk_of(all[expired].number()) : kNoTile;
        for (std::size_t i = 0; i < expired; ++i) {
            const TileNumber number = all[i].number();
            if (number <= sealed_to && chunk_of(number) != first_kept_chunk)
                mark_changed(*tiles.sealed, number);
        }
    }
    all.erase_first(expired);
}

void EntityWindows::seal(const Resolution& resolution, Tiles& tiles) {
    TileRows& all = tiles.all;
    if (tiles.sealed_to() == kNoTile) {
        if (all.size() <= kSparseTiles) return;
        if (!tiles.sealed) tiles.sealed = std::make_unique<Sealed>(resolution.rows);
    }
    Sealed& sealed = *tiles.sealed;
    if (all.size() > kOpenTiles) {
        const std::size_t end = all.size() - kOpenTiles;
        for (std::size_t i = sealed.to == kNoTile ? 0 : all.lower_bound(sealed.to + 1); i < end; ++i) {
            mark_changed(sealed, all[i].number());
            for (std::size_t w = 0; w < sealed.merged.size(); ++w) {
                if (sealed.merged[w].tiles > 0 && sealed.merged[w].from <= all[i].number())
                    merge_sealed(resolution, tiles, w, all[i]);
            }
        }
        sealed.to = std::max(sealed.to, all[end - 1].number());
    }
    sealed.merged.resize(resolution.windows.size());
    while (sealed.rows.size() < sealed.merged.size())
        sealed.rows.insert(sealed.rows.size(), static_cast<TileNumber>(sealed.rows.size()));
    for (std::size_t w = 0; w < resolution.windows.size(); ++w) refresh_merged(resolution, tiles, w);
}

void EntityWindows::merge_sealed(const Resolution& resolution, Tiles& tiles, std::size_t window,
                                 ConstRow tile) {
    for (const std::size_t a : resolution.windows[window].accumulators)
        tiles.sealed->rows.merge(window, a, tile);
    ++tiles.sealed->merged[window].tiles;
}

void EntityWindows::refresh_merged(const Resolution& resolution, Tiles& tiles, std::size_t window) {
    Sealed& sealed = *tiles.sealed;
    Sealed::Merge& merge = sealed.merged[window];
    const TileRows& all = tiles.all;
    if (all.empty()) {
        merge = {};
        sealed.rows.reset(window);
        return;
    }
    const TileNumber window_start = all.back().number() - resolution.windows[window].tiles;
    merge.complete_from = all[0].number() >= window_start ? kNoTile : window_start;
    const bool fresh = merge.tiles > 0 && merge.from >= window_start + kApartTiles / 2;
    if (fresh) return;
    merge.from = window_start + kApartTiles;
    merge.tiles = 0;
    sealed.rows.reset(window);
    for (std::size_t i = all.lower_bound(merge.from); i < all.size() && all[i].number() <= sealed.to; ++i)
        merge_sealed(resolution, tiles, window, all[i]);
}

// The tiles that stand one by one: the open ones, and of the sealed those that some window keeps apart. Longer
// windows begin earlier.
void EntityWindows::show(const Resolution& resolution, const Tiles& tiles, HeadView::Resolution& out) {
    const TileRows& all = tiles.all;
    out.tiles.clear();
    out.merged.clear();
    out.sealed_to = tiles.sealed_to();
    std::size_t next = 0;
    const auto show_to = [&](std::size_t end) {
        for (; next < end; ++next) out.tiles.push_back(all[next]);
    };
    if (out.sealed_to == kNoTile) return show_to(all.size());
    const Sealed& sealed = *tiles.sealed;
    for (std::size_t w = 0; w < sealed.merged.size(); ++w) {
        const Sealed::Merge& merge = sealed.merged[w];
        out.merged.push_back({merge.from, merge.complete_from, merge.tiles, sealed.rows[w]});
    }
    if (all.empty()) return;
    const std::size_t open = all.lower_bound(sealed.to + 1);
    for (std::size_t w = sealed.merged.size(); w-- > 0;) {
        next = std::max(next, all.lower_bound(all.back().number() - resolution.windows[w].tiles));
        show_to(std::min(open, all.lower_bound(sealed.merged[w].from)));
    }
    next = open;
    show_to(all.size());
}

void EntityWindows::flush(const ViewPlan& plan, std::optional<Timestamp> clock, HeadView& head,
                          std::vector<ChunkId>& changed) {
    head.stamp = stamp_;
    head.partition = partition_;
    head.newest = newest_;
    head.resolutions.resize(resolutions_.size());
    changed.clear();
    for (std::size_t r = 0; r < resolutions_.size(); ++r) {
        const Resolution& resolution = plan.resolutions()[r];
        Tiles& tiles = resolutions_[r];
        if (clock) expire(resolution, tiles, *clock);
        seal(resolution, tiles);
        show(resolution, tiles, head.resolutions[r]);
        if (!tiles.sealed) continue;
        for (const TileNumber chunk : tiles.sealed->changed_chunks) changed.push_back({r, chunk});
        tiles.sealed->changed_chunks.clear();
    }
}

std::vector<ConstRow> EntityWindows::sealed_tiles(ChunkId chunk) const {
    const Tiles& tiles = resolutions_[chunk.resolution];
    std::vector<ConstRow> rows;
    const TileNumber first = chunk.number * kChunkTiles;
    for (std::size_t i = tiles.all.lower_bound(first); i < tiles.all.size(); ++i) {
        const TileNumber number = tiles.all[i].number();
        if (number > tiles.sealed_to() || chunk_of(number) != chunk.number) break;
        rows.push_back(tiles.all[i]);
    }
    return rows;
}

Head EntityWindows::unfolded() const {
    Head head{stamp_, partition_, newest_, {}};
    for (const Tiles& tiles : resolutions_) {
        ResolutionHead& out = head.resolutions.emplace_back();
        for (std::size_t i = 0; i < tiles.all.size(); ++i)
            out.tiles.push_back(unpack(tiles.all.layout(), tiles.all[i]));
    }
    return head;
}

Tile unpack(const RowLayout& layout, ConstRow row) {
    Tile tile{row.number(), {}};
    for (const RowLayout::Column column : layout.columns())
        tile.states.push_back(unpack(column.kind, row.state(column)));
    return tile;
}

std::size_t EntityWindows::memory_bytes() const {
    std::size_t bytes = sizeof *this + resolutions_.capacity() * sizeof(Tiles);
    for (const Tiles& tiles : resolutions_) {
        bytes += tiles.all.memory_bytes();
        if (!tiles.sealed) continue;
        const Sealed& sealed = *tiles.sealed;
        bytes += sizeof sealed + sealed.merged.capacity() * sizeof(Sealed::Merge) + sealed.rows.memory_bytes() +
                 sealed.changed_chunks.capacity() * sizeof(TileNumber);
    }
    return bytes;
}

}  // namespace freshet
