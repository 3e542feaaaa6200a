#include "io/stored/stored_heads.hpp"

#include <algorithm>

namespace freshet {

namespace {

constexpr char kOneRow = 1;

const MergedSpan* span_of(const HeadIndex::Resolution& head, std::size_t window) {
    return head.sealed_to == kNoTile ? nullptr : &head.windows[window].span;
}

}  // namespace

StoredHeads::StoredHeads(const ViewPlan& plan, const StoredLayouts& layouts) : plan_(plan), layouts_(layouts) {
    fold_of_.resize(plan.features().size());
    for (std::size_t r = 0; r < plan.resolutions().size(); ++r) {
        const Resolution& resolution = plan.resolutions()[r];
        for (std::size_t w = 0; w < resolution.windows.size(); ++w) {
            if (r == plan.presence_resolution() && w == plan.presence_window()) presence_ = windows_.size();
            Window& window = windows_.emplace_back(Window{r, w, {}});
            for (const std::size_t a : resolution.windows[w].accumulators) {
                for (std::size_t f = 0; f < plan.features().size(); ++f) {
                    const FeaturePlan& feature = plan.features()[f];
                    if (feature.resolution == r && feature.window == w && feature.accumulator == a)
                        fold_of_[f] = {windows_.size() - 1, window.folds.size()};
                }
                window.folds.push_back({Fold(resolution.accumulators[a].kind), a});
            }
        }
    }
}

Result<void> StoredHeads::add(std::string_view bytes) {
    if (count_ == heads_.size()) heads_.emplace_back();
    if (auto indexed = index_head(bytes, layouts_, heads_[count_]); !indexed) return indexed;
    ++count_;
    return {};
}

void StoredHeads::want(Timestamp t, std::span<const std::size_t> features) {
    at_ = t;
    for (Window& window : windows_) {
        window.wanted = false;
        window.range = tiles_at(plan_.resolutions()[window.resolution], window.window, t);
        for (WindowFold& fold : window.folds) fold.wanted = false;
    }
    for (const std::size_t f : features) {
        Window& window = windows_[fold_of_[f].window];
        WindowFold& fold = window.folds[fold_of_[f].fold];
        window.wanted = fold.wanted = true;
        fold.fold.restart();
    }
}

bool StoredHeads::serves(Timestamp t, std::span<const std::size_t> features) {
    want(t, features);
    for (std::size_t i = 0; i < count_; ++i) {
        for (std::size_t w = 0; w < windows_.size(); ++w) {
            const Window& window = windows_[w];
            if (!window.wanted && w != presence_) continue;
            const HeadIndex::Resolution& r = heads_[i].resolutions[window.resolution];
            const MergedSpan* merged = span_of(r, window.window);
            if (merged && !merged->serves(window.range, r.sealed_to)) return false;
        }
    }
    return true;
}

// As FeatureReader decides it.
bool StoredHeads::present() const {
    const Window& longest = windows_[presence_];
    const Duration hop = plan_.resolutions()[longest.resolution].hop;
    for (std::size_t i = 0; i < count_; ++i) {
        const TileNumber newest = tile_of(heads_[i].newest, hop);
        if (longest.range.contains(newest)) return true;
        if (newest > longest.range.last && holds_present(heads_[i])) return true;
    }
    return false;
}

bool StoredHeads::holds_present(const HeadIndex& head) const {
    for (std::size_t r = 0; r < head.resolutions.size(); ++r) {
        const TileRange range = tiles_of_presence(plan_, plan_.resolutions()[r].hop, at_);
        const HeadIndex::Resolution& resolution = head.resolutions[r];
        for (const TileNumber tile : resolution.tiles)
            if (range.contains(tile)) return true;
        if (resolution.sealed_to == kNoTile) continue;
        for (const auto& [span, columns] : resolution.windows)
            if (span.tiles > 0 && range.first <= span.from && resolution.sealed_to <= range.last) return true;
    }
    return false;
}

void StoredHeads::select_tiles(const HeadIndex::Resolution& head, const MergedSpan* merged, TileRange range) {
    selected_.resize(head.tiles.size());
    for (std::size_t i = 0; i < head.tiles.size(); ++i) {
        const TileNumber tile = head.tiles[i];
        selected_[i] = range.contains(tile) && !(merged && merged->covers(tile, head.sealed_to));
    }
}

bool StoredHeads::fold(const HeadIndex& head, Window& window) {
    const HeadIndex::Resolution& r = head.resolutions[window.resolution];
    const MergedSpan* merged = span_of(r, window.window);
    select_tiles(r, merged, window.range);
    for (std::size_t f = 0; f < window.folds.size(); ++f) {
        WindowFold& one = window.folds[f];
        if (!one.wanted) continue;
        if (!r.tiles.empty() && !one.fold.add(r.columns[one.accumulator], selected_, head.base())) return false;
        if (!merged || merged->tiles == 0) continue;
        if (!one.fold.add(r.windows[window.window].columns[f], {&kOneRow, 1}, head.base())) return false;
    }
    return true;
}

Result<const FeatureAnswer*> StoredHeads::read(std::span<const std::size_t> features) {
    answer_.newest = {};
    for (std::size_t i = 0; i < count_; ++i)
        answer_.newest = i == 0 ? heads_[i].newest : std::max(answer_.newest, heads_[i].newest);
    answer_.missing = !present();
    answer_.values.clear();
    if (answer_.missing) {
        answer_.values.resize(features.size());
        return &answer_;
    }
    for (std::size_t i = 0; i < count_; ++i) {
        for (Window& window : windows_) {
            if (!window.wanted || fold(heads_[i], window)) continue;
            corrupt_ = i;
            return undecodable(plan_.resolutions()[window.resolution].hop);
        }
    }
    for (const std::size_t f : features) {
        const FeaturePlan& feature = plan_.features()[f];
        Fold& fold = windows_[fold_of_[f].window].folds[fold_of_[f].fold].fold;
        answer_.values.push_back(fold.finish(feature.function, feature.q));
    }
    return &answer_;
}

}  // namespace freshet
