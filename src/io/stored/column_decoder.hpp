// The states of one accumulator, from a Column of proto/partial.proto.
#pragma once

#include <span>
#include <string_view>

#include "io/stored/column_format.hpp"

namespace freshet {

// Sets (*row)[column] of every row, reusing the heap memory of what stood there; false if `bytes` is not a
// column of this kind and so many rows. The states then hold anything of the kind.
bool decode_column(AccumulatorKind kind, std::string_view bytes, std::span<States* const> rows,
                   std::size_t column, const ColumnBase& base);

}  // namespace freshet
