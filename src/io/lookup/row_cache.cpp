#include "io/lookup/row_cache.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <functional>

namespace freshet {

namespace {

constexpr std::size_t kLeastBytes = 64 * 1024;
constexpr std::size_t kBytesARow = 128;  // that the index is made for
constexpr std::size_t kWays = 4;
constexpr std::size_t kMostShapes = 256;

}  // namespace

RowCache::RowCache(std::size_t bytes) {
    if (bytes < kLeastBytes) return;
    const std::size_t cells = std::bit_floor(bytes / kBytesARow);
    index_.resize(cells);
    size_ = (bytes - cells * sizeof(Cell)) & ~(alignof(Header) - 1);
    ring_ = std::make_unique_for_overwrite<char[]>(size_);
}

std::optional<RowCache::Shape> RowCache::shape_of(const LookupQuery& query, Resp protocol) {
    if (size_ == 0 || query.view->plan.view().freshness.cache_for.count() == 0) return std::nullopt;
    if (query.at || query.after || query.own_event || query.max_staleness) return std::nullopt;
    const auto same = [&](const ShapeKey& key) {
        return key.view == query.view && key.named == query.named && key.meta == query.meta &&
               key.protocol == protocol && key.features == query.features;
    };
    const auto known = std::ranges::find_if(shapes_, same);
    if (known != shapes_.end()) return static_cast<Shape>(known - shapes_.begin());
    if (shapes_.size() == kMostShapes) return std::nullopt;
    shapes_.push_back({query.view, query.features, query.named, query.meta, protocol});
    return static_cast<Shape>(shapes_.size() - 1);
}

std::uint64_t RowCache::hash_of(Shape shape, std::string_view entity) {
    return std::hash<std::string_view>{}(entity) + (shape + 1) * 0x9E3779B97F4A7C15u;
}

RowCache::Header RowCache::header(std::uint64_t place) const {
    Header header;
    std::memcpy(&header, at(place), sizeof header);
    return header;
}

std::optional<RowCache::Row> RowCache::find(Shape shape, std::string_view entity,
                                            Clock::time_point not_before) const {
    const std::uint64_t hash = hash_of(shape, entity);
    const Cell* const group = &index_[(hash & (index_.size() - 1)) & ~(kWays - 1)];
    for (std::size_t i = 0; i < kWays; ++i) {
        if (group[i].hash != hash || !stands(group[i].place)) continue;
        const Header found = header(group[i].place);
        const char* const bytes = at(group[i].place) + sizeof(Header);
        if (found.shape != shape || std::string_view(bytes, found.entity) != entity) continue;
        if (found.read < not_before) return std::nullopt;
        const char* const before = bytes + found.entity;
        return Row{{before, found.before},
                   {before + found.before, found.behind},
                   found.watermark,
                   found.redis_now,
                   found.read};
    }
    return std::nullopt;
}

void RowCache::put(Shape shape, std::string_view entity, const Row& row) {
    const std::size_t bytes = sizeof(Header) + entity.size() + row.before.size() + row.behind.size();
    if (bytes > size_ / 8) return;
    const std::uint64_t place = make_room(bytes);
    const Header header{shape,
                        static_cast<std::uint32_t>(entity.size()),
                        static_cast<std::uint32_t>(row.before.size()),
                        static_cast<std::uint32_t>(row.behind.size()),
                        row.watermark,
                        row.redis_now,
                        row.read};
    char* to = ring_.get() + place % size_;
    std::memcpy(to, &header, sizeof header);
    to = std::ranges::copy(entity, to + sizeof header).out;
    to = std::ranges::copy(row.before, to).out;
    std::ranges::copy(row.behind, to);
    const std::uint64_t hash = hash_of(shape, entity);
    cell_for(hash) = {hash, place};
}

// A row stands in one piece.
std::uint64_t RowCache::make_room(std::size_t bytes) {
    const std::size_t whole = (bytes + alignof(Header) - 1) & ~(alignof(Header) - 1);
    const std::size_t left = size_ - end_ % size_;
    if (left < whole) end_ += left;
    const std::uint64_t place = end_;
    end_ += whole;
    return place;
}

// Its former one, or one that nothing stands in, or that of the oldest row.
RowCache::Cell& RowCache::cell_for(std::uint64_t hash) {
    Cell* const group = &index_[(hash & (index_.size() - 1)) & ~(kWays - 1)];
    Cell* oldest = group;
    for (Cell* cell = group; cell != group + kWays; ++cell) {
        if (cell->hash == hash || !stands(cell->place)) return *cell;
        if (cell->place < oldest->place) oldest = cell;
    }
    return *oldest;
}

}  // namespace freshet
