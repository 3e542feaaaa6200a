// Names of the fields of an entity's two hashes (docs/stored-value.md).
#pragma once

#include <compare>
#include <optional>
#include <string>
#include <string_view>

#include "model/ids.hpp"

namespace freshet {

// <partition>.<generation>: the field of a head.
struct HeadField {
    PartitionId partition;
    Generation generation;

    std::string text() const;
    static std::optional<HeadField> parse(std::string_view text);
    friend auto operator<=>(const HeadField&, const HeadField&) = default;
};

// <partition>.<generation>.<hop in seconds>.<chunk>: the field of the sealed tiles of one chunk.
struct SealedField {
    HeadField head;
    Duration hop;
    TileNumber chunk;

    std::string text() const;
    static std::optional<SealedField> parse(std::string_view text);
    friend auto operator<=>(const SealedField&, const SealedField&) = default;
};

}  // namespace freshet
