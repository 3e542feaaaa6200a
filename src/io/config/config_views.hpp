// The `views:` and `services:` of a configuration. Both are read after the sources, services after the views.
#pragma once

#include "io/config/config.hpp"
#include "io/config/config_reader.hpp"

namespace freshet {

// `entry` is one view. Appended unless its source or a feature is unknown.
void read_view(const ConfigEntry& entry, Definitions& definitions, ConfigErrors& errors);

void read_service(const ConfigEntry& entry, Definitions& definitions, ConfigErrors& errors);

}  // namespace freshet
