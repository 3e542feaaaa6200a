// A partial as it is stored: a small head that most reads are served from, and sealed tiles beside it.
//
// Per resolution, tiles are OPEN (the newest two) or SEALED (the rest, once there are more than kSparseTiles).
// The head holds the open tiles one by one, and for each window the merge of its sealed tiles except those that
// leave the window next, which stand apart, again one by one. So a read at the present adds a few states and
// never subtracts. Sealed tiles are stored in chunks of kChunkTiles; a flush rewrites only the chunks that
// changed.
#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "model/accumulator.hpp"
#include "model/view_plan.hpp"

namespace freshet {

constexpr std::size_t kOpenTiles = 2;
constexpr std::size_t kSparseTiles = 8;  // up to so many, all stand in the head and nothing is sealed
constexpr TileNumber kApartTiles = 8;    // hops that a fresh merge keeps apart
constexpr TileNumber kChunkTiles = 64;
constexpr TileNumber kNoTile = std::numeric_limits<TileNumber>::min();

constexpr TileNumber chunk_of(TileNumber tile) { return tile >> 6; }
static_assert(kChunkTiles == 1 << 6);

// Both ends included.
struct TileRange {
    TileNumber first;
    TileNumber last;
    bool contains(TileNumber n) const { return first <= n && n <= last; }
};

// The tiles that a window reads at `t`.
inline TileRange tiles_at(const Resolution& resolution, std::size_t window, Timestamp t) {
    const TileNumber last = tile_of(t, resolution.hop);
    return {last - resolution.windows[window].tiles, last};
}

// The tiles of `hop` that lie wholly in what the longest window reads at `t`. A tile among them says that the
// entity is not missing, even one of another hop, where the longest window has not been counted for so long.
TileRange tiles_of_presence(const ViewPlan& plan, Duration hop, Timestamp t);

// What the merge of a window's sealed tiles stands for: those from `from` to the resolution's `sealed_to`.
struct MergedSpan {
    TileNumber from = kNoTile;
    TileNumber complete_from =
        kNoTile;              // the head holds all tiles of the window from here to `from` one by one
    std::uint32_t tiles = 0;  // how many tiles were merged; 0: nothing was

    bool covers(TileNumber tile, TileNumber sealed_to) const {
        return tiles > 0 && from <= tile && tile <= sealed_to;
    }
    // Whether a head with this merge holds everything of `range`; kNoTile: nothing is sealed.
    bool serves(TileRange range, TileNumber sealed_to) const {
        if (sealed_to == kNoTile) return true;
        if (range.first < complete_from) return false;
        return tiles == 0 || (range.first <= from && sealed_to <= range.last);
    }
};

struct Merged : MergedSpan {
    std::vector<AccumulatorState> states;  // in the order of WindowPlan::accumulators; empty with no tiles
};

struct ResolutionHead {
    std::vector<Tile> tiles;         // one by one, ascending
    TileNumber sealed_to = kNoTile;  // newest sealed tile; kNoTile: all tiles are in `tiles`
    std::vector<Merged> merged;      // one a window; empty when nothing is sealed
    TileNumber stored_to = kNoTile;  // only after unfold(): the sealed_to that the store holds
};

// A write with a lower stamp than the stored one is an old one.
struct Stamp {
    Generation generation;
    Offset offset;  // the last one included

    friend auto operator<=>(const Stamp&, const Stamp&) = default;
};

struct Head {
    Stamp stamp;
    PartitionId partition;
    Timestamp newest;  // event time
    std::vector<ResolutionHead> resolutions;
};

// A head to be encoded, without a copy of its states: valid as long as what it was taken from is unchanged.
struct HeadView {
    struct Merge {
        TileNumber from;
        TileNumber complete_from;
        std::uint32_t tiles;  // 0: `row` is not to be looked at
        ConstRow row;         // the states of the window's accumulators are of meaning
    };
    struct Resolution {
        std::vector<ConstRow> tiles;
        TileNumber sealed_to = kNoTile;
        std::vector<Merge> merged;  // one a window; empty when nothing is sealed
    };
    Stamp stamp;
    PartitionId partition;
    Timestamp newest;
    std::vector<Resolution> resolutions;
};

// The sealed tiles of one chunk of one resolution.
struct Chunk {
    std::size_t resolution;
    TileNumber number;  // chunk_of its tiles
    std::vector<Tile> tiles;
};

// A head with all the sealed tiles that belong to it: what a load needs, and a read outside the head's span.
// The tiles of `head.resolutions[r].tiles` become the full list of the resolution. Tiles of chunks that the
// head does not call sealed are left overs and are ignored.
void unfold(Head& head, std::vector<Chunk> chunks);

// The features of one entity.
struct FeatureAnswer {
    bool missing = true;               // no event in the longest window
    Timestamp newest{};                // highest event time of the partials; meaningful when there is one
    std::vector<FeatureValue> values;  // in the order asked for
};

// Computes features of one entity as of `t` from its partials. Reuses its memory from call to call; one per
// thread.
class FeatureReader {
public:
    explicit FeatureReader(const ViewPlan& plan);

    // Whether the heads alone hold everything that `features` (indices into the plan) need at `t`. An unfolded
    // head always does.
    bool serves(std::span<const Head* const> heads, Timestamp t, std::span<const std::size_t> features) const;

    // Requires serves(). The answer is valid until the next call.
    const FeatureAnswer& read(std::span<const Head* const> heads, Timestamp t,
                              std::span<const std::size_t> features);

private:
    bool serves_window(const ResolutionHead& head, std::size_t resolution, std::size_t window,
                       Timestamp t) const;
    bool present(std::span<const Head* const> heads, Timestamp t) const;
    bool holds_present(const Head& head, Timestamp t) const;
    FeatureValue read_feature(std::span<const Head* const> heads, Timestamp t,
                              const FeaturePlan& feature) const;

    const ViewPlan& plan_;
    FeatureAnswer answer_;
};

}  // namespace freshet
