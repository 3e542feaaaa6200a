// The tiles of one resolution of an entity, in memory: one block, a row a tile, its states side by side without
// tags, since the plan knows what they are. A tenth of the memory of a vector of Tile, and one place to look
// at.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "model/accumulator.hpp"

namespace freshet {

struct Tile {
    TileNumber number;
    std::vector<AccumulatorState> states;  // in the order of Resolution::accumulators
};

// What stands where in a row: the number of its tile, then one state an accumulator.
class RowLayout {
public:
    RowLayout() = default;
    explicit RowLayout(std::span<const AccumulatorDef> accumulators);

    struct Column {
        AccumulatorKind kind;
        std::uint32_t offset;
    };
    std::span<const Column> columns() const { return columns_; }
    std::size_t bytes() const { return bytes_; }  // of a row

private:
    std::vector<Column> columns_;
    std::size_t bytes_ = sizeof(TileNumber);
};

// The row of a tile, by its first byte.
class ConstRow {
public:
    explicit ConstRow(const std::byte* at) : at_(at) {}
    TileNumber number() const { return *reinterpret_cast<const TileNumber*>(at_); }
    const void* state(RowLayout::Column column) const { return at_ + column.offset; }

private:
    const std::byte* at_;
};

class Row {
public:
    explicit Row(std::byte* at) : at_(at) {}
    operator ConstRow() const { return ConstRow(at_); }
    TileNumber number() const { return ConstRow(at_).number(); }
    void set_number(TileNumber number) { *reinterpret_cast<TileNumber*>(at_) = number; }
    void* state(RowLayout::Column column) const { return at_ + column.offset; }

private:
    std::byte* at_;
};

// Rows ascending by number. References to rows end with the next insert(), append() or erase_first().
class TileRows {
public:
    // `layout` outlives the rows.
    explicit TileRows(const RowLayout& layout) : layout_(&layout) {}
    ~TileRows();
    TileRows(TileRows&& other) noexcept;
    TileRows& operator=(TileRows&& other) noexcept;

    const RowLayout& layout() const { return *layout_; }
    std::size_t size() const { return size_; }
    bool empty() const { return size_ == 0; }
    ConstRow operator[](std::size_t i) const { return ConstRow(rows_ + i * layout_->bytes()); }
    ConstRow back() const { return (*this)[size_ - 1]; }

    // The first row whose number is not below `number`; size() if there is none.
    std::size_t lower_bound(TileNumber number) const;
    // An empty row before row `at`. Where it stands tells the caller's lower_bound().
    void insert(std::size_t at, TileNumber number);
    // The last one.
    void append(Tile&& tile);
    void erase_first(std::size_t count);
    // Counts an event in the states of a row that `accumulators`, which are those of the columns, want it for.
    // `passing`: bit i tells whether it passes ViewPlan::filters()[i].
    void add(std::size_t at, std::span<const AccumulatorDef> accumulators, const Event& event,
             std::uint64_t passing, PartitionId partition);
    // The same in one state.
    void add(std::size_t at, std::size_t column, const AccumulatorDef& accumulator, const Event& event,
             std::uint64_t passing, PartitionId partition);
    // Adds the state of another row to it.
    void merge(std::size_t at, std::size_t column, ConstRow from);
    // Empties the states of a row.
    void reset(std::size_t at);

    // Of the block and what its states hold; known at any time.
    std::size_t memory_bytes() const { return capacity_ * layout_->bytes() + held_; }
    void prefetch_last() const;
    void prefetch_rows() const;  // the last thousand bytes of them

private:
    Row row(std::size_t i) { return Row(rows_ + i * layout_->bytes()); }
    void reserve_one();
    void destroy(std::size_t first, std::size_t end);

    const RowLayout* layout_;
    std::byte* rows_ = nullptr;
    std::uint32_t size_ = 0;
    std::uint32_t capacity_ = 0;
    std::size_t held_ = 0;  // heap bytes of the states
};

}  // namespace freshet
