// What is seen of one partition at one moment, for whoever judges how its source gets on.
#pragma once

#include "model/ids.hpp"

namespace freshet {

struct TurnLook {
    // How long ago all that was in the log then was stored; a lower bound of it where it is not `known`.
    Duration staleness;
    bool known;
    std::int64_t to_come;     // events that the log holds and that are not stored
    std::int64_t stored = 0;  // the offset up to which all is stored

    friend bool operator==(const TurnLook&, const TurnLook&) = default;
};

}  // namespace freshet
