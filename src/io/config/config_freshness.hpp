// The `freshness:` of a view and of a feature in a configuration.
#pragma once

#include <string>

#include "io/config/config_reader.hpp"
#include "model/definition.hpp"

namespace freshet {

// `what` names the view in messages.
void read_freshness(const ConfigNode& node, const std::string& what, Freshness& freshness,
                    ConfigErrors& errors);

// `freshness` and `default` of a feature, whose function and field are read already.
void read_feature_freshness(const MapReader& feature_map, const std::string& what, const Source& source,
                            Feature& feature, ConfigErrors& errors);

// Warns of what the feature says that does nothing in this view, whose own freshness is read already.
void check_freshness(const ConfigNode& feature_node, const View& view, const Feature& feature,
                     ConfigErrors& errors);

}  // namespace freshet
