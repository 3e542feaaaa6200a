// `lookup.users`: names, passwords and the views that each may read.
#pragma once

#include "io/config/config.hpp"
#include "io/config/config_reader.hpp"

namespace freshet {

// Once all views are known. `lookup` is the section as written.
void read_users(const ConfigNode& lookup, Config& config, ConfigErrors& errors);
// Whether `metrics.auth` has users to ask for; after read_users. `metrics` is the section as written.
void check_metrics_access(const ConfigNode& metrics, const Config& config, ConfigErrors& errors);

}  // namespace freshet
