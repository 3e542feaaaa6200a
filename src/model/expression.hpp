// The `where` language of docs/semantics.md: parsed and type-checked once, evaluated per event without
// allocation.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/event.hpp"
#include "model/result.hpp"

namespace freshet {

// A declared field of a source. `path` leads to it through nested objects; it is {name} where none is given.
struct FieldDef {
    std::string name;
    std::vector<std::string> path;
    FieldType type;
};

// SQL's three-valued logic: `unknown` is null.
enum class Truth : std::uint8_t { no, yes, unknown };

class Expression {
public:
    // Fails with the column (from 1) in `text` and, for an unknown field, the nearest declared name.
    static Result<Expression> parse(std::string_view text, std::span<const FieldDef> fields);

    // `values` in the order of the fields given to parse(). Thread-safe.
    Truth evaluate(std::span<const Value> values) const;
    bool accepts(std::span<const Value> values) const { return evaluate(values) == Truth::yes; }

    // A normal form: equal for texts that differ only in spaces, quotes or redundant parentheses.
    const std::string& text() const { return text_; }

    struct Node;

private:
    std::shared_ptr<const Node> root_;
    std::string text_;
};

}  // namespace freshet
