// The type of a feature's value where it is not null.
#pragma once

#include "model/definition.hpp"

namespace freshet {

FieldType value_type(const Source& source, const Feature& feature);

}  // namespace freshet
