// Rows of answers as they were written, kept for a while: an entity that many ask for is then read from Redis
// once in that while. A row keeps the watermark it was read under, so its staleness is told as it is. One a
// loop.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "io/lookup/lookup_query.hpp"
#include "io/redis/resp_writer.hpp"

namespace freshet {

// A ring of bytes, in which what is put last takes the place of what was put first, and an index over it.
class RowCache {
public:
    using Clock = std::chrono::steady_clock;

    struct Row {
        std::string_view before;  // all of it, or with META what stands before the staleness
        std::string_view behind;  // and what stands behind it
        Timestamp watermark{};
        Timestamp redis_now{};     // when it was read, by Redis,
        Clock::time_point read{};  // and by this process
    };

    // At most so many bytes, the index included, rounded down; below 64 KiB nothing is kept.
    explicit RowCache(std::size_t bytes);

    // What rows that look alike have in common: the view, the features in their order, META, the protocol. None
    // where rows of a query are not kept: its view allows none, it asks for a certain time, for what is known
    // only now or for an event of its own, or there are too many shapes.
    using Shape = std::uint32_t;
    std::optional<Shape> shape_of(const LookupQuery& query, Resp protocol);

    // Its bytes are valid until the next put().
    std::optional<Row> find(Shape shape, std::string_view entity, Clock::time_point not_before) const;
    // A row that is larger than an eighth of the ring is not kept.
    void put(Shape shape, std::string_view entity, const Row& row);

    std::size_t memory_bytes() const { return size_ + index_.size() * sizeof(Cell); }

private:
    struct ShapeKey {
        const ServedView* view;
        std::vector<std::size_t> features;
        bool named, meta;
        Resp protocol;
    };
    // Stands before the bytes of a row in the ring.
    struct Header {
        Shape shape;
        std::uint32_t entity, before, behind;  // bytes of each, which follow in this order
        Timestamp watermark, redis_now;
        Clock::time_point read;
    };
    struct Cell {
        std::uint64_t hash = 0;
        std::uint64_t place = kNowhere;  // in all bytes that were ever put
    };
    static constexpr std::uint64_t kNowhere = ~std::uint64_t{0};

    static std::uint64_t hash_of(Shape shape, std::string_view entity);
    bool stands(std::uint64_t place) const { return place != kNowhere && place + size_ >= end_; }
    Header header(std::uint64_t place) const;
    const char* at(std::uint64_t place) const { return ring_.get() + place % size_; }
    std::uint64_t make_room(std::size_t bytes);
    Cell& cell_for(std::uint64_t hash);

    std::size_t size_ = 0;
    std::unique_ptr<char[]> ring_;
    std::uint64_t end_ = 0;    // of all that was ever put
    std::vector<Cell> index_;  // groups of kWays cells
    std::vector<ShapeKey> shapes_;
};

}  // namespace freshet
