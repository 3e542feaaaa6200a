// The windows of one entity in one view, as far as one partition contributed to them. One writer: the
// aggregator that owns the entity in that partition. Time comes with the events.
#pragma once

#include <memory>
#include <vector>

#include "model/partial.hpp"
#include "model/tile_rows.hpp"

namespace freshet {

// The plan given to the constructor outlives the windows, and is the one given to every call.
class EntityWindows {
public:
    // An entity without stored state.
    EntityWindows(const ViewPlan& plan, PartitionId partition, Generation generation);
    // From a stored head that was unfolded.
    EntityWindows(const ViewPlan& plan, Head unfolded);

    enum class Outcome {
        counted,
        late,       // older than every tile kept, in every resolution
        duplicate,  // at or below the stamp: already in
    };
    // Counts an event that passed the view's `where`. Offsets rise from call to call.
    Outcome add(const ViewPlan& plan, const Event& event);

    struct ChunkId {
        std::size_t resolution;
        TileNumber number;
        friend auto operator<=>(const ChunkId&, const ChunkId&) = default;
    };
    // Fills `head` with what a flush stores now and `changed` with the sealed chunks that differ from those
    // handed out before; a chunk without tiles is to be removed. Drops tiles that no read as of `clock` or
    // later needs (none: drops nothing).
    void flush(const ViewPlan& plan, std::optional<Timestamp> clock, HeadView& head,
               std::vector<ChunkId>& changed);

    // The sealed tiles of a chunk, for the codec; valid until the next add() or flush().
    std::vector<ConstRow> sealed_tiles(ChunkId chunk) const;

    // A copy in which nothing is sealed, for reads from memory.
    Head unfolded() const;

    Stamp stamp() const { return stamp_; }
    Timestamp newest() const { return newest_; }
    // Bytes held: the object itself and its heap. Known without a look at the tiles.
    std::size_t memory_bytes() const;

    // Hints, with other work between, for many entities at a time: first prefetch(), then prefetch_tiles()
    // before add() or prefetch_all() before flush().
    void prefetch() const { __builtin_prefetch(resolutions_.data()); }
    void prefetch_tiles() const {
        for (const Tiles& tiles : resolutions_) tiles.all.prefetch_last();
    }
    void prefetch_all() const {
        for (const Tiles& tiles : resolutions_) tiles.all.prefetch_rows();
    }

private:
    // What only an entity with sealed tiles has.
    struct Sealed {
        struct Merge {
            TileNumber from = kNoTile;
            TileNumber complete_from = kNoTile;
            std::uint32_t tiles = 0;  // 0: the row is empty
        };
        explicit Sealed(const RowLayout& layout) : rows(layout) {}

        TileNumber to = kNoTile;
        std::vector<Merge> merged;               // one a window once something is sealed
        TileRows rows;                           // the states of each merge, in the same order
        std::vector<TileNumber> changed_chunks;  // ascending
    };
    struct Tiles {
        explicit Tiles(const RowLayout& layout) : all(layout) {}

        TileNumber sealed_to() const { return sealed ? sealed->to : kNoTile; }

        TileRows all;
        std::unique_ptr<Sealed> sealed;
    };

    static void mark_changed(Sealed& sealed, TileNumber number);
    static std::size_t tile_at(Tiles& tiles, TileNumber number);
    static void count(const Resolution& resolution, Tiles& tiles, TileNumber number, const Event& event,
                      std::uint64_t passing, PartitionId partition);
    static void expire(const Resolution& resolution, Tiles& tiles, Timestamp clock);
    static void seal(const Resolution& resolution, Tiles& tiles);
    static void merge_sealed(const Resolution& resolution, Tiles& tiles, std::size_t window, ConstRow tile);
    static void refresh_merged(const Resolution& resolution, Tiles& tiles, std::size_t window);
    static void show(const Resolution& resolution, const Tiles& tiles, HeadView::Resolution& out);

    Stamp stamp_;
    PartitionId partition_;
    Timestamp newest_{};
    std::vector<Tiles> resolutions_;
};

// A copy of a row as a tile.
Tile unpack(const RowLayout& layout, ConstRow row);

}  // namespace freshet
