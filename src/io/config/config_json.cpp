#include "io/config/config_json.hpp"

#include <nlohmann/json.hpp>

#include "model/characters.hpp"

namespace freshet {
namespace {

using Kind = ConfigNode::Kind;

std::string quoted(const std::string& text) {
    return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

// Takes one digit or more.
bool take_digits(std::string_view& text) {
    const std::size_t count = std::min(text.find_first_not_of("0123456789"), text.size());
    text.remove_prefix(count);
    return count > 0;
}

// As JSON writes numbers: no +, no leading zeros, digits on both sides of the point.
bool is_number(std::string_view text) {
    if (text.starts_with('-')) text.remove_prefix(1);
    if (text.size() > 1 && text[0] == '0' && is_digit(text[1])) return false;
    if (!take_digits(text)) return false;
    if (text.starts_with('.')) {
        text.remove_prefix(1);
        if (!take_digits(text)) return false;
    }
    if (text.starts_with('e') || text.starts_with('E')) {
        text.remove_prefix(1);
        if (text.starts_with('-') || text.starts_with('+')) text.remove_prefix(1);
        if (!take_digits(text)) return false;
    }
    return text.empty();
}

std::string text_of_scalar(const ConfigNode& node) {
    const bool bare = !node.quoted && (node.text == "true" || node.text == "false" || is_number(node.text));
    return bare ? node.text : quoted(node.text);
}

}  // namespace

std::string json_text(const ConfigNode& node) {
    std::string out;
    switch (node.kind) {
        case Kind::null:
            return "null";
        case Kind::scalar:
            return text_of_scalar(node);
        case Kind::list:
            for (const ConfigNode& item : node.items) out += (out.empty() ? "" : ", ") + json_text(item);
            return "[" + out + "]";
        case Kind::map:
            break;
    }
    for (const ConfigEntry& entry : node.entries)
        out += (out.empty() ? "" : ", ") + quoted(entry.key) + ": " + json_text(entry.value);
    return "{" + out + "}";
}

}  // namespace freshet
