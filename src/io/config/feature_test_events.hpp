// The `events:` and `records:` of a feature test.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "io/config/config_reader.hpp"
#include "io/config/feature_tests.hpp"

namespace freshet {

// Appends to `given`. `test` is the map of one test.
void read_given(const ConfigNode& test, const Definitions& definitions, std::vector<GivenEvents>& given,
                ConfigErrors& errors);

// Unix milliseconds, or a time with its zone.
std::optional<Timestamp> read_moment(const ConfigNode& node, const std::string& what, ConfigErrors& errors);

// The index of the source that `name` names.
std::optional<std::size_t> find_source(const std::string& name, const ConfigPlace& place,
                                       const Definitions& definitions, ConfigErrors& errors);

}  // namespace freshet
