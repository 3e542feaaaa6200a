// Where everything stands in a stored chunk of sealed tiles, as HeadIndex tells it of a head.
#pragma once

#include <string_view>
#include <vector>

#include "io/stored/column_format.hpp"
#include "io/stored/stored_layout.hpp"
#include "model/ids.hpp"
#include "model/result.hpp"

namespace freshet {

// Views into the chunk's bytes.
struct ChunkIndex {
    std::size_t resolution;  // index into ViewPlan::resolutions
    TileNumber number;
    std::vector<TileNumber> tiles;          // ascending, at least one
    std::vector<std::string_view> columns;  // in the order of Resolution::accumulators
    ColumnBase base;
};

// A chunk of any of the layouts, as by the current one. `out` says which one it is: resolution and number.
// Reuses the memory of `out`, and leaves anything in the rest of it when it fails.
Result<void> index_chunk(std::string_view bytes, const StoredLayouts& layouts, PartitionId partition,
                         ChunkIndex& out);

Error undecodable_chunk();

}  // namespace freshet
