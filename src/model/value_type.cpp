#include "model/value_type.hpp"

namespace freshet {

FieldType value_type(const Source& source, const Feature& feature) {
    switch (feature.function) {
        case Function::count:
        case Function::count_distinct:
            return FieldType::int64;
        case Function::mean:
        case Function::variance:
        case Function::stddev:
        case Function::quantile:
            return FieldType::float64;
        default:
            return source.fields[*feature.field].type;
    }
}

}  // namespace freshet
