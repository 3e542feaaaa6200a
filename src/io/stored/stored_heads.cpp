#include "io/stored/stored_heads.hpp"

#include <algorithm>

namespace freshet {

namespace {

constexpr char kOneRow = 1;

const MergedSpan* span_of(const HeadIndex::Resolution& head, std::size_t window) {
    return head.sealed_to == kNoTile ? nullptr : &head.windows[window].span;
}

}  // namespace

StoredHeads::StoredHeads(const ViewPlan& plan, std::uint32_t layout) : plan_(plan), layout_(layout) {
    fold_of_.resize(plan.features().size());
    for (std::size_t r = 0; r < plan.resolutions().size(); ++r) {
        const Resolution& resolution = plan.resolutions()[r];
        for (std::size_t w = 0; w < resolution.windows.size(); ++w) {
            windows_.push_back({r, w, folds_.size()});
            for (const std::size_t a : resolution.windows[w].accumulators) {
                for (std::size_t f = 0; f < plan.features().size(); ++f) {
                    const FeaturePlan& feature = plan.features()[f];
                    if (feature.resolution == r && feature.window == w && feature.accumulator == a)
                        fold_of_[f] = folds_.size();
                }
                folds_.push_back({Fold(resolution.accumulators[a].kind), a});
            }
        }
    }
}

Result<void> StoredHeads::add(std::string_view bytes) {
    if (count_ == heads_.size()) heads_.emplace_back();
    if (auto indexed = index_head(bytes, plan_, layout_, heads_[count_]); !indexed) return indexed;
    ++count_;
    return {};
}

bool StoredHeads::serves_window(const HeadIndex& head, std::size_t resolution, std::size_t window,
                                Timestamp t) const {
    const HeadIndex::Resolution& r = head.resolutions[resolution];
    const MergedSpan* merged = span_of(r, window);
    return !merged || merged->serves(tiles_at(plan_.resolutions()[resolution], window, t), r.sealed_to);
}

bool StoredHeads::serves(Timestamp t, std::span<const std::size_t> features) const {
    for (std::size_t i = 0; i < count_; ++i) {
        if (!serves_window(heads_[i], plan_.presence_resolution(), plan_.presence_window(), t)) return false;
        for (const std::size_t f : features) {
            const FeaturePlan& feature = plan_.features()[f];
            if (!serves_window(heads_[i], feature.resolution, feature.window, t)) return false;
        }
    }
    return true;
}

bool StoredHeads::present(Timestamp t) const {
    const TileRange range =
        tiles_at(plan_.resolutions()[plan_.presence_resolution()], plan_.presence_window(), t);
    for (std::size_t i = 0; i < count_; ++i) {
        const HeadIndex::Resolution& r = heads_[i].resolutions[plan_.presence_resolution()];
        const MergedSpan* merged = span_of(r, plan_.presence_window());
        if (merged && merged->tiles > 0) return true;
        if (std::any_of(r.tiles.begin(), r.tiles.end(), [&](TileNumber n) { return range.contains(n); }))
            return true;
    }
    return false;
}

void StoredHeads::want(std::span<const std::size_t> features) {
    for (WantedFold& fold : folds_) fold.wanted = false;
    for (const std::size_t f : features) {
        WantedFold& fold = folds_[fold_of_[f]];
        fold.wanted = true;
        fold.fold.restart();
    }
}

void StoredHeads::select_tiles(const HeadIndex::Resolution& head, const MergedSpan* merged, TileRange range) {
    selected_.resize(head.tiles.size());
    for (std::size_t i = 0; i < head.tiles.size(); ++i) {
        const TileNumber tile = head.tiles[i];
        selected_[i] = range.contains(tile) && !(merged && merged->covers(tile, head.sealed_to));
    }
}

bool StoredHeads::fold_window(const HeadIndex& head, const Window& window, std::size_t end, Timestamp t) {
    const HeadIndex::Resolution& r = head.resolutions[window.resolution];
    const MergedSpan* merged = span_of(r, window.window);
    select_tiles(r, merged, tiles_at(plan_.resolutions()[window.resolution], window.window, t));
    for (std::size_t f = window.first_fold; f < end; ++f) {
        WantedFold& wanted = folds_[f];
        if (!wanted.wanted) continue;
        if (!r.tiles.empty() &&
            !fold_column(r.columns[wanted.accumulator], selected_, head.base(), wanted.fold))
            return false;
        if (!merged || merged->tiles == 0) continue;
        const std::string_view column = r.windows[window.window].columns[f - window.first_fold];
        if (!fold_column(column, {&kOneRow, 1}, head.base(), wanted.fold)) return false;
    }
    return true;
}

Result<const FeatureAnswer*> StoredHeads::read(Timestamp t, std::span<const std::size_t> features) {
    answer_.newest = {};
    for (std::size_t i = 0; i < count_; ++i)
        answer_.newest = i == 0 ? heads_[i].newest : std::max(answer_.newest, heads_[i].newest);
    answer_.missing = !present(t);
    answer_.values.clear();
    if (answer_.missing) {
        answer_.values.resize(features.size());
        return &answer_;
    }
    want(features);
    for (std::size_t i = 0; i < count_; ++i) {
        for (std::size_t w = 0; w < windows_.size(); ++w) {
            const std::size_t end = w + 1 < windows_.size() ? windows_[w + 1].first_fold : folds_.size();
            if (fold_window(heads_[i], windows_[w], end, t)) continue;
            corrupt_ = i;
            return undecodable(plan_.resolutions()[windows_[w].resolution]);
        }
    }
    for (const std::size_t f : features) {
        const FeaturePlan& feature = plan_.features()[f];
        answer_.values.push_back(finish(feature.function, feature.q, folds_[fold_of_[f]].fold.state()));
    }
    return &answer_;
}

}  // namespace freshet
