// A decoded event, and the batches in which events travel from a partition's consumer to its aggregators.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "model/ids.hpp"

namespace freshet {

enum class FieldType : std::uint8_t { int64, float64, string, boolean };

// The value of a declared field; monostate is null. A string points into memory owned by whoever holds the
// value.
using Value = std::variant<std::monostate, std::int64_t, double, std::string_view, bool>;
// A value that owns its text: what a feature answers, and what first and last remember.
using Scalar = std::variant<std::monostate, std::int64_t, double, std::string, bool>;

inline bool is_null(const Value& value) { return value.index() == 0; }

// `fields` stand in the order of the source's declaration.
struct Event {
    Timestamp time;  // event time
    Offset offset;
    Timestamp clock;  // the partition's clock with this event included
    std::span<const Value> fields;
};

}  // namespace freshet
