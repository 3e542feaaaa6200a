// The features of a view in a configuration, and what they share with the view: fields and `where`.
#pragma once

#include <optional>
#include <string>

#include "io/config/config_reader.hpp"
#include "model/definition.hpp"

namespace freshet {

// Nothing if it is wrong. `view` names the view in messages.
std::optional<Feature> read_feature(const ConfigEntry& entry, const std::string& view, const Source& source,
                                    ConfigErrors& errors);

// Errors point into the expression where it stands in the file as it is.
std::optional<Expression> read_where(const ConfigNode& node, const std::string& what, const Source& source,
                                     ConfigErrors& errors);

// The index of the declared field that `name` names.
std::optional<std::size_t> find_field(const std::string& name, const ConfigPlace& place,
                                      const std::string& what, const Source& source, ConfigErrors& errors);

}  // namespace freshet
