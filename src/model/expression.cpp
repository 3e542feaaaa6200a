#include "model/expression.hpp"

#include <array>
#include <charconv>
#include <compare>
#include <cstddef>
#include <utility>

#include "model/expression_node.hpp"
#include "model/expression_parser.hpp"

namespace freshet {
namespace {

using Node = Expression::Node;
using Kind = Node::Kind;
using Op = Node::Op;
using NodePtr = std::unique_ptr<Node>;

// ---- Evaluation

// Exact: the integer is not rounded to a double.
std::partial_ordering compare_numbers(std::int64_t whole, double number) {
    if (number != number) return std::partial_ordering::unordered;
    if (number >= 0x1p63) return std::partial_ordering::less;
    if (number < -0x1p63) return std::partial_ordering::greater;
    const auto truncated = static_cast<std::int64_t>(number);
    if (whole != truncated) return whole <=> truncated;
    return 0.0 <=> number - static_cast<double>(truncated);
}

// Neither is null, and the parser has found their types comparable.
std::partial_ordering compare_values(const Value& a, const Value& b) {
    if (const auto* text = std::get_if<std::string_view>(&a)) return *text <=> std::get<std::string_view>(b);
    if (const auto* flag = std::get_if<bool>(&a)) return *flag <=> std::get<bool>(b);
    const auto* whole = std::get_if<std::int64_t>(&a);
    const auto* other = std::get_if<std::int64_t>(&b);
    if (whole && other) return *whole <=> *other;
    if (whole) return compare_numbers(*whole, std::get<double>(b));
    if (other) return 0 <=> compare_numbers(*other, std::get<double>(a));
    return std::get<double>(a) <=> std::get<double>(b);
}

bool holds(Op op, std::partial_ordering order) {
    switch (op) {
        case Op::eq:
            return order == 0;
        case Op::ne:
            return order != 0;
        case Op::lt:
            return order < 0;
        case Op::le:
            return order <= 0;
        case Op::gt:
            return order > 0;
        case Op::ge:
            return order >= 0;
    }
    return false;
}

Truth truth(bool value) { return value ? Truth::yes : Truth::no; }

Truth negation(Truth value) { return value == Truth::unknown ? value : truth(value == Truth::no); }

Truth truth_of(const Node& node, std::span<const Value> values);

// A field's or literal's value itself; a condition's is put into `scratch`.
const Value& value_of(const Node& node, std::span<const Value> values, Value& scratch) {
    if (node.kind == Kind::field) return values[node.index];
    if (node.kind == Kind::literal) return node.value;
    const Truth result = truth_of(node, values);
    if (result != Truth::unknown) scratch = result == Truth::yes;
    return scratch;
}

Truth compare(Op op, const Value& left, const Node& right_node, std::span<const Value> values) {
    Value scratch;
    const Value& right = value_of(right_node, values, scratch);
    if (freshet::is_null(left) || freshet::is_null(right)) return Truth::unknown;
    return truth(holds(op, compare_values(left, right)));
}

// `or` with `decisive` yes, `and` with `decisive` no: over part(p) of each of `parts` from number `from` on.
template <class Part>
Truth first_decisive(const std::vector<NodePtr>& parts, std::size_t from, Truth decisive, Part&& part) {
    Truth result = negation(decisive);
    for (std::size_t i = from; i < parts.size(); ++i) {
        const Truth next = part(*parts[i]);
        if (next == decisive) return decisive;
        if (next == Truth::unknown) result = Truth::unknown;
    }
    return result;
}

Truth truth_of(const Node& node, std::span<const Value> values) {
    const auto condition = [values](const Node& child) { return truth_of(child, values); };
    switch (node.kind) {
        case Kind::any_of:
            return first_decisive(node.children, 0, Truth::yes, condition);
        case Kind::all_of:
            return first_decisive(node.children, 0, Truth::no, condition);
        case Kind::negation:
            return negation(condition(*node.children[0]));
        default:
            break;
    }
    Value scratch;
    const bool leaf = node.kind == Kind::field || node.kind == Kind::literal;
    const Value& value = value_of(leaf ? node : *node.children[0], values, scratch);
    switch (node.kind) {
        case Kind::is_null:
            return truth(freshet::is_null(value) != node.negated);
        case Kind::compare:
            return compare(node.op, value, *node.children[1], values);
        case Kind::in_list: {
            const auto equal = [&](const Node& item) { return compare(Op::eq, value, item, values); };
            const Truth found = first_decisive(node.children, 1, Truth::yes, equal);
            return node.negated ? negation(found) : found;
        }
        default:
            break;
    }
    const auto* flag = std::get_if<bool>(&value);
    return flag ? truth(*flag) : Truth::unknown;
}

// ---- The normal form

// How tightly a node binds; a looser one stands in parentheses.
int binding(Kind kind) {
    switch (kind) {
        case Kind::any_of:
            return 1;
        case Kind::all_of:
            return 2;
        case Kind::negation:
            return 3;
        case Kind::compare:
        case Kind::in_list:
        case Kind::is_null:
            return 4;
        case Kind::field:
        case Kind::literal:
            return 5;
    }
    return 5;
}

void print_literal(const Node& node, std::string& out) {
    if (node.type == FieldType::string) {
        out += '\'';
        for (const char c : node.text) {
            if (c == '\'' || c == '\\') out += '\\';
            out += c;
        }
        out += '\'';
    } else if (node.type == FieldType::boolean) {
        out += std::get<bool>(node.value) ? "true" : "false";
    } else if (node.type == FieldType::int64) {
        out += std::to_string(std::get<std::int64_t>(node.value));
    } else {
        std::array<char, 1200> digits;  // a double without exponent has fewer
        const auto [end, _] = std::to_chars(digits.data(), digits.data() + digits.size(),
                                            std::get<double>(node.value), std::chars_format::fixed);
        const std::string_view text(digits.data(), static_cast<std::size_t>(end - digits.data()));
        out += text;
        if (text.find('.') == text.npos) out += ".0";
    }
}

void print(const Node& node, int tightness, std::string& out) {
    const bool bracketed = binding(node.kind) < tightness;
    const auto children = [&](std::size_t from, std::string_view between, int inner) {
        for (std::size_t i = from; i < node.children.size(); ++i) {
            if (i > from) out += between;
            print(*node.children[i], inner, out);
        }
    };
    if (bracketed) out += '(';
    switch (node.kind) {
        case Kind::field:
            out += node.text;
            break;
        case Kind::literal:
            print_literal(node, out);
            break;
        case Kind::any_of:
            children(0, " or ", 2);
            break;
        case Kind::all_of:
            children(0, " and ", 3);
            break;
        case Kind::negation:
            out += "not ";
            children(0, "", 3);
            break;
        case Kind::compare:
            children(0, std::string(" ").append(kComparisons[static_cast<std::size_t>(node.op)]).append(" "),
                     5);
            break;
        case Kind::is_null:
            print(*node.children[0], 5, out);
            out += node.negated ? " is not null" : " is null";
            break;
        case Kind::in_list:
            print(*node.children[0], 5, out);
            out += node.negated ? " not in [" : " in [";
            children(1, ", ", 5);
            out += ']';
            break;
    }
    if (bracketed) out += ')';
}

}  // namespace

Result<Expression> Expression::parse(std::string_view text, std::span<const FieldDef> fields) {
    auto root = parse_expression(text, fields);
    if (!root) return root.error();
    Expression expression;
    print(**root, 0, expression.text_);
    expression.root_ = *std::move(root);
    return expression;
}

Truth Expression::evaluate(std::span<const Value> values) const { return truth_of(*root_, values); }

}  // namespace freshet
