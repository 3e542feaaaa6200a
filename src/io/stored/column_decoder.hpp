// The states of one accumulator, from a Column of proto/partial.proto: one a row, or all of them as one.
#pragma once

#include <span>
#include <string_view>

#include "io/stored/column_format.hpp"

namespace freshet {

// Sets (*row)[column] of every row, reusing the heap memory of what stood there; false if `bytes` is not a
// column of this kind and so many rows. The states then hold anything of the kind.
bool decode_column(AccumulatorKind kind, std::string_view bytes, std::span<States* const> rows,
                   std::size_t column, const ColumnBase& base);

// The merge of selected rows of one or several columns of one kind. Its memory is used again after restart().
class Fold {
public:
    explicit Fold(AccumulatorKind kind);

    void restart();
    // Adds the rows i with selected[i]; false as decode_column.
    bool add(std::string_view column, std::span<const char> selected, const ColumnBase& base);
    // As freshet::finish of the merged state.
    FeatureValue finish(Function function, double q);

private:
    friend class FoldedRows;

    AccumulatorKind kind_;
    AccumulatorState empty_;
    AccumulatorState sum_;  // meaningful with any_
    AccumulatorState row_;
    bool any_ = false;
    DDSketchUnion sketches_;  // instead, where the kind is quantile
};

}  // namespace freshet
