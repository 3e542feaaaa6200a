// How many bytes an entity takes in Redis: measured on an entity filled for the purpose and encoded as it is
// stored.
#pragma once

#include <cstdint>

#include "model/definition.hpp"

namespace freshet {

// Of one partition's part of an entity that has events in every tile of its windows.
struct StoredSize {
    std::uint64_t head = 0;    // written by each flush, read by each look-up
    std::uint64_t sealed = 0;  // the tiles beside it

    // With Redis's own overhead.
    std::uint64_t in_redis() const;
};

StoredSize stored_size(const Source& source, const View& view, int events_a_tile);

}  // namespace freshet
