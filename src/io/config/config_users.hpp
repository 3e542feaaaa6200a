// `lookup.users`: names, passwords and the views that each may read.
#pragma once

#include "io/config/config.hpp"
#include "io/config/config_reader.hpp"

namespace freshet {

// Once all views are known. `lookup` is the section as written.
void read_users(const ConfigNode& lookup, Config& config, ConfigErrors& errors);

}  // namespace freshet
