// The windows of one entity in one view, as far as one partition contributed to them. One writer: the
// aggregator that owns the entity in that partition. Time comes with the events.
#pragma once

#include <span>
#include <vector>

#include "model/partial.hpp"

namespace freshet {

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

    // The sealed tiles of a chunk, for the codec.
    std::span<const Tile> sealed_tiles(ChunkId chunk) const;

    // A copy in which nothing is sealed, for reads from memory.
    Head unfolded() const;

    Stamp stamp() const { return stamp_; }
    Timestamp newest() const { return newest_; }
    std::size_t memory_bytes() const;

private:
    struct Tiles {
        std::vector<Tile> all;  // ascending
        TileNumber sealed_to = kNoTile;
        std::vector<Merged> merged;              // one a window once something is sealed
        std::vector<TileNumber> changed_chunks;  // ascending
    };

    static void mark_changed(Tiles& tiles, TileNumber number);
    static Tile& tile_at(const Resolution& resolution, Tiles& tiles, TileNumber number);
    static void count(const Resolution& resolution, Tiles& tiles, TileNumber number, const Event& event,
                      std::uint64_t passing, PartitionId partition);
    static void expire(const Resolution& resolution, Tiles& tiles, Timestamp clock);
    static void seal(const Resolution& resolution, Tiles& tiles);
    static void refresh_merged(const Resolution& resolution, Tiles& tiles, std::size_t window);
    static void show(const Resolution& resolution, const Tiles& tiles, HeadView::Resolution& out);

    Stamp stamp_;
    PartitionId partition_;
    Timestamp newest_{};
    std::vector<Tiles> resolutions_;
};

}  // namespace freshet
