#include "model/nearest_name.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <utility>

namespace freshet {
namespace {

constexpr std::size_t kLongest = 128;  // longer names get no suggestion
using Distances = std::array<std::size_t, kLongest + 1>;

char folded(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

// Both at most kLongest long.
std::size_t edit_distance(std::string_view a, std::string_view b) {
    Distances before{}, previous{}, current{};
    for (std::size_t j = 0; j <= b.size(); ++j) previous[j] = j;
    for (std::size_t i = 1; i <= a.size(); ++i) {
        current[0] = i;
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const char x = folded(a[i - 1]);
            const char y = folded(b[j - 1]);
            current[j] = std::min({previous[j] + 1, current[j - 1] + 1, previous[j - 1] + (x != y)});
            const bool swapped = i > 1 && j > 1 && x == folded(b[j - 2]) && y == folded(a[i - 2]);
            if (swapped) current[j] = std::min(current[j], before[j - 2] + 1);
        }
        before = std::exchange(previous, current);
    }
    return previous[b.size()];
}

}  // namespace

std::string nearest_name(std::string_view wanted, std::span<const std::string> known) {
    const std::string* nearest = nullptr;
    std::size_t fewest = kLongest;
    for (const std::string& name : known) {
        const std::size_t longest = std::max(wanted.size(), name.size());
        if (longest > kLongest) continue;
        const std::size_t edits = edit_distance(wanted, name);
        const bool close = edits <= std::max<std::size_t>(1, longest / 3) && edits < longest;
        if (!close || edits >= fewest) continue;
        fewest = edits;
        nearest = &name;
    }
    return nearest ? *nearest : std::string();
}

}  // namespace freshet
