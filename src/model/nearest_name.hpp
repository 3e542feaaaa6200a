// "did you mean ...": the known name that a misspelt one most likely stands for.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace freshet {

// The name of `known` with the fewest edits from `wanted` (insert, delete, replace, swap of neighbours; ASCII
// case is free); the first of equals. Empty if none is close: at most one edit in three characters, and at
// least one character kept.
std::string nearest_name(std::string_view wanted, std::span<const std::string> known);

}  // namespace freshet
