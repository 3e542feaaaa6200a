#include "model/entity_windows.hpp"

#include <algorithm>

namespace freshet {

namespace {

// Expired tiles are dropped in one move once there are this many, since each drop shifts those behind.
constexpr std::size_t kExpireAtOnce = 8;

bool before(const Tile& tile, TileNumber number) { return tile.number < number; }

Tile make_tile(const Resolution& resolution, TileNumber number) {
    Tile tile{number, {}};
    tile.states.reserve(resolution.accumulators.size());
    for (const AccumulatorDef& def : resolution.accumulators) tile.states.push_back(make_state(def.kind));
    return tile;
}

std::uint64_t passing_filters(const ViewPlan& plan, const Event& event) {
    std::uint64_t passing = 0;
    for (std::size_t i = 0; i < plan.filters().size(); ++i)
        if (plan.filters()[i].accepts(event.fields)) passing |= std::uint64_t{1} << i;
    return passing;
}

void count_one(const AccumulatorDef& def, AccumulatorState& state, const Event& event, std::uint64_t passing,
               PartitionId partition) {
    if (def.filter && !(passing >> *def.filter & 1)) return;
    static constexpr Value kAny{true};
    const Value& value = def.field ? event.fields[*def.field] : kAny;
    if (!is_null(value)) add(def.kind, state, value, event, partition);
}

}  // namespace

EntityWindows::EntityWindows(const ViewPlan& plan, PartitionId partition, Generation generation)
    : stamp_{generation, Offset{-1}}, partition_(partition), resolutions_(plan.resolutions().size()) {}

EntityWindows::EntityWindows(const ViewPlan& plan, Head unfolded)
    : stamp_(unfolded.stamp),
      partition_(unfolded.partition),
      newest_(unfolded.newest),
      resolutions_(plan.resolutions().size()) {
    for (std::size_t r = 0; r < resolutions_.size(); ++r) {
        resolutions_[r].all = std::move(unfolded.resolutions[r].tiles);
        resolutions_[r].sealed_to = unfolded.resolutions[r].stored_to;
    }
}

EntityWindows::Outcome EntityWindows::add(const ViewPlan& plan, const Event& event) {
    if (event.offset <= stamp_.offset) return Outcome::duplicate;
    const std::uint64_t passing = passing_filters(plan, event);
    bool kept = false;
    for (std::size_t r = 0; r < resolutions_.size(); ++r) {
        const Resolution& resolution = plan.resolutions()[r];
        const TileNumber number = tile_of(event.time, resolution.hop);
        if (number < resolution.oldest_kept(event.clock)) continue;
        kept = true;
        count(resolution, resolutions_[r], number, event, passing, partition_);
    }
    if (!kept) return Outcome::late;
    newest_ = stamp_.offset.value < 0 ? event.time : std::max(newest_, event.time);
    stamp_.offset = event.offset;
    return Outcome::counted;
}

void EntityWindows::mark_changed(Tiles& tiles, TileNumber number) {
    const TileNumber chunk = chunk_of(number);
    auto& list = tiles.changed_chunks;
    const auto place = std::lower_bound(list.begin(), list.end(), chunk);
    if (place == list.end() || *place != chunk) list.insert(place, chunk);
}

Tile& EntityWindows::tile_at(const Resolution& resolution, Tiles& tiles, TileNumber number) {
    auto& all = tiles.all;
    if (!all.empty() && all.back().number == number) return all.back();
    const auto place = std::lower_bound(all.begin(), all.end(), number, before);
    if (place != all.end() && place->number == number) return *place;
    for (Merged& merged : tiles.merged)
        if (merged.tiles > 0 && merged.from <= number && number <= tiles.sealed_to) ++merged.tiles;
    return *all.insert(place, make_tile(resolution, number));
}

void EntityWindows::count(const Resolution& resolution, Tiles& tiles, TileNumber number, const Event& event,
                          std::uint64_t passing, PartitionId partition) {
    Tile& tile = tile_at(resolution, tiles, number);
    for (std::size_t a = 0; a < resolution.accumulators.size(); ++a)
        count_one(resolution.accumulators[a], tile.states[a], event, passing, partition);
    if (number > tiles.sealed_to) return;
    mark_changed(tiles, number);
    for (std::size_t w = 0; w < tiles.merged.size(); ++w) {
        Merged& merged = tiles.merged[w];
        if (merged.tiles == 0 || number < merged.from) continue;
        const auto& in_window = resolution.windows[w].accumulators;
        for (std::size_t i = 0; i < in_window.size(); ++i)
            count_one(resolution.accumulators[in_window[i]], merged.states[i], event, passing, partition);
    }
}

void EntityWindows::expire(const Resolution& resolution, Tiles& tiles, Timestamp clock) {
    auto& all = tiles.all;
    const auto kept = std::lower_bound(all.begin(), all.end(), resolution.oldest_kept(clock), before);
    const auto expired = static_cast<std::size_t>(kept - all.begin());
    if (expired < kExpireAtOnce && expired < all.size()) return;
    // The chunk that loses some tiles and keeps others need not be rewritten for that.
    const bool keeps_sealed = kept != all.end() && kept->number <= tiles.sealed_to;
    const TileNumber first_kept_chunk = keeps_sealed ? chunk_of(kept->number) : kNoTile;
    for (auto tile = all.begin(); tile != kept; ++tile)
        if (tile->number <= tiles.sealed_to && chunk_of(tile->number) != first_kept_chunk)
            mark_changed(tiles, tile->number);
    all.erase(all.begin(), kept);
}

void EntityWindows::seal(const Resolution& resolution, Tiles& tiles) {
    const auto& all = tiles.all;
    const bool sealed = tiles.sealed_to != kNoTile;
    if (!sealed && all.size() <= kSparseTiles) return;
    if (all.size() > kOpenTiles) {
        const TileNumber seal_to = all[all.size() - 1 - kOpenTiles].number;
        for (auto tile = std::upper_bound(all.begin(), all.end(), tiles.sealed_to,
                                          [](TileNumber n, const Tile&t) { return n < t.number; });
             tile != all.end() && tile->number <= seal_to; ++tile) {
            mark_changed(tiles, tile->number);
            for (std::size_t w = 0; w < tiles.merged.size(); ++w) {
                Merged& merged = tiles.merged[w];
                if (merged.tiles == 0 || tile->number < merged.from) continue;
                const auto& in_window = resolution.windows[w].accumulators;
                for (std::size_t i = 0; i < in_window.size(); ++i)
                    merge(resolution.accumulators[in_window[i]].kind, merged.states[i],
                          tile->states[in_window[i]]);
                ++merged.tiles;
            }
        }
        tiles.sealed_to = std::max(tiles.sealed_to, seal_to);
    }
    tiles.merged.resize(resolution.windows.size());
    for (std::size_t w = 0; w < resolution.windows.size(); ++w) refresh_merged(resolution, tiles, w);
}

void EntityWindows::refresh_merged(const Resolution& resolution, Tiles& tiles, std::size_t window) {
    if (tiles.all.empty()) {
        tiles.merged[window] = {};
        return;
    }
    const WindowPlan& plan = resolution.windows[window];
    Merged& merged = tiles.merged[window];
    const TileNumber window_start = tiles.all.back().number - plan.tiles;
    merged.complete_from = tiles.all.front().number >= window_start ? kNoTile : window_start;
    const bool fresh = merged.tiles > 0 && merged.from >= window_start + kApartTiles / 2;
    if (fresh) return;
    merged.from = window_start + kApartTiles;
    merged.tiles = 0;
    merged.states.clear();
    for (auto tile = std::lower_bound(tiles.all.begin(), tiles.all.end(), merged.from, before);
         tile != tiles.all.end() && tile->number <= tiles.sealed_to; ++tile) {
        if (merged.tiles++ == 0)
            for (const std::size_t a : plan.accumulators)
                merged.states.push_back(make_state(resolution.accumulators[a].kind));
        for (std::size_t i = 0; i < plan.accumulators.size(); ++i)
            merge(resolution.accumulators[plan.accumulators[i]].kind, merged.states[i],
                  tile->states[plan.accumulators[i]]);
    }
}

// The tiles that stand one by one: the open ones, and of the sealed those that some window keeps apart.
void EntityWindows::show(const Resolution& resolution, const Tiles& tiles, HeadView::Resolution& out) {
    out.tiles.clear();
    out.sealed_to = tiles.sealed_to;
    out.merged = &tiles.merged;
    if (tiles.all.empty()) return;
    const TileNumber newest = tiles.all.back().number;
    for (const Tile& tile : tiles.all) {
        bool shown = tile.number > tiles.sealed_to;
        for (std::size_t w = 0; !shown && w < tiles.merged.size(); ++w)
            shown = newest - resolution.windows[w].tiles <= tile.number && tile.number < tiles.merged[w].from;
        if (shown) out.tiles.push_back(&tile);
    }
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
        if (clock) expire(resolution, resolutions_[r], *clock);
        seal(resolution, resolutions_[r]);
        show(resolution, resolutions_[r], head.resolutions[r]);
        for (const TileNumber chunk : resolutions_[r].changed_chunks) changed.push_back({r, chunk});
        resolutions_[r].changed_chunks.clear();
    }
}

std::span<const Tile> EntityWindows::sealed_tiles(ChunkId chunk) const {
    const Tiles& tiles = resolutions_[chunk.resolution];
    const TileNumber first = chunk.number * kChunkTiles;
    const TileNumber end = std::min(first + kChunkTiles, tiles.sealed_to + 1);
    const auto from = std::lower_bound(tiles.all.begin(), tiles.all.end(), first, before);
    const auto to = std::lower_bound(from, tiles.all.end(), std::max(first, end), before);
    return {from, to};
}

Head EntityWindows::unfolded() const {
    Head head{stamp_, partition_, newest_, {}};
    for (const Tiles& tiles : resolutions_) {
        ResolutionHead& out = head.resolutions.emplace_back();
        for (const Tile& tile : tiles.all) {
            Tile& copy = out.tiles.emplace_back(Tile{tile.number, {}});
            for (const AccumulatorState& state : tile.states) copy.states.push_back(clone(state));
        }
    }
    return head;
}

std::size_t EntityWindows::memory_bytes() const {
    std::size_t bytes = sizeof *this + resolutions_.capacity() * sizeof(Tiles);
    for (const Tiles& tiles : resolutions_) {
        bytes += tiles.all.capacity() * sizeof(Tile);
        for (const Tile& tile : tiles.all) {
            bytes += tile.states.capacity() * sizeof(AccumulatorState);
            for (const AccumulatorState& state : tile.states) bytes += heap_bytes(state);
        }
        for (const Merged& merged : tiles.merged) {
            bytes += sizeof merged + merged.states.capacity() * sizeof(AccumulatorState);
            for (const AccumulatorState& state : merged.states) bytes += heap_bytes(state);
        }
    }
    return bytes;
}

}  // namespace freshet
