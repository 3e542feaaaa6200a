// A configuration file as a tree in which every node knows its place. YAML is narrowed here: a key is written
// once and is text, anchors, aliases, merge keys and tags are refused, and ${NAME} in a value is replaced.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "model/result.hpp"

namespace freshet {

// Line and column count from 1, the column in characters. `file_index` orders the files of one configuration.
struct ConfigPlace {
    int file_index = 0;
    std::string file;
    int line = 1;
    int column = 1;

    std::string text() const { return file + ":" + std::to_string(line) + ":" + std::to_string(column); }
    // Of two places in one configuration, the one that a reader meets first.
    bool before(const ConfigPlace& other) const {
        if (file_index != other.file_index) return file_index < other.file_index;
        return line != other.line ? line < other.line : column < other.column;
    }
};

struct ConfigEntry;

struct ConfigNode {
    enum class Kind { null, scalar, list, map };
    Kind kind = Kind::null;
    ConfigPlace place;                 // of a value that is left out: its key's
    std::string text;                  // of a scalar; of a null as written (`null`, `~`), empty if left out
    bool quoted = false;               // '...', "..." or a block
    bool substituted = false;          // held a ${NAME}
    bool verbatim = false;             // `text` stands in the file as it is, on one line
    std::vector<ConfigNode> items;     // of a list
    std::vector<ConfigEntry> entries;  // of a map, in file order

    // The value of `key` in a map, or null.
    const ConfigNode* find(std::string_view key) const;
    // Of the character at `index` (from 0) of a verbatim scalar.
    ConfigPlace place_at(std::size_t index) const;
};

struct ConfigEntry {
    std::string key;
    ConfigPlace place;  // of the key
    ConfigNode value;
};

// An error that names the place.
Error refuse(const ConfigPlace& place, const std::string& message);

// A file without content gives a null node.
Result<ConfigNode> parse_tree(std::string_view text, const std::string& file, int file_index);

}  // namespace freshet
