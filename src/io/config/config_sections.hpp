// The settings of a node in a configuration: kafka, redis, lookup, metrics, store, ingest, audit, roles, log.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "io/config/config.hpp"
#include "io/config/config_reader.hpp"

namespace freshet {

// The names of the sections that read_sections reads, in the order of examples/complete.yaml.
const std::vector<std::string>& section_names();

// `root` is the main file's map; sections that are absent keep their defaults.
void read_sections(const ConfigNode& root, Config& config, ConfigErrors& errors);

// Why a librdkafka property may not be set, and what to do instead; nothing for those that may.
std::optional<std::string> reserved_property(std::string_view name);

}  // namespace freshet
