// The tree of an Expression, for expression.cpp and expression_parser.cpp only.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "model/expression.hpp"

namespace freshet {

// Immutable once parsed. `and` and `or` are flat: no child of one is of the same kind.
struct Expression::Node {
    enum class Kind : std::uint8_t { field, literal, compare, in_list, is_null, any_of, all_of, negation };
    enum class Op : std::uint8_t { eq, ne, lt, le, gt, ge };

    Kind kind;
    FieldType type = FieldType::boolean;
    Op op = Op::eq;
    bool negated = false;   // `not in`, `is not null`
    std::size_t index = 0;  // of a field
    std::string text;       // a field's name, or what a string literal's value points into
    Value value;            // of a literal
    std::size_t at = 0;     // where it begins in the source text
    std::vector<std::unique_ptr<Node>> children;
};

// In the order of Node::Op.
constexpr std::array<std::string_view, 6> kComparisons = {"==", "!=", "<", "<=", ">", ">="};

}  // namespace freshet
