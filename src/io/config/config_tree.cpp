#include "io/config/config_tree.hpp"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <cstdlib>
#include <optional>
#include <sstream>
#include <utility>

#include "io/config/config_text.hpp"
#include "model/characters.hpp"

namespace freshet {

const ConfigNode* ConfigNode::find(std::string_view key) const {
    const auto found = std::ranges::find(entries, key, &ConfigEntry::key);
    return found == entries.end() ? nullptr : &found->value;
}

ConfigPlace ConfigNode::place_at(std::size_t index) const {
    ConfigPlace at = place;
    at.column += static_cast<int>(index) + (quoted ? 1 : 0);
    return at;
}

namespace {

// Thrown only between an event handler and parse_tree, through yaml-cpp.
struct Refused {
    ConfigPlace place;
    std::string message;
};

bool starts_name(char c) { return is_letter(c) || c == '_'; }

// Replaces every ${NAME} by the environment variable, and $${ by ${. What it brings is text, never YAML.
std::string substitute(const std::string& text, const ConfigPlace& place) {
    std::string result;
    for (std::size_t i = 0; i < text.size();) {
        const std::string_view rest = std::string_view{text}.substr(i);
        if (rest.starts_with("$${")) {
            result += "${";
            i += 3;
        } else if (!rest.starts_with("${")) {
            result += text[i++];
        } else {
            const std::size_t end = rest.find('}');
            const std::string name{rest.substr(2, end == std::string_view::npos ? end : end - 2)};
            const auto in_name = [](char c) { return starts_name(c) || (c >= '0' && c <= '9'); };
            const bool named = !name.empty() && starts_name(name.front()) && std::ranges::all_of(name, in_name);
            if (end == std::string_view::npos || !named) {
                throw Refused{
                    place, "${ begins no environment variable; write ${NAME}, or $${ for the two characters"};
            }
            const char* value = std::getenv(name.c_str());
            if (value == nullptr) {
                throw Refused{
                    place, "the environment variable " + name + " is not set; set it, or write its value here"};
            }
            result += value;
            i += end + 1;
        }
    }
    return result;
}

// The lines of the file as yaml-cpp counts them.
std::vector<std::string_view> split_lines(std::string_view text) {
    std::vector<std::string_view> lines;
    for (std::size_t start = 0; start <= text.size();) {
        const std::size_t end = std::min(text.find('\n', start), text.size());
        lines.push_back(text.substr(start, end - start));
        start = end + 1;
    }
    return lines;
}

class TreeBuilder : public YAML::EventHandler {
public:
    TreeBuilder(std::string_view text, const std::string& file, int file_index)
        : lines_(split_lines(text)), file_(file), file_index_(file_index) {
        root_.place = {file_index, file, 1, 1};
    }

    // yaml-cpp counts bytes, an editor characters. What it gives no mark is missing at the end.
    ConfigPlace place(const YAML::Mark& mark) const {
        const bool end = mark.line < 0 || static_cast<std::size_t>(mark.line) >= lines_.size();
        const std::size_t line = end ? lines_.size() - 1 : static_cast<std::size_t>(mark.line);
        const std::size_t column =
            end ? lines_[line].size() : static_cast<std::size_t>(std::max(mark.column, 0));
        const auto inside =
            std::ranges::count_if(lines_[line].substr(0, column), [](char c) { return (c & 0xC0) == 0x80; });
        return {file_index_, file_, static_cast<int>(line) + 1, static_cast<int>(column - inside) + 1};
    }
    ConfigNode take() { return std::move(root_); }

    void OnDocumentStart(const YAML::Mark& mark) override {
        if (std::exchange(started_, true)) {
            throw Refused{place(mark),
                          "the configuration ends above this line; indent what belongs to it, and keep "
                          "one document a file"};
        }
    }
    void OnDocumentEnd() override {}

    void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override { refuse_anchor(mark); }

    void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
        if (anchor != YAML::NullAnchor) refuse_anchor(mark);
        ConfigNode node;
        node.place = place(mark);
        node.text = written_null(mark);
        attach(std::move(node));
    }

    void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  const std::string& value) override {
        check(mark, tag, anchor);
        ConfigNode node;
        node.kind = ConfigNode::Kind::scalar;
        node.place = place(mark);
        node.quoted = tag == "!";
        node.text = value;
        node.verbatim = raw(mark).substr(node.quoted ? 1 : 0).starts_with(value);
        attach(std::move(node));
    }

    void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                         YAML::EmitterStyle::value) override {
        check(mark, tag, anchor);
        open(ConfigNode::Kind::list, mark);
    }
    void OnSequenceEnd() override { close(); }

    void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                    YAML::EmitterStyle::value) override {
        check(mark, tag, anchor);
        open(ConfigNode::Kind::map, mark);
    }
    void OnMapEnd() override { close(); }

private:
    // A list or map that is still being read, with the key whose value comes next.
    struct Frame {
        ConfigNode node;
        std::optional<ConfigNode> key;
    };

    [[noreturn]] void refuse_anchor(const YAML::Mark& mark) const {
        throw Refused{place(mark),
                      "anchors (&) and aliases (*) are not supported; write the value out where it is used"};
    }

    void check(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor) const {
        if (anchor != YAML::NullAnchor) refuse_anchor(mark);
        if (!tag.empty() && tag != "?" && tag != "!") {
            throw Refused{place(mark), "YAML tags (!) are not supported; remove it"};
        }
    }

    // What the file holds from a place to the end of the line; a blank where that is nothing.
    std::string_view raw(const YAML::Mark& at) const {
        const auto line = static_cast<std::size_t>(at.line);
        const auto column = static_cast<std::size_t>(at.column);
        if (at.line < 0 || line >= lines_.size() || column >= lines_[line].size()) return " ";
        return lines_[line].substr(column);
    }

    // yaml-cpp gives a value that is left out the place of whatever comes next.
    std::string written_null(const YAML::Mark& at) const {
        const std::string_view here = raw(at);
        for (const std::string_view form : {"null", "Null", "NULL", "~"}) {
            if (!here.starts_with(form)) continue;
            const std::string_view after = here.substr(form.size());
            if (after.empty() || std::string_view{" \t\r,]}"}.find(after.front()) != std::string_view::npos) {
                return std::string{form};
            }
        }
        return {};
    }

    void open(ConfigNode::Kind kind, const YAML::Mark& mark) {
        require_key_is_text(place(mark));
        Frame frame;
        frame.node.kind = kind;
        frame.node.place = place(mark);
        frames_.push_back(std::move(frame));
    }

    void close() {
        ConfigNode node = std::move(frames_.back().node);
        frames_.pop_back();
        attach(std::move(node));
    }

    bool expects_key() const {
        return !frames_.empty() && frames_.back().node.kind == ConfigNode::Kind::map && !frames_.back().key;
    }

    void require_key_is_text(const ConfigPlace& at) const {
        if (expects_key()) throw Refused{at, "a key must be text; put it in quotes if it is"};
    }

    void attach(ConfigNode node) {
        if (expects_key()) return attach_key(std::move(node));
        if (node.kind == ConfigNode::Kind::scalar && node.text.find("${") != std::string::npos) {
            node.text = substitute(node.text, node.place);
            node.substituted = true;
            node.verbatim = false;
        }
        if (frames_.empty()) {
            root_ = std::move(node);
        } else if (Frame& top = frames_.back(); top.node.kind == ConfigNode::Kind::list) {
            top.node.items.push_back(std::move(node));
        } else {
            if (node.kind == ConfigNode::Kind::null && node.text.empty()) node.place = top.key->place;
            top.node.entries.push_back({std::move(top.key->text), std::move(top.key->place), std::move(node)});
            top.key.reset();
        }
    }

    void attach_key(ConfigNode key) {
        if (key.kind != ConfigNode::Kind::scalar) require_key_is_text(key.place);
        if (key.text == "<<" && !key.quoted) {
            throw Refused{key.place, "merge keys (<<) are not supported; write the entries out"};
        }
        for (const ConfigEntry& entry : frames_.back().node.entries) {
            if (entry.key != key.text) continue;
            throw Refused{key.place, "the key " + in_quotes(key.text) + " is already written in line " +
                                         std::to_string(entry.place.line) +
                                         "; remove or rename one of the two"};
        }
        frames_.back().key = std::move(key);
    }

    std::vector<std::string_view> lines_;
    std::string file_;
    int file_index_;
    bool started_ = false;
    ConfigNode root_;
    std::vector<Frame> frames_;
};

// What usually causes a syntax error of yaml-cpp, in words that help.
std::string mend_of(const std::string& message) {
    constexpr std::pair<std::string_view, std::string_view> mends[] = {
        {"alias not found", "put * in quotes, as in {count: \"*\"}"},
        {"anchor is not defined", "aliases (*) are not supported; put text that begins with * in quotes"},
        {"illegal map value", "put text that holds \": \" in quotes, and check the indentation"},
        {"illegal map key", "check the indentation, and put text that begins with ? in quotes"},
        {"unknown token", "put text that begins with %, @ or ` in quotes, and indent with spaces"},
        {"map flow", "close the {, and put text that holds { or }, such as ${NAME}, in quotes"},
        {"sequence flow", "close the [, and put text that holds [ or ] in quotes"},
        {"illegal EOF", "close the quotes"},
    };
    for (const auto& [part, mend] : mends) {
        if (message.find(part) != std::string::npos) return std::string{mend};
    }
    return "check the indentation, and put text with special characters in quotes";
}

}  // namespace

Error refuse(const ConfigPlace& place, const std::string& message) {
    return {Errc::invalid_argument, place.text() + ": " + message};
}

Result<ConfigNode> parse_tree(std::string_view text, const std::string& file, int file_index) {
    if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
    TreeBuilder builder{text, file, file_index};
    if (text.find('\0') != std::string_view::npos || text.starts_with("\xFF\xFE") ||
        text.starts_with("\xFE\xFF")) {
        return refuse({file_index, file, 1, 1}, "this is not UTF-8 text; save the file as UTF-8");
    }
    try {
        std::istringstream stream{std::string{text}};
        YAML::Parser parser{stream};
        while (parser.HandleNextDocument(builder)) {
        }
    } catch (const Refused& refused) {
        return refuse(refused.place, refused.message);
    } catch (const YAML::Exception& failure) {
        return refuse(builder.place(failure.mark),
                      "this is not valid YAML (" + failure.msg + "); " + mend_of(failure.msg));
    }
    return builder.take();
}

}  // namespace freshet
