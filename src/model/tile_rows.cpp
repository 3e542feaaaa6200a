#include "model/tile_rows.hpp"

#include <algorithm>
#include <new>

#include "model/adding.hpp"

namespace freshet {

namespace {

void relocate_row(const RowLayout& layout, Row from, Row to) {
    to.set_number(from.number());
    for (const RowLayout::Column column : layout.columns())
        relocate_packed(column.kind, from.state(column), to.state(column));
}

}  // namespace

RowLayout::RowLayout(std::span<const AccumulatorDef> accumulators) {
    for (const AccumulatorDef& def : accumulators) {
        columns_.push_back({def.kind, static_cast<std::uint32_t>(bytes_)});
        bytes_ += (packed_size(def.kind) + kPackedAlignment - 1) / kPackedAlignment * kPackedAlignment;
    }
}

TileRows::~TileRows() {
    destroy(0, size_);
    ::operator delete(rows_);
}

TileRows::TileRows(TileRows&& other) noexcept
    : layout_(other.layout_),
      rows_(std::exchange(other.rows_, nullptr)),
      size_(std::exchange(other.size_, 0)),
      capacity_(std::exchange(other.capacity_, 0)),
      held_(std::exchange(other.held_, 0)) {}

TileRows& TileRows::operator=(TileRows&& other) noexcept {
    std::swap(layout_, other.layout_);
    std::swap(rows_, other.rows_);
    std::swap(size_, other.size_);
    std::swap(capacity_, other.capacity_);
    std::swap(held_, other.held_);
    return *this;
}

// As numbers are unique, the distances to the first and the last one bound the place: without gaps, to one.
std::size_t TileRows::lower_bound(TileNumber number) const {
    if (size_ == 0 || number > back().number()) return size_;
    const TileNumber first = (*this)[0].number();
    if (number <= first) return 0;
    const auto above = static_cast<std::uint64_t>(back().number()) - static_cast<std::uint64_t>(number);
    const auto below = static_cast<std::uint64_t>(number) - static_cast<std::uint64_t>(first);
    std::size_t low = size_ - 1 - static_cast<std::size_t>(std::min<std::uint64_t>(size_ - 1, above));
    std::size_t high = static_cast<std::size_t>(std::min<std::uint64_t>(size_ - 1, below));
    while (low < high) {
        const std::size_t middle = (low + high) / 2;
        if ((*this)[middle].number() < number) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

// Grows by a half: entities are many, and most have few tiles.
void TileRows::reserve_one() {
    if (size_ < capacity_) return;
    const std::uint32_t capacity = capacity_ + capacity_ / 2 + 1;
    const std::size_t bytes = layout_->bytes();
    auto* const rows = static_cast<std::byte*>(::operator new(capacity* bytes));
    for (std::size_t i = 0; i < size_; ++i) relocate_row(*layout_, row(i), Row(rows + i * bytes));
    ::operator delete(rows_);
    rows_ = rows;
    capacity_ = capacity;
}

void TileRows::insert(std::size_t at, TileNumber number) {
    reserve_one();
    for (std::size_t i = size_; i > at; --i) relocate_row(*layout_, row(i - 1), row(i));
    ++size_;
    row(at).set_number(number);
    for (const RowLayout::Column column : layout_->columns())
        construct_packed(column.kind, row(at).state(column));
}

void TileRows::append(Tile&& tile) {
    const std::size_t at = size_;
    insert(at, tile.number);
    for (std::size_t i = 0; i < tile.states.size(); ++i) {
        const RowLayout::Column column = layout_->columns()[i];
        pack(column.kind, std::move(tile.states[i]), row(at).state(column));
        held_ += packed_heap_bytes(column.kind, row(at).state(column));
    }
}

void TileRows::add(std::size_t at, std::span<const AccumulatorDef> accumulators, const Event& event,
                   std::uint64_t passing, PartitionId partition) {
    for (std::size_t i = 0; i < accumulators.size(); ++i)
        add(at, i, accumulators[i], event, passing, partition);
}

void TileRows::add(std::size_t at, std::size_t column, const AccumulatorDef& accumulator, const Event& event,
                   std::uint64_t passing, PartitionId partition) {
    static constexpr Value kAny{true};
    if (accumulator.filter && !(passing >> *accumulator.filter & 1)) return;
    const Value& value = accumulator.field ? event.fields[*accumulator.field] : kAny;
    if (is_null(value)) return;
    const RowLayout::Column c = layout_->columns()[column];
    held_ += add_packed(c.kind, row(at).state(c), value, event, partition);
}

void TileRows::merge(std::size_t at, std::size_t column, ConstRow from) {
    const RowLayout::Column c = layout_->columns()[column];
    void* const state = row(at).state(c);
    const std::size_t before = packed_heap_bytes(c.kind, state);
    merge_packed(c.kind, state, from.state(c));
    held_ += packed_heap_bytes(c.kind, state) - before;
}

void TileRows::erase_first(std::size_t count) {
    destroy(0, count);
    for (std::size_t i = count; i < size_; ++i) relocate_row(*layout_, row(i), row(i - count));
    size_ -= static_cast<std::uint32_t>(count);
}

void TileRows::reset(std::size_t at) {
    destroy(at, at + 1);
    for (const RowLayout::Column column : layout_->columns())
        construct_packed(column.kind, row(at).state(column));
}

void TileRows::destroy(std::size_t first, std::size_t end) {
    for (std::size_t i = first; i < end; ++i) {
        for (const RowLayout::Column column : layout_->columns()) {
            held_ -= packed_heap_bytes(column.kind, row(i).state(column));
            destroy_packed(column.kind, row(i).state(column));
        }
    }
}

void TileRows::prefetch_last() const {
    if (size_ == 0) return;
    const std::byte* const row = rows_ + (size_ - 1) * layout_->bytes();
    __builtin_prefetch(row);
    __builtin_prefetch(row + 64);
}

void TileRows::prefetch_rows() const {
    const std::byte* const end = rows_ + size_ * layout_->bytes();
    const std::byte* at = rows_ + (end - rows_ > 1024 ? end - rows_ - 1024 : 0);
    for (; at < end; at += 64) __builtin_prefetch(at);
}

}  // namespace freshet
