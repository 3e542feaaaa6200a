// Finds entities by view and name: open addressing over pointers, so that a look-up can be begun early for many
// names at a time and its cache misses overlap.
#pragma once

#include <bit>
#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

namespace freshet {

// Entry has `view`, `name` and `hash`, which is hash_of(view, name). The index owns its entries; they stay
// where they are.
template <class Entry>
class EntityIndex {
public:
    static std::uint64_t hash_of(std::uint32_t view, std::string_view name) {
        const std::uint64_t hash = std::hash<std::string_view>{}(name) + view * 0x9E3779B97F4A7C15u;
        return hash ^
               hash >> 32;  // an aggregator's entities may be equal in the low bits of their names' hashes
    }

    std::size_t size() const { return size_; }

    // Hints before find(), in this order and with other work between.
    void prefetch(std::uint64_t hash) const { __builtin_prefetch(&cells_[hash & mask()]); }
    void prefetch_entry(std::uint64_t hash) const {
        const auto entry = reinterpret_cast<std::uintptr_t>(cells_[hash & mask()].entry.get());
        __builtin_prefetch(reinterpret_cast<const void*>(entry));
        __builtin_prefetch(reinterpret_cast<const void*>(entry + 64));
    }

    // Null if there is none.
    Entry* find(std::uint64_t hash, std::uint32_t view, std::string_view name) const {
        for (std::size_t cell = hash & mask(); cells_[cell].entry; cell = (cell + 1) & mask()) {
            Entry* const entry = cells_[cell].entry.get();
            if (cells_[cell].hash == hash && entry->view == view && entry->name == name) return entry;
        }
        return nullptr;
    }

    // There is none of its view and name yet.
    Entry* insert(std::unique_ptr<Entry> entry) {
        if ((size_ + 1) * 3 > cells_.size() * 2) grow();
        ++size_;
        return place({entry->hash, std::move(entry)});
    }

    // Ends the entry. Those behind it move up, so that no search stops early.
    void erase(const Entry& entry) {
        std::size_t hole = entry.hash & mask();
        while (cells_[hole].entry.get() != &entry) hole = (hole + 1) & mask();
        cells_[hole].entry.reset();
        --size_;
        for (std::size_t cell = (hole + 1) & mask(); cells_[cell].entry; cell = (cell + 1) & mask()) {
            const std::size_t home = cells_[cell].hash & mask();
            if (((cell - home) & mask()) < ((cell - hole) & mask())) continue;
            cells_[hole] = std::move(cells_[cell]);
            hole = cell;
        }
    }

    // The entries stand in cells 0 to cells() - 1 in no order; null where a cell is empty. insert() and erase()
    // may move them.
    std::size_t cells() const { return cells_.size(); }
    Entry* at(std::size_t cell) const { return cells_[cell].entry.get(); }
    // A hint before at(); the cell need not exist.
    void prefetch_at(std::size_t cell) const {
        if (cell < cells()) __builtin_prefetch(at(cell));
    }

    std::size_t memory_bytes() const { return cells_.capacity() * sizeof(Cell); }

private:
    struct Cell {
        std::uint64_t hash = 0;
        std::unique_ptr<Entry> entry;
    };
    static constexpr std::size_t kFirstCells = 16;

    std::size_t mask() const { return cells_.size() - 1; }

    Entry* place(Cell placed) {
        std::size_t cell = placed.hash & mask();
        while (cells_[cell].entry) cell = (cell + 1) & mask();
        cells_[cell] = std::move(placed);
        return cells_[cell].entry.get();
    }

    void grow() {
        std::vector<Cell> before = std::exchange(cells_, std::vector<Cell>(cells_.size() * 2));
        for (Cell& cell : before)
            if (cell.entry) place(std::move(cell));
    }

    std::vector<Cell> cells_ = std::vector<Cell>(kFirstCells);  // a power of two
    std::size_t size_ = 0;
};

}  // namespace freshet
