#include "io/stored/stored_heads.hpp"

#include <algorithm>
#include <tuple>

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

void StoredHeads::clear() {
    count_ = 0;
    clear_sealed();
}

void StoredHeads::clear_sealed() {
    sealed_count_ = sealed_seen_ = 0;
    unfolded_ = false;
}

Result<void> StoredHeads::add(std::string_view bytes) {
    if (count_ == heads_.size()) heads_.emplace_back();
    if (auto indexed = index_head(bytes, layouts_, heads_[count_]); !indexed) return indexed;
    ++count_;
    return {};
}

std::optional<std::size_t> StoredHeads::head_of(const HeadField& field) const {
    for (std::size_t i = 0; i < count_; ++i)
        if (heads_[i].partition == field.partition && heads_[i].stamp.generation == field.generation) return i;
    return std::nullopt;
}

Result<void> StoredHeads::add_sealed(const SealedField& field, std::string_view bytes) {
    const std::size_t place = sealed_seen_++;
    const auto head = head_of(field.head);
    if (!head) return {};
    const auto& resolutions = plan_.resolutions();
    const auto resolution = std::ranges::find(resolutions, field.hop, &Resolution::hop);
    if (resolution == resolutions.end()) return {};  // of features that are gone
    const auto r = static_cast<std::size_t>(resolution - resolutions.begin());
    if (heads_[*head].resolutions[r].sealed_to == kNoTile) return {};
    if (sealed_count_ == sealed_.size()) sealed_.emplace_back();
    Sealed& sealed = sealed_[sealed_count_];
    sealed.head = *head;
    sealed.place = place;
    sealed.chunk.resolution = r;
    sealed.chunk.number = field.chunk;
    if (auto indexed = index_chunk(bytes, layouts_, field.head.partition, sealed.chunk); !indexed)
        return indexed;
    ++sealed_count_;
    return {};
}

void StoredHeads::unfold() {
    unfolded_ = true;
    const auto order = [](const Sealed& s) { return std::tuple(s.head, s.chunk.resolution, s.chunk.number); };
    std::ranges::sort(std::span(sealed_).first(sealed_count_), {}, order);
}

std::span<const StoredHeads::Sealed> StoredHeads::sealed_of(std::size_t head) const {
    const auto begin = sealed_.begin();
    const auto end = begin + static_cast<std::ptrdiff_t>(sealed_count_);
    const auto before = [](const Sealed& sealed, std::size_t than) { return sealed.head < than; };
    const auto first = std::lower_bound(begin, end, head, before);
    return {first, std::lower_bound(first, end, head + 1, before)};
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
    if (unfolded_) return true;
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
        if (newest > longest.range.last && holds_present(i)) return true;
    }
    return false;
}

bool StoredHeads::holds_present(std::size_t head) const {
    const auto& resolutions = heads_[head].resolutions;
    const auto range_of = [&](std::size_t r) {
        return tiles_of_presence(plan_, plan_.resolutions()[r].hop, at_);
    };
    for (std::size_t r = 0; r < resolutions.size(); ++r) {
        const TileRange range = range_of(r);
        const HeadIndex::Resolution& resolution = resolutions[r];
        for (const TileNumber tile : resolution.tiles)
            if (range.contains(tile)) return true;
        if (resolution.sealed_to == kNoTile || unfolded_) continue;
        for (const auto& [span, columns] : resolution.windows)
            if (span.tiles > 0 && range.first <= span.from && resolution.sealed_to <= range.last) return true;
    }
    for (const Sealed& sealed : sealed_of(head)) {
        const TileRange range = range_of(sealed.chunk.resolution);
        const TileNumber last = std::min(range.last, resolutions[sealed.chunk.resolution].sealed_to);
        for (const TileNumber tile : sealed.chunk.tiles)
            if (range.first <= tile && tile <= last) return true;
    }
    return false;
}

// Whether there is one.
bool StoredHeads::select_tiles(std::span<const TileNumber> tiles, const auto& wanted) {
    selected_.resize(tiles.size());
    bool any = false;
    for (std::size_t i = 0; i < tiles.size(); ++i) any |= selected_[i] = wanted(tiles[i]);
    return any;
}

bool StoredHeads::fold_selected(Window& window, std::span<const std::string_view> columns,
                                const ColumnBase& base) {
    for (WindowFold& one : window.folds)
        if (one.wanted && !one.fold.add(columns[one.accumulator], selected_, base)) return false;
    return true;
}

bool StoredHeads::fold(std::size_t head, Window& window) {
    const bool from_sealed = unfolded_ && heads_[head].resolutions[window.resolution].sealed_to != kNoTile;
    return from_sealed ? fold_unfolded(head, window) : fold_head(head, window);
}

bool StoredHeads::fold_head(std::size_t head, Window& window) {
    const HeadIndex::Resolution& r = heads_[head].resolutions[window.resolution];
    const ColumnBase base = heads_[head].base();
    const MergedSpan* merged = span_of(r, window.window);
    const auto apart = [&](TileNumber tile) {
        return window.range.contains(tile) && !(merged && merged->covers(tile, r.sealed_to));
    };
    corrupt_ = {false, head};
    select_tiles(r.tiles, apart);
    for (std::size_t f = 0; f < window.folds.size(); ++f) {
        WindowFold& one = window.folds[f];
        if (!one.wanted) continue;
        if (!r.tiles.empty() && !one.fold.add(r.columns[one.accumulator], selected_, base)) return false;
        if (!merged || merged->tiles == 0) continue;
        if (!one.fold.add(r.windows[window.window].columns[f], {&kOneRow, 1}, base)) return false;
    }
    return true;
}

// Sealed tiles come from chunks, the open ones from the head; merges of sealed ones are not looked at.
bool StoredHeads::fold_unfolded(std::size_t head, Window& window) {
    const HeadIndex::Resolution& r = heads_[head].resolutions[window.resolution];
    const auto is_sealed = [&](TileNumber tile) { return tile <= r.sealed_to; };
    for (const Sealed& sealed : sealed_of(head)) {
        if (sealed.chunk.resolution != window.resolution) continue;
        const auto wanted = [&](TileNumber tile) { return window.range.contains(tile) && is_sealed(tile); };
        if (!select_tiles(sealed.chunk.tiles, wanted)) continue;
        corrupt_ = {true, sealed.place};
        if (!fold_selected(window, sealed.chunk.columns, sealed.chunk.base)) return false;
    }
    const auto open = [&](TileNumber tile) { return window.range.contains(tile) && !is_sealed(tile); };
    if (!select_tiles(r.tiles, open)) return true;
    corrupt_ = {false, head};
    return fold_selected(window, r.columns, heads_[head].base());
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
            if (!window.wanted || fold(i, window)) continue;
            if (corrupt_.sealed) return undecodable_chunk();
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
