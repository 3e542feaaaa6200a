// The `sources:` of a configuration.
#pragma once

#include <optional>

#include "io/config/config.hpp"
#include "io/config/config_reader.hpp"

namespace freshet {

// `entry` is one source. Appended even if parts of it are wrong, so that its name is known.
void read_source(const ConfigEntry& entry, const KafkaConfig& kafka, Definitions& definitions,
                 ConfigErrors& errors);

// earliest, latest or a time.
std::optional<Start> read_start(const ConfigNode& node, const std::string& what, ConfigErrors& errors);

}  // namespace freshet
