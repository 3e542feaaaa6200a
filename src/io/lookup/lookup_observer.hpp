// Who counts what a look-up server does.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string_view>

#include "model/ids.hpp"

namespace freshet {

// Called from the readers' threads.
class LookupObserver {
public:
    virtual ~LookupObserver() = default;

    // A request was answered, well or with an error. `command` is in capitals, FS.GET or the like.
    virtual void answered(std::string_view command, std::chrono::nanoseconds took, std::size_t entities) = 0;
    // A row needed the sealed tiles too.
    virtual void second_step() = 0;
    // Of a request whose rows may be kept: how many were, and how many must be read.
    virtual void from_cache(std::size_t found, std::size_t not_found) = 0;
    // Once a second, of each view that is served. `staleness`: none if it is not known; `most`: none if the
    // view may be as stale as it likes.
    virtual void looked_at_freshness(std::string_view view, std::optional<Duration> staleness,
                                     std::optional<Duration> most) = 0;
    // An error reply was given; `code` is its first word.
    virtual void failed(std::string_view code) = 0;
};

}  // namespace freshet
