// Part of a YAML file as JSON.
#pragma once

#include <string>

#include "io/config/config_tree.hpp"

namespace freshet {

// In one line. What stands without quotes and is a number, `true`, `false` or null in JSON is that, digit by
// digit; all else is text.
std::string json_text(const ConfigNode& node);

}  // namespace freshet
