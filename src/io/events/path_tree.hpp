// Finds the values at declared paths in a parsed JSON object; event_decoder.cpp's own.
#pragma once

#include <simdjson.h>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace freshet {

// The names looked for in one object; any other key costs one hash and mostly no comparison.
class NameTable {
public:
    // The slot of `name`; `fresh` is given to a new one.
    std::size_t add(std::string_view name, std::size_t fresh) {
        if (const auto slot = find(name)) return *slot;
        names_.push_back({std::string(name), fresh});
        cells_.assign(std::bit_ceil(names_.size() * 8), 0);
        for (std::size_t i = 0; i < names_.size(); ++i) {
            std::size_t cell = first_cell(names_[i].text);
            while (cells_[cell] != 0) cell = (cell + 1) & (cells_.size() - 1);
            cells_[cell] = static_cast<std::uint32_t>(i + 1);
        }
        return fresh;
    }

    std::optional<std::size_t> find(std::string_view name) const {
        for (std::size_t cell = first_cell(name); cells_[cell] != 0; cell = (cell + 1) & (cells_.size() - 1)) {
            const Name& candidate = names_[cells_[cell] - 1];
            if (candidate.text == name) return candidate.slot;
        }
        return std::nullopt;
    }

private:
    struct Name {
        std::string text;
        std::size_t slot;
    };

    static std::uint64_t load(const char* from, std::size_t size) {
        std::uint64_t word = 0;
        std::memcpy(&word, from, size);
        return word;
    }

    // Of the length and of the first and last eight bytes, or fewer.
    std::size_t first_cell(std::string_view name) const {
        const char* const text = name.data();
        const std::size_t size = name.size();
        std::uint64_t word = size;
        if (size >= 8) {
            word += load(text, 8) ^ std::rotl(load(text + size - 8, 8), 29);
        } else if (size >= 4) {
            word += load(text, 4) | load(text + size - 4, 4) << 32;
        } else if (size > 0) {
            const auto byte = [text](std::size_t i) {
                return std::uint64_t{static_cast<unsigned char>(text[i])};
            };
            word += byte(0) << 8 | byte(size / 2) << 16 | byte(size - 1) << 24;
        }
        return static_cast<std::size_t>((word * 0x9E3779B97F4A7C15u) >> 32) & (cells_.size() - 1);
    }

    std::vector<Name> names_;
    std::vector<std::uint32_t> cells_ = std::vector<std::uint32_t>(1, 0);  // 1 + index of the name; 0 is empty
};

// What an event has at a slot; the last of duplicates.
struct Found {
    simdjson::dom::element element;
    bool present = false;
};

// The declared paths as a tree. Every step of a path has a slot; the slots in which paths go on are branches.
class PathTree {
public:
    PathTree() : branches_(1) {}

    // The slot of the value at the end of `path`, which has a step.
    std::size_t add(const std::vector<std::string>& path) {
        std::size_t slot = 0;
        std::size_t branch = 0;
        for (std::size_t step = 0; step < path.size(); ++step) {
            if (step > 0) branch = branch_at(slot);
            slot = branches_[branch].names.add(path[step], found_.size());
            if (slot == found_.size()) found_.emplace_back();
        }
        return slot;
    }

    // Looks every path up in `root`. A branch comes after the one it stands in, so that of duplicate objects
    // only the last is looked into.
    void look_up(simdjson::dom::object root) {
        for (Found& found : found_) found.present = false;
        scan(root, branches_[0].names);
        for (std::size_t i = 1; i < branches_.size(); ++i) {
            const Found& at = found_[branches_[i].slot];
            if (at.present && at.element.is_object())
                scan(at.element.get_object().value_unsafe(), branches_[i].names);
        }
    }

    const Found& operator[](std::size_t slot) const { return found_[slot]; }

private:
    struct Branch {
        NameTable names;
        std::size_t slot = 0;  // of the object with these names; of no meaning for the root
    };

    std::size_t branch_at(std::size_t slot) {
        for (std::size_t i = 1; i < branches_.size(); ++i) {
            if (branches_[i].slot == slot) return i;
        }
        branches_.push_back({{}, slot});
        return branches_.size() - 1;
    }

    void scan(simdjson::dom::object object, const NameTable& names) {
        for (const simdjson::dom::key_value_pair member : object) {
            if (const auto slot = names.find(member.key)) found_[*slot] = {member.value, true};
        }
    }

    std::vector<Branch> branches_;
    std::vector<Found> found_;
};

}  // namespace freshet
