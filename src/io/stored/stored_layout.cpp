#include "io/stored/stored_layout.hpp"

#include <algorithm>
#include <concepts>
#include <limits>

#include "io/stored/head_index.hpp"
#include "io/stored/hex.hpp"

namespace freshet {

namespace {

std::uint64_t name_of(const AccumulatorDef& def, const Source& source, const ViewPlan& plan) {
    std::string text = std::to_string(static_cast<int>(def.kind));
    if (def.field) {
        const FieldDef& field = source.fields[*def.field];
        text += " of " + field.name + " " + std::string(name_of(field.type));
    }
    if (def.filter) text += " where " + plan.filters()[*def.filter].text();
    std::uint64_t hash = 14695981039346656037ULL;  // FNV-1a
    for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
    return hash;
}

// The next part of a list, which is shortened by it.
std::string_view take(std::string_view& list, char separator) {
    const std::string_view part = list.substr(0, list.find(separator));
    list.remove_prefix(std::min(list.size(), part.size() + 1));
    return part;
}

template <std::integral T>
bool parse_number(std::string_view text, T& number, int base = 10) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, base);
    return error == std::errc() && end == text.data() + text.size();
}

template <std::integral T>
bool parse_list(std::string_view text, std::vector<T>& numbers, int base = 10) {
    while (!text.empty())
        if (!parse_number(take(text, ','), numbers.emplace_back(), base)) return false;
    return !numbers.empty();
}

bool parse_window(std::string_view text, std::size_t accumulators, StoredLayout::Window& window) {
    const auto known = [&](std::size_t a) { return a < accumulators; };
    return parse_number(take(text, '='), window.tiles) && window.tiles > 0 &&
           parse_list(text, window.accumulators) && std::ranges::all_of(window.accumulators, known);
}

bool parse_resolution(std::string_view text, StoredLayout::Resolution& resolution) {
    std::int64_t hop = 0;
    if (!parse_number(take(text, ':'), hop) || hop <= 0) return false;
    resolution.hop = Duration{hop};
    if (!parse_list(take(text, ':'), resolution.accumulators, 16)) return false;
    while (!text.empty())
        if (!parse_window(take(text, ':'), resolution.accumulators.size(), resolution.windows.emplace_back()))
            return false;
    return !resolution.windows.empty();
}

template <class T>
std::optional<std::size_t> place_of(const std::vector<T>& list, const auto& wanted) {
    const auto found = std::ranges::find_if(list, wanted);
    return found == list.end() ? std::nullopt : std::optional(static_cast<std::size_t>(found - list.begin()));
}

// No column is an empty one.
void pick(const std::vector<std::string_view>& from, const std::vector<std::optional<std::size_t>>& columns,
          std::vector<std::string_view>& out) {
    out.clear();
    for (const auto column : columns) out.push_back(column ? from[*column] : std::string_view{});
}

}  // namespace

StoredLayout StoredLayout::of(const Source& source, const ViewPlan& plan) {
    StoredLayout layout;
    for (const freshet::Resolution& from : plan.resolutions()) {
        Resolution& resolution = layout.resolutions.emplace_back();
        resolution.hop = from.hop;
        for (const AccumulatorDef& def : from.accumulators)
            resolution.accumulators.push_back(name_of(def, source, plan));
        for (const WindowPlan& window : from.windows)
            resolution.windows.push_back({window.tiles, window.accumulators});
    }
    return layout;
}

std::string StoredLayout::text() const {
    std::string text;
    for (const Resolution& resolution : resolutions) {
        text += (text.empty() ? "" : "/") + std::to_string(resolution.hop.count());
        char before = ':';
        for (const std::uint64_t accumulator : resolution.accumulators) {
            text += before + in_hex(accumulator);
            before = ',';
        }
        for (const Window& window : resolution.windows) {
            text += ":" + std::to_string(window.tiles);
            before = '=';
            for (const std::size_t accumulator : window.accumulators) {
                text += before + std::to_string(accumulator);
                before = ',';
            }
        }
    }
    return text;
}

std::optional<StoredLayout> StoredLayout::parse(std::string_view text) {
    StoredLayout layout;
    std::string_view rest = text;
    while (!rest.empty())
        if (!parse_resolution(take(rest, '/'), layout.resolutions.emplace_back())) return std::nullopt;
    return layout.resolutions.empty() || layout.text() != text ? std::nullopt
                                                               : std::optional(std::move(layout));
}

std::uint32_t StoredLayout::fingerprint() const {
    std::uint32_t hash = 2166136261U;  // FNV-1a
    for (const char c : text()) hash = (hash ^ static_cast<unsigned char>(c)) * 16777619U;
    return hash == 0 ? 1 : hash;  // a zero field would not be written
}

OlderLayout::OlderLayout(StoredLayout older, const StoredLayout& current) : older_(std::move(older)) {
    for (const StoredLayout::Resolution& wanted : current.resolutions) {
        ResolutionMap& to = to_.emplace_back();
        to.from = place_of(older_.resolutions, [&](const auto& r) { return r.hop == wanted.hop; });
        if (!to.from) continue;
        const StoredLayout::Resolution& from = older_.resolutions[*to.from];
        for (const std::uint64_t accumulator : wanted.accumulators)
            to.columns.push_back(place_of(from.accumulators, [&](auto a) { return a == accumulator; }));
        for (const StoredLayout::Window& window : wanted.windows) {
            WindowMap& into = to.windows.emplace_back();
            into.from = place_of(from.windows, [&](const auto& w) { return w.tiles == window.tiles; });
            if (!into.from) continue;
            const auto& columns = from.windows[*into.from].accumulators;
            for (const std::size_t a : window.accumulators)
                into.columns.push_back(place_of(columns, [&](std::size_t c) { return to.columns[a] == c; }));
        }
    }
}

const StoredLayout::Resolution* OlderLayout::resolution(std::size_t current) const {
    return to_[current].from ? &older_.resolutions[*to_[current].from] : nullptr;
}

void OlderLayout::map(std::size_t current, std::vector<std::string_view>& columns) const {
    const std::vector<std::string_view> from = columns;
    pick(from, to_[current].columns, columns);
}

void OlderLayout::map(const HeadIndex& stored, HeadIndex& out) const {
    out.stamp = stored.stamp;
    out.partition = stored.partition;
    out.newest = stored.newest;
    out.resolutions.resize(to_.size());
    for (std::size_t r = 0; r < to_.size(); ++r) {
        const ResolutionMap& to = to_[r];
        HeadIndex::Resolution& into = out.resolutions[r];
        into.tiles.clear();
        into.columns.clear();
        into.sealed_to = kNoTile;
        if (!to.from) continue;
        const HeadIndex::Resolution& from = stored.resolutions[*to.from];
        into.tiles = from.tiles;
        if (!from.tiles.empty()) pick(from.columns, to.columns, into.columns);
        into.sealed_to = from.sealed_to;
        into.windows.resize(to.windows.size());
        if (from.sealed_to == kNoTile) continue;
        for (std::size_t w = 0; w < to.windows.size(); ++w) {
            const WindowMap& window = to.windows[w];
            HeadIndex::Window& merged = into.windows[w];
            merged.columns.clear();
            // Nothing of the window is merged, and the head does not hold all of its tiles.
            merged.span = {kNoTile, std::numeric_limits<TileNumber>::max(), 0};
            if (!window.from) continue;
            merged.span = from.windows[*window.from].span;
            if (merged.span.tiles > 0) pick(from.windows[*window.from].columns, window.columns, merged.columns);
        }
    }
}

StoredLayouts::StoredLayouts(const Source& source, const ViewPlan& plan)
    : view_id_(plan.id()), current_(StoredLayout::of(source, plan)), fingerprint_(current_.fingerprint()) {}

bool StoredLayouts::learn(std::string_view texts) {
    bool any = false;
    while (!texts.empty()) {
        auto layout = StoredLayout::parse(take(texts, ' '));
        if (!layout) continue;
        const std::uint32_t fingerprint = layout->fingerprint();
        if (fingerprint == fingerprint_ || std::ranges::count(older_, fingerprint, &Known::fingerprint) > 0)
            continue;
        older_.push_back({fingerprint, OlderLayout(*std::move(layout), current_)});
        any = true;
    }
    return any;
}

Result<const OlderLayout*> StoredLayouts::find(std::uint32_t fingerprint) const {
    const auto known = std::ranges::find(older_, fingerprint, &Known::fingerprint);
    if (known != older_.end()) return &known->layout;
    return Error{Errc::corrupt, "stored layout " + in_hex(fingerprint) + " is neither layout " +
                                    in_hex(fingerprint_) + " of view " + view_id_ +
                                    " nor one that its progress records describe"};
}

}  // namespace freshet
