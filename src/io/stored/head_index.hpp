// Where everything stands in a stored head. Numbers of tiles and spans of merges are read, columns are not: a
// look-up decodes only those it needs.
#pragma once

#include <string_view>
#include <vector>

#include "io/stored/column_format.hpp"
#include "io/stored/stored_layout.hpp"
#include "model/partial.hpp"
#include "model/result.hpp"

namespace freshet {

// Views into the head's bytes.
struct HeadIndex {
    struct Window {
        MergedSpan span;
        std::vector<std::string_view> columns;  // in the order of WindowPlan::accumulators; none without tiles
    };
    struct Resolution {
        std::vector<TileNumber> tiles;          // one by one, ascending
        std::vector<std::string_view> columns;  // in the order of Resolution::accumulators; none without tiles
        TileNumber sealed_to = kNoTile;
        std::vector<Window> windows;  // meaningful when something is sealed
    };

    Stamp stamp;
    PartitionId partition;
    Timestamp newest;
    std::vector<Resolution> resolutions;

    ColumnBase base() const { return {newest, stamp.offset, partition}; }
};

// A head of any of the layouts, as by the current one. Reuses the memory of `out`, and leaves anything in it
// when it fails.
Result<void> index_head(std::string_view bytes, const StoredLayouts& layouts, HeadIndex& out);

// Takes `count` columns that stand next.
bool take_columns(std::uint8_t tag, std::size_t count, WireReader& in, std::vector<std::string_view>& out);

// What is wrong with the columns of a resolution, for both who index and who decode.
Error undecodable(Duration hop);

}  // namespace freshet
