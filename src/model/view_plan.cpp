#include "model/view_plan.hpp"

#include <algorithm>
#include <tuple>

namespace freshet {

namespace {

AccumulatorKind kind_of(Function function, FieldType type) {
    const bool is_int = type == FieldType::int64;
    switch (function) {
        case Function::count:
            return AccumulatorKind::count;
        case Function::sum:
        case Function::mean:
            return is_int ? AccumulatorKind::sum_int : AccumulatorKind::sum_float;
        case Function::min:
            return is_int ? AccumulatorKind::min_int : AccumulatorKind::min_float;
        case Function::max:
            return is_int ? AccumulatorKind::max_int : AccumulatorKind::max_float;
        case Function::variance:
        case Function::stddev:
            return AccumulatorKind::moments;
        case Function::first:
            return AccumulatorKind::first;
        case Function::last:
            return AccumulatorKind::last;
        case Function::count_distinct:
            return AccumulatorKind::distinct;
        case Function::quantile:
            return AccumulatorKind::quantile;
    }
    return AccumulatorKind::count;
}

template <class T>
std::size_t index_of_or_add(std::vector<T>& list, const T& wanted) {
    const auto found = std::find(list.begin(), list.end(), wanted);
    if (found != list.end()) return static_cast<std::size_t>(found - list.begin());
    list.push_back(wanted);
    return list.size() - 1;
}

}  // namespace

TileNumber Resolution::oldest_kept(Timestamp clock) const {
    if (windows.back().tiles == kLifetimeTiles) return std::numeric_limits<TileNumber>::min();
    return tile_of(clock - kept, hop);
}

ViewPlan::ViewPlan(const Source& source, View view)
    : view_(std::move(view)), id_(view_.id()), fingerprint_(freshet::fingerprint(source, view_)) {
    for (const Feature& feature : view_.features) add_feature(source, feature);
    sort_windows();
    for (Resolution& resolution : resolutions_) {
        resolution.rows = RowLayout(resolution.accumulators);
        const TileNumber tiles = resolution.windows.back().tiles;
        resolution.kept = view_.retain + source.max_future;
        if (tiles != kLifetimeTiles) resolution.kept += tiles * resolution.hop;
    }
    const auto length = [](const Resolution& r) { return r.windows.back().tiles * r.hop; };
    for (std::size_t i = 1; i < resolutions_.size(); ++i) {
        const Resolution& best = resolutions_[presence_resolution_];
        const Resolution& other = resolutions_[i];
        if (std::tuple(length(other), best.hop) > std::tuple(length(best), other.hop)) presence_resolution_ = i;
    }
}

std::size_t ViewPlan::resolution_for(Duration hop) {
    for (std::size_t i = 0; i < resolutions_.size(); ++i)
        if (resolutions_[i].hop == hop) return i;
    resolutions_.push_back({hop, {}, {}, {}, {}});
    return resolutions_.size() - 1;
}

std::size_t ViewPlan::accumulator_for(Resolution& resolution, const Source& source, const Feature& feature) {
    AccumulatorDef def{AccumulatorKind::count, feature.field, std::nullopt};
    if (feature.field) def.kind = kind_of(feature.function, source.fields[*feature.field].type);
    if (feature.where) {
        const auto same = [&](const Expression& e) { return e.text() == feature.where->text(); };
        const auto found = std::find_if(filters_.begin(), filters_.end(), same);
        def.filter = static_cast<std::size_t>(found - filters_.begin());
        if (found == filters_.end()) filters_.push_back(*feature.where);
    }
    return index_of_or_add(resolution.accumulators, def);
}

void ViewPlan::add_feature(const Source& source, const Feature& feature) {
    const std::size_t index = resolution_for(feature.hop);
    Resolution& resolution = resolutions_[index];
    const std::size_t accumulator = accumulator_for(resolution, source, feature);
    const TileNumber tiles = feature.window ? *feature.window / feature.hop : kLifetimeTiles;
    auto window = std::find_if(resolution.windows.begin(), resolution.windows.end(),
                               [&](const WindowPlan& w) { return w.tiles == tiles; });
    if (window == resolution.windows.end()) window = resolution.windows.insert(window, {tiles, {}});
    index_of_or_add(window->accumulators, accumulator);
    const auto window_index = static_cast<std::size_t>(window - resolution.windows.begin());
    features_.push_back({feature.name, freshet::fingerprint(source, feature), feature.function, feature.q,
                         index, window_index, accumulator});
}

void ViewPlan::sort_windows() {
    for (std::size_t r = 0; r < resolutions_.size(); ++r) {
        auto& windows = resolutions_[r].windows;
        const auto before = windows;
        std::sort(windows.begin(), windows.end(),
                  [](const auto& a, const auto& b) { return a.tiles < b.tiles; });
        for (FeaturePlan& feature : features_) {
            if (feature.resolution != r) continue;
            const TileNumber tiles = before[feature.window].tiles;
            const auto same = [&](const WindowPlan& w) { return w.tiles == tiles; };
            feature.window =
                static_cast<std::size_t>(std::find_if(windows.begin(), windows.end(), same) - windows.begin());
        }
    }
}

Duration ViewPlan::longest_kept() const {
    Duration longest{};
    for (const Resolution& r : resolutions_) longest = std::max(longest, r.kept + r.hop);
    return longest;
}

bool ViewPlan::keeps_forever() const {
    return std::any_of(resolutions_.begin(), resolutions_.end(),
                       [](const Resolution& r) { return r.windows.back().tiles == kLifetimeTiles; });
}

std::optional<std::size_t> ViewPlan::find_feature(std::string_view name) const {
    for (std::size_t i = 0; i < features_.size(); ++i)
        if (features_[i].name == name) return i;
    return std::nullopt;
}

}  // namespace freshet
