// Samples as plain values, for formats that know nothing of Freshet.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/accumulator.hpp"

namespace freshet::bench {

// The lists of a Column of proto/partial.proto; one that is left out there is empty here.
struct Column {
    static constexpr std::array<const char*, 4> kIntegerNames{"count", "integer", "time", "offset"};
    static constexpr std::array<const char*, 2> kRealNames{"real", "spread"};

    std::array<std::vector<std::int64_t>, 4> integers;
    std::array<std::vector<double>, 2> reals;
    std::vector<std::string> texts;

    void clear() {
        for (auto& list : integers) list.clear();
        for (auto& list : reals) list.clear();
        texts.clear();
    }
    friend bool operator==(const Column&, const Column&) = default;
};

struct Merge {
    std::optional<std::int64_t> complete;
    std::int64_t from = 0;
    std::int64_t tiles = 0;
    std::vector<Column> columns;

    friend bool operator==(const Merge&, const Merge&) = default;
};

struct TileList {
    std::vector<std::int64_t> tiles;
    std::vector<Column> columns;
    std::optional<std::int64_t> sealed;
    std::vector<Merge> windows;

    friend bool operator==(const TileList&, const TileList&) = default;
};

// A head: generation, offset, layout, partition, newest. A chunk: layout, with one resolution.
struct StoredValue {
    std::vector<std::int64_t> numbers;
    std::vector<TileList> resolutions;

    friend bool operator==(const StoredValue&, const StoredValue&) = default;
};

// From the stored bytes, by protobuf's generated parser.
StoredValue value_of_head(std::string_view bytes);
StoredValue value_of_chunk(std::string_view bytes);

// The features of one entity, in an order that reader and writer know.
using Row = std::vector<Scalar>;

// What both know besides: a type is the index of a Scalar, 0 where every sample has null.
struct RowSchema {
    std::vector<std::string> names;
    std::vector<std::size_t> types;
};

inline void set_text(Scalar& value, std::string_view text) {
    if (auto* same = std::get_if<std::string>(&value)) {
        same->assign(text);
    } else {
        value.emplace<std::string>(text);
    }
}

// Element i, made if it is the next one. For lists that are read into what an earlier read left.
template <class T>
T& element(std::vector<T>& list, std::size_t i) {
    if (i == list.size()) list.emplace_back();
    return list[i];
}

}  // namespace freshet::bench
