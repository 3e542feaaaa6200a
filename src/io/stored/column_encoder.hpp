// The states of one accumulator, to a Column of proto/partial.proto.
#pragma once

#include <span>

#include "io/stored/column_format.hpp"
#include "model/tile_rows.hpp"

namespace freshet {

// Writes the states of one column of every row.
void encode_column(RowLayout::Column column, std::span<const ConstRow> rows, const ColumnBase& base,
                   WireWriter& out);

}  // namespace freshet
