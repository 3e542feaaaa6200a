#include "io/config/config_reader.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "io/config/config_text.hpp"
#include "model/nearest_name.hpp"

namespace freshet {
namespace {

using Kind = ConfigNode::Kind;

std::string joined(std::span<const std::string> names) {
    std::string text;
    for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
    return text;
}

std::string_view kind_name(const ConfigNode& node) {
    switch (node.kind) {
        case Kind::null:
            return "no value";
        case Kind::list:
            return "a list";
        case Kind::map:
            return "a map";
        case Kind::scalar:
            break;
    }
    return "a single value";
}

// The text of a scalar, or a complaint that names what is expected.
const std::string* scalar(const ConfigNode& node, const std::string& what, const std::string& expected,
                          ConfigErrors& errors) {
    if (node.kind == Kind::scalar) return &node.text;
    errors.add(node.place, what + " has " + std::string{kind_name(node)} + "; write " + expected +
                               (node.kind == Kind::null ? ", or remove the key" : ""));
    return nullptr;
}

// A number stands without quotes, unless it comes from the environment.
const std::string* number(const ConfigNode& node, const std::string& what, const std::string& expected,
                          ConfigErrors& errors) {
    const std::string* text = scalar(node, what, expected, errors);
    if (text == nullptr || !node.quoted || node.substituted) return text;
    errors.add(node.place, what + " is text; write " + expected + " without quotes");
    return nullptr;
}

std::string range(const std::string& lowest, const std::string& highest) {
    return "from " + lowest + " to " + highest;
}

}  // namespace

Error ConfigErrors::first() const {
    const Entry* first = &errors_.front();
    for (const Entry& entry : errors_) {
        if (entry.place.before(first->place)) first = &entry;
    }
    return {Errc::invalid_argument, first->place.text() + ": " + first->message};
}

std::vector<std::string> ConfigErrors::warnings() const {
    std::vector<Entry> sorted = warnings_;
    std::ranges::stable_sort(sorted, [](const Entry& a, const Entry& b) { return a.place.before(b.place); });
    std::vector<std::string> result;
    for (const Entry& entry : sorted) result.push_back(entry.place.text() + ": " + entry.message);
    return result;
}

bool KnownNames::holds(std::string_view name) const { return std::ranges::find(names, name) != names.end(); }

std::string KnownNames::explain(const std::string& kind, const std::string& wanted) const {
    if (std::ranges::find(not_yet, wanted) != not_yet.end()) {
        return "the " + kind + " " + in_quotes(wanted) + " is not supported yet; there are: " + joined(names);
    }
    for (const auto& [other, ours] : elsewhere) {
        if (other == wanted) return "unknown " + kind + " " + in_quotes(wanted) + "; write " + in_quotes(ours);
    }
    const std::string unknown = "unknown " + kind + " " + in_quotes(wanted);
    const std::string near = nearest_name(wanted, names);
    if (!near.empty()) return unknown + "; did you mean " + in_quotes(near) + "?";
    if (names.empty()) return unknown + "; none is declared";
    return unknown + "; there are: " + joined(names);
}

std::optional<std::string> read_text(const ConfigNode& node, const std::string& what, ConfigErrors& errors) {
    const std::string* text = scalar(node, what, "text", errors);
    return text == nullptr ? std::nullopt : std::optional{*text};
}

std::optional<std::int64_t> read_integer(const ConfigNode& node, const std::string& what, std::int64_t lowest,
                                         std::int64_t highest, ConfigErrors& errors) {
    const std::string* text = number(node, what, "a whole number", errors);
    if (text == nullptr) return std::nullopt;
    const auto value = parse_integer(*text);
    if (!value) {
        errors.add(node.place, what + ": " + value.error().message);
        return std::nullopt;
    }
    if (*value < lowest || *value > highest) {
        errors.add(node.place, what + " is out of range; write a number " +
                                   range(std::to_string(lowest), std::to_string(highest)));
        return std::nullopt;
    }
    return *value;
}

std::optional<double> read_decimal(const ConfigNode& node, const std::string& what, ConfigErrors& errors) {
    const std::string* text = number(node, what, "a number", errors);
    if (text == nullptr) return std::nullopt;
    double value = 0;
    const char* end = text->data() + text->size();
    const auto [stop, error] = std::from_chars(text->data(), end, value);
    if (error == std::errc{} && stop == end && std::isfinite(value)) return value;
    errors.add(node.place, what + ": " + in_quotes(*text) + " is not a number; write one such as 0.95");
    return std::nullopt;
}

std::optional<Duration> read_duration(const ConfigNode& node, const std::string& what, Duration lowest,
                                      Duration highest, ConfigErrors& errors) {
    const std::string* text = scalar(node, what, "a duration such as 30s or 7d", errors);
    if (text == nullptr) return std::nullopt;
    const auto value = parse_duration(*text);
    if (!value) {
        errors.add(node.place, what + ": " + value.error().message);
        return std::nullopt;
    }
    if (*value < lowest || *value > highest) {
        errors.add(node.place, what + " is out of range; write a duration " +
                                   range(duration_text(lowest), duration_text(highest)));
        return std::nullopt;
    }
    return *value;
}

std::optional<std::size_t> read_choice(const ConfigNode& node, const std::string& what,
                                       std::span<const Choice> choices, ConfigErrors& errors) {
    KnownNames known;
    for (const Choice& choice : choices) {
        if (!choice.ours.empty()) {
            known.elsewhere.emplace_back(choice.name, choice.ours);
        } else {
            (choice.supported ? known.names : known.not_yet).emplace_back(choice.name);
        }
    }
    const bool written_null = node.kind == Kind::null && !node.text.empty();  // `on_breach: null` is a word
    const std::string* text =
        written_null ? &node.text : scalar(node, what, "one of " + joined(known.names), errors);
    if (text == nullptr) return std::nullopt;
    const auto found = std::ranges::find(choices, *text, &Choice::name);
    if (found != choices.end() && known.holds(*text)) return static_cast<std::size_t>(found - choices.begin());
    errors.add(node.place, what + ": " + known.explain("value", *text));
    return std::nullopt;
}

std::vector<const ConfigNode*> read_list(const ConfigNode& node, const std::string& what,
                                         ConfigErrors& errors) {
    std::vector<const ConfigNode*> items;
    if (node.kind == Kind::scalar) items.push_back(&node);
    for (const ConfigNode& item : node.items) items.push_back(&item);
    if (items.empty()) {
        const std::string has = node.kind == Kind::list ? "an empty list" : std::string{kind_name(node)};
        errors.add(node.place, what + " has " + has + "; write a list, such as [a, b]");
    }
    return items;
}

void check_name(const std::string& name, const std::string& kind, const ConfigPlace& place,
                ConfigErrors& errors) {
    if (is_name(name)) return;
    std::string mended;
    for (const char c : name) {
        const char lower = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
        mended += is_name(std::string{"a"} + lower) ? lower : '_';
    }
    errors.add(place, in_quotes(name) + " cannot name a " + kind +
                          "; write a lower-case letter and at most 63 further of a-z, 0-9 and _" +
                          (is_name(mended) ? ", such as " + in_quotes(mended) : ""));
}

MapReader::MapReader(const ConfigNode& node, std::string what, const KnownNames& known, ConfigErrors& errors)
    : node_(node), what_(std::move(what)), errors_(errors) {
    if (node.kind != Kind::map && node.kind != Kind::null) {
        errors.add(node.place, what_ + " has " + std::string{kind_name(node)} +
                                   "; write a map with keys among: " + joined(known.names));
    }
    for (const ConfigEntry& entry : node.entries) {
        if (known.holds(entry.key)) continue;
        misspelt_ = true;
        errors.add(entry.place, known.explain("key", entry.key) + " (in " + what_ + ")");
    }
}

const ConfigNode* MapReader::require(std::string_view key, const std::string& mend) const {
    const ConfigNode* found = find(key);
    if (found == nullptr && !misspelt_ && (node_.kind == Kind::map || node_.kind == Kind::null)) {
        errors_.add(node_.place, what_ + " has no " + in_quotes(key) + "; add it, such as " + mend);
    }
    return found;
}

void MapReader::text(std::string_view key, std::string& value) const {
    const ConfigNode* node = find(key);
    if (node == nullptr) return;
    if (auto text = read_text(*node, name_of(key), errors_)) value = std::move(*text);
}

void MapReader::boolean(std::string_view key, bool& value) const {
    const ConfigNode* node = find(key);
    constexpr Choice choices[] = {{"false"}, {"true"}};
    if (node == nullptr) return;
    if (const auto read = read_choice(*node, name_of(key), choices, errors_)) value = *read == 1;
}

void MapReader::integer(std::string_view key, std::int64_t lowest, std::int64_t highest, int& value) const {
    const ConfigNode* node = find(key);
    if (node == nullptr) return;
    if (const auto read = read_integer(*node, name_of(key), lowest, highest, errors_))
        value = static_cast<int>(*read);
}

void MapReader::bytes(std::string_view key, std::int64_t lowest, std::int64_t highest,
                      std::int64_t& value) const {
    const ConfigNode* node = find(key);
    const std::string* text =
        node == nullptr ? nullptr : number(*node, name_of(key), "a size such as 1MiB", errors_);
    if (text == nullptr) return;
    const auto read = parse_bytes(*text);
    if (!read) return errors_.add(node->place, name_of(key) + ": " + read.error().message);
    if (*read >= lowest && *read <= highest) {
        value = *read;
        return;
    }
    errors_.add(node->place, name_of(key) + " is out of range; write a number of bytes " +
                                 range(std::to_string(lowest), std::to_string(highest)));
}

void MapReader::endpoint(std::string_view key, int lowest_port, Endpoint& value) const {
    const ConfigNode* node = find(key);
    const std::string* text = node == nullptr ? nullptr : scalar(*node, name_of(key), "host:port", errors_);
    if (text == nullptr) return;
    const auto read = parse_endpoint(*text, lowest_port);
    if (!read) return errors_.add(node->place, name_of(key) + ": " + read.error().message);
    value = *read;
}

}  // namespace freshet
