// Asio, the same in every file. It chooses its allocation functions by what libstdc++'s headers say, and so by
// whether one of them stands before it; where files differ, what one allocates another frees wrongly.
#pragma once

#include <cstddef>

#include <asio.hpp>
