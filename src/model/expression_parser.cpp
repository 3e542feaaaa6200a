#include "model/expression_parser.hpp"

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>

#include "model/characters.hpp"
#include "model/definition.hpp"
#include "model/nearest_name.hpp"

namespace freshet {
namespace {

using Node = Expression::Node;
using Kind = Node::Kind;
using Op = Node::Op;
using NodePtr = std::unique_ptr<Node>;

constexpr int kDeepest =
    100;  // nested parentheses and `not`s; bounds the stack of parser, printer and evaluator
constexpr std::array<std::string_view, 8> kKeywords = {"and", "or", "not", "in", "is", "null", "true", "false"};

struct Token {
    enum class Kind : std::uint8_t { end, word, number, string, symbol };
    Kind kind = Kind::end;
    std::string_view text;
    std::size_t at = 0;
};

bool continues_word(char c) { return is_letter(c) || is_digit(c) || c == '_' || c == '.' || (c & 0x80); }
bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

bool is_number(FieldType type) { return type == FieldType::int64 || type == FieldType::float64; }

std::string with_article(const Node& node) {
    if (node.kind != Kind::field && node.kind != Kind::literal) return "a condition";
    return std::string(node.type == FieldType::int64 ? "an " : "a ").append(name_of(node.type));
}

NodePtr make_node(Kind kind, std::size_t at, NodePtr first = nullptr) {
    auto node = std::make_unique<Node>();
    node->kind = kind;
    node->at = at;
    if (first) node->children.push_back(std::move(first));
    return node;
}

// Recursive descent; a method that returns null has set `error_`. The first error stands.
class Parser {
public:
    Parser(std::string_view text, std::span<const FieldDef> fields) : text_(text), fields_(fields) {
        advance();
    }

    Result<NodePtr> parse() {
        NodePtr root = chain(Kind::any_of);
        if (root && token_.kind != Token::Kind::end) unexpected("the end");
        root = condition(std::move(root));
        if (error_) return *error_;
        return root;
    }

private:
    // `or` over `and` over `not`.
    NodePtr chain(Kind kind) {
        const bool alternatives = kind == Kind::any_of;
        const auto part = [&] { return alternatives ? chain(Kind::all_of) : negation(); };
        const std::size_t at = token_.at;
        NodePtr first = part();
        if (!first || !is(alternatives ? "or" : "and")) return first;
        NodePtr all = make_node(kind, at);
        if (!append(*all, condition(std::move(first)))) return nullptr;
        while (take(alternatives ? "or" : "and")) {
            if (!append(*all, condition(part()))) return nullptr;
        }
        return all;
    }

    static bool append(Node& all, NodePtr part) {
        if (!part) return false;
        if (part->kind != all.kind) {
            all.children.push_back(std::move(part));
        } else {
            for (NodePtr& inner : part->children) all.children.push_back(std::move(inner));
        }
        return true;
    }

    NodePtr negation() {
        const std::size_t at = token_.at;
        if (!take("not")) return predicate();
        if (++depth_ > kDeepest) return too_deep(at);
        NodePtr inner = condition(negation());
        --depth_;
        return inner ? make_node(Kind::negation, at, std::move(inner)) : nullptr;
    }

    NodePtr predicate() {
        const std::size_t at = token_.at;
        NodePtr left = operand();
        if (!left) return nullptr;
        if (token_.kind == Token::Kind::symbol) {
            const auto op = std::find(kComparisons.begin(), kComparisons.end(), token_.text);
            return op == kComparisons.end()
                       ? std::move(left)
                       : comparison(std::move(left), static_cast<Op>(op - kComparisons.begin()));
        }
        if (take("is")) {
            NodePtr node = make_node(Kind::is_null, at, std::move(left));
            node->negated = take("not");
            return take("null") ? std::move(node) : unexpected("'null'");
        }
        const bool negated = take("not");
        if (take("in")) return membership(std::move(left), negated);
        return negated ? unexpected("'in'") : std::move(left);
    }

    NodePtr comparison(NodePtr left, Op op) {
        const std::size_t sign_at = token_.at;
        advance();
        NodePtr right = operand();
        if (!right || !check_comparable(*left, *right)) return nullptr;
        if (left->type == FieldType::boolean && op != Op::eq && op != Op::ne) {
            return fail(sign_at, subject(*left) + "can only be compared with == and !=");
        }
        const std::size_t at = left->at;
        NodePtr node = make_node(Kind::compare, at, std::move(left));
        node->op = op;
        node->children.push_back(std::move(right));
        return node;
    }

    NodePtr membership(NodePtr left, bool negated) {
        const std::size_t at = left->at;
        NodePtr node = make_node(Kind::in_list, at, std::move(left));
        node->negated = negated;
        if (!take("[")) return unexpected("'['");
        do {
            NodePtr item = operand();
            if (!item || !check_comparable(*node->children[0], *item)) return nullptr;
            node->children.push_back(std::move(item));
        } while (take(","));
        return take("]") ? std::move(node) : unexpected("',' or ']'");
    }

    NodePtr operand() {
        const Token token = token_;
        if (take("(")) {
            if (++depth_ > kDeepest) return too_deep(token.at);
            NodePtr inner = chain(Kind::any_of);
            --depth_;
            if (!inner) return nullptr;
            return take(")") ? std::move(inner) : unexpected("')'");
        }
        if (token.kind == Token::Kind::string) return string_literal();
        if (token.kind == Token::Kind::number) return number_literal();
        if (token.kind != Token::Kind::word) return unexpected("a field or a value");
        if (is("true") || is("false")) return literal(FieldType::boolean, token.text == "true");
        if (is("null")) return fail(token.at, "null cannot be compared; write 'is null' or 'is not null'");
        const bool keyword = std::find(kKeywords.begin(), kKeywords.end(), token.text) != kKeywords.end();
        return keyword ? unexpected("a field or a value") : field();
    }

    NodePtr literal(FieldType type, Value value) {
        NodePtr node = make_node(Kind::literal, token_.at);
        node->type = type;
        node->value = value;
        advance();
        return node;
    }

    NodePtr string_literal() {
        std::string content;
        const std::string_view inside = token_.text.substr(1, token_.text.size() - 2);
        for (std::size_t i = 0; i < inside.size(); ++i) {
            if (inside[i] == '\\') ++i;
            content += inside[i];
        }
        NodePtr node = literal(FieldType::string, {});
        node->text = std::move(content);
        node->value = std::string_view(node->text);
        return node;
    }

    NodePtr number_literal() {
        const std::string_view text = token_.text;
        const char* const last = text.data() + text.size();
        const bool whole = text.find('.') == text.npos;
        std::int64_t integer = 0;
        double decimal = 0;
        const auto read = whole ? std::from_chars(text.data(), last, integer)
                                : std::from_chars(text.data(), last, decimal, std::chars_format::fixed);
        if (read.ptr != last || !is_digit(text.back()))
            return fail(token_.at, quoted(text) + " is not a number");
        if (read.ec != std::errc{}) return fail(token_.at, quoted(text) + " is out of range");
        return whole ? literal(FieldType::int64, integer) : literal(FieldType::float64, decimal);
    }

    NodePtr field() {
        for (std::size_t i = 0; i < fields_.size(); ++i) {
            if (fields_[i].name != token_.text) continue;
            NodePtr node = make_node(Kind::field, token_.at);
            node->type = fields_[i].type;
            node->index = i;
            node->text = fields_[i].name;
            advance();
            return node;
        }
        return fail(token_.at, "unknown field " + quoted(token_.text) + suggestion(fields_));
    }

    // ---- Types

    NodePtr condition(NodePtr node) {
        if (!node || node->type == FieldType::boolean) return node;
        return fail(node->at, node->kind == Kind::field
                                  ? node->text + " is " + std::string(name_of(node->type)) +
                                        "; a condition is needed, such as a comparison"
                                  : with_article(*node) + " is not a condition");
    }

    static std::string subject(const Node& node) {
        if (node.kind != Kind::field) return with_article(node) + " ";
        return node.text + " is " + std::string(name_of(node.type)) + " and ";
    }

    bool check_comparable(const Node& left, const Node& right) {
        if (left.type == right.type || (is_number(left.type) && is_number(right.type))) return true;
        const bool swap = left.kind != Kind::field && right.kind == Kind::field;
        const Node& about = swap ? right : left;
        const Node& other = swap ? left : right;
        fail(right.at, subject(about) + "cannot be compared with " +
                           (other.kind == Kind::field ? other.text + ", " : "") + with_article(other));
        return false;
    }

    // ---- Errors

    static std::string quoted(std::string_view text) { return std::string("'").append(text).append("'"); }

    NodePtr fail(std::size_t at, const std::string& message) {
        const auto begins_character = [](char c) { return (c & 0xC0) != 0x80; };
        const auto column =
            1 + std::count_if(text_.begin(), text_.begin() + static_cast<std::ptrdiff_t>(at), begins_character);
        if (error_) return nullptr;
        error_ = Error{Errc::invalid_argument, "column " + std::to_string(column) + ": " + message};
        return nullptr;
    }

    // The keyword, or the name among `fields`, that the current word most likely stands for.
    std::string suggestion(std::span<const FieldDef> fields) const {
        std::vector<std::string> known;
        for (const FieldDef& def : fields) known.push_back(def.name);
        known.insert(known.end(), kKeywords.begin(), kKeywords.end());
        const std::string nearest = nearest_name(token_.text, known);
        return nearest.empty() || nearest == token_.text ? "" : "; did you mean " + quoted(nearest) + "?";
    }

    NodePtr unexpected(std::string_view wanted) {
        std::string message = "expected " + std::string(wanted) + ", found ";
        message += token_.kind == Token::Kind::end ? "the end" : quoted(token_.text);
        if (token_.kind == Token::Kind::word) message += suggestion({});
        return fail(token_.at, message);
    }

    NodePtr too_deep(std::size_t at) {
        return fail(at, "nested more than " + std::to_string(kDeepest) + " deep");
    }

    // ---- Tokens

    bool is(std::string_view spelling) const {
        return (token_.kind == Token::Kind::word || token_.kind == Token::Kind::symbol) &&
               token_.text == spelling;
    }

    bool take(std::string_view spelling) {
        if (!is(spelling)) return false;
        advance();
        return true;
    }

    void advance() {
        std::size_t at = token_.at + token_.text.size();
        while (at < text_.size() && is_space(text_[at])) ++at;
        token_ = {Token::Kind::end, {}, at};
        if (at == text_.size()) return;
        const char c = text_[at];
        const char next = at + 1 < text_.size() ? text_[at + 1] : '\0';
        if (c == '\'' || c == '"') return string_token(c);
        std::size_t end = at + 1;
        if (continues_word(c) || (c == '-' && is_digit(next))) {
            while (end < text_.size() && continues_word(text_[end])) ++end;
            token_.kind = is_digit(c) || c == '-' ? Token::Kind::number : Token::Kind::word;
        } else {
            token_.kind = Token::Kind::symbol;
            if (next == '=' && (c == '=' || c == '!' || c == '<' || c == '>')) ++end;
        }
        token_.text = text_.substr(at, end - at);
        if (token_.text == "=") fail(at, "expected '==', found '='");
    }

    void string_token(char quote) {
        const std::size_t at = token_.at;
        std::size_t end = at + 1;
        while (end < text_.size() && text_[end] != quote) end += text_[end] == '\\' ? 2 : 1;
        if (end >= text_.size()) {
            fail(at, "the string that begins here has no end");
            end = text_.size() - 1;
        }
        token_.kind = Token::Kind::string;
        token_.text = text_.substr(at, end + 1 - at);
    }

    std::string_view text_;
    std::span<const FieldDef> fields_;
    Token token_;
    int depth_ = 0;
    std::optional<Error> error_;
};

}  // namespace

Result<NodePtr> parse_expression(std::string_view text, std::span<const FieldDef> fields) {
    return Parser(text, fields).parse();
}

}  // namespace freshet
