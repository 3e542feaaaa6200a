// How many seeds a test by brute force takes.
#pragma once

#include <cstdint>

namespace freshet::test {

// All of them, or a tenth under sanitizers: those take ten times as long, and look for faults that any seed
// shows.
constexpr std::uint64_t seeds(std::uint64_t all) {
#ifdef FRESHET_SANITIZED
    return all / 10;
#else
    return all;
#endif
}

}  // namespace freshet::test
