// The states of one accumulator, to a Column of proto/partial.proto.
#pragma once

#include <span>

#include "io/stored/column_format.hpp"

namespace freshet {

// Writes (*row)[column] of every row. All states are of `kind`.
void encode_column(AccumulatorKind kind, std::span<const States* const> rows, std::size_t column,
                   const ColumnBase& base, WireWriter& out);

}  // namespace freshet
