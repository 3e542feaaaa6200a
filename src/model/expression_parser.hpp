// Text to the typed tree of an Expression.
#pragma once

#include <memory>
#include <span>
#include <string_view>

#include "model/expression_node.hpp"

namespace freshet {

// A tree whose root is a condition, whose operands are comparable, and that is at most 100 parentheses and
// `not`s deep. An error is as Expression::parse() promises.
Result<std::unique_ptr<Expression::Node>> parse_expression(std::string_view text,
                                                           std::span<const FieldDef> fields);

}  // namespace freshet
