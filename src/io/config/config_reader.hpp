// Typed access to the nodes of a configuration. A value of the wrong kind becomes an error with its place, the
// default stays, and reading goes on.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "io/config/config.hpp"
#include "io/config/config_tree.hpp"
#include "model/ids.hpp"
#include "model/result.hpp"

namespace freshet {

// Collects what is wrong with a configuration.
class ConfigErrors {
public:
    // `message` says what is wrong and how to mend it.
    void add(const ConfigPlace& place, std::string message) { errors_.push_back({place, std::move(message)}); }
    void warn(const ConfigPlace& place, std::string message) {
        warnings_.push_back({place, std::move(message)});
    }

    bool any() const { return !errors_.empty(); }
    std::size_t count() const { return errors_.size(); }
    // The first in the order of files, lines and columns; there must be one.
    Error first() const;
    // In the same order, each with its place.
    std::vector<std::string> warnings() const;

private:
    struct Entry {
        ConfigPlace place;
        std::string message;
    };
    std::vector<Entry> errors_;
    std::vector<Entry> warnings_;
};

// What an unknown key or name is answered with.
struct KnownNames {
    std::vector<std::string> names;
    // Described in the design but not built: told as such instead of as unknown.
    std::vector<std::string> not_yet;
    // What other systems call it.
    std::vector<std::pair<std::string, std::string>> elsewhere;

    // `unknown <kind> "x"; did you mean "y"?`, or the list of all.
    std::string explain(const std::string& kind, const std::string& wanted) const;
    bool holds(std::string_view name) const;
};

// One of a few words; or one that is not supported yet, or what other systems call one (`ours`).
struct Choice {
    std::string_view name;
    bool supported = true;
    std::string_view ours = {};
};

// Single values. `what` names the value in messages, such as `kafka.group`.
std::optional<std::string> read_text(const ConfigNode&, const std::string& what, ConfigErrors&);
std::optional<std::int64_t> read_integer(const ConfigNode&, const std::string& what, std::int64_t lowest,
                                         std::int64_t highest, ConfigErrors&);
std::optional<double> read_decimal(const ConfigNode&, const std::string& what, ConfigErrors&);
std::optional<Duration> read_duration(const ConfigNode&, const std::string& what, Duration lowest,
                                      Duration highest, ConfigErrors&);
std::optional<std::size_t> read_choice(const ConfigNode&, const std::string& what, std::span<const Choice>,
                                       ConfigErrors&);
// A list, or a single text as a list of one.
std::vector<const ConfigNode*> read_list(const ConfigNode&, const std::string& what, ConfigErrors&);
// Complains of a name that is not [a-z][a-z0-9_]{0,63}. `kind` is what it names, such as `view`.
void check_name(const std::string& name, const std::string& kind, const ConfigPlace&, ConfigErrors&);

// A map with known keys. Reading a key that is absent leaves the value as it was.
class MapReader {
public:
    // Complains of keys that are not known. A map that is left out (null) counts as empty.
    MapReader(const ConfigNode& node, std::string what, const KnownNames& known, ConfigErrors& errors);

    const ConfigNode* find(std::string_view key) const { return node_.find(key); }
    // A key is unknown: then another is probably not missing but misspelt, and its absence not worth a
    // complaint.
    bool misspelt() const { return misspelt_; }
    // find(), and a complaint where there is none. `mend` is an example of the entry.
    const ConfigNode* require(std::string_view key, const std::string& mend) const;
    std::string name_of(std::string_view key) const { return what_ + "." + std::string{key}; }

    void text(std::string_view key, std::string& value) const;
    void boolean(std::string_view key, bool& value) const;
    void integer(std::string_view key, std::int64_t lowest, std::int64_t highest, int& value) const;
    void bytes(std::string_view key, std::int64_t lowest, std::int64_t highest, std::int64_t& value) const;
    void endpoint(std::string_view key, int lowest_port, Endpoint& value) const;
    template <class Enum>
    void choice(std::string_view key, std::span<const Choice> choices, Enum& value) const {
        if (const ConfigNode* node = find(key)) {
            if (const auto index = read_choice(*node, name_of(key), choices, errors_))
                value = static_cast<Enum>(*index);
        }
    }

private:
    const ConfigNode& node_;
    std::string what_;
    ConfigErrors& errors_;
    bool misspelt_ = false;
};

}  // namespace freshet
