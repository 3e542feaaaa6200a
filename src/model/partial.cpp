#include "model/partial.hpp"

#include <algorithm>
#include <utility>

namespace freshet {

namespace {

const Merged* merged_of(const ResolutionHead& head, std::size_t window) {
    return head.merged.empty() ? nullptr : &head.merged[window];
}

// The merge of states of one kind. One alone, which is the common case, is neither copied nor merged.
class Merging {
public:
    explicit Merging(AccumulatorKind kind) : kind_(kind) {}

    void add(const AccumulatorState& state) {
        if (!only_) {
            only_ = &state;
            return;
        }
        if (only_ != &merged_) {
            merged_ = clone(*only_);
            only_ = &merged_;
        }
        merge(kind_, merged_, state);
    }
    FeatureValue finish(Function function, double q) {
        if (!only_) merged_ = make_state(kind_);
        return freshet::finish(function, q, only_ ? *only_ : merged_);
    }

private:
    AccumulatorKind kind_;
    const AccumulatorState* only_ = nullptr;  // or &merged_
    AccumulatorState merged_;
};

}  // namespace

TileRange tiles_of_presence(const ViewPlan& plan, Duration hop, Timestamp t) {
    const Resolution& longest = plan.resolutions()[plan.presence_resolution()];
    const TileRange range = tiles_at(longest, plan.presence_window(), t);
    const Timestamp begin{range.first * longest.hop};
    const Timestamp end{(range.last + 1) * longest.hop};
    return {tile_of(begin - Duration{1}, hop) + 1, tile_of(end, hop) - 1};
}

void unfold(Head& head, std::vector<Chunk> chunks) {
    for (ResolutionHead& r : head.resolutions) {
        if (r.sealed_to == kNoTile) continue;
        std::erase_if(r.tiles, [&](const Tile& tile) { return tile.number <= r.sealed_to; });
    }
    for (Chunk& chunk : chunks) {
        ResolutionHead& r = head.resolutions[chunk.resolution];
        if (r.sealed_to == kNoTile) continue;
        for (Tile& tile : chunk.tiles)
            if (tile.number <= r.sealed_to) r.tiles.push_back(std::move(tile));
    }
    for (ResolutionHead& r : head.resolutions) {
        std::sort(r.tiles.begin(), r.tiles.end(),
                  [](const Tile& a, const Tile& b) { return a.number < b.number; });
        r.stored_to = std::exchange(r.sealed_to, kNoTile);
        r.merged.clear();
    }
}

FeatureReader::FeatureReader(const ViewPlan& plan) : plan_(plan) {}

bool FeatureReader::serves_window(const ResolutionHead& head, std::size_t resolution, std::size_t window,
                                  Timestamp t) const {
    const Merged* merged = merged_of(head, window);
    return !merged || merged->serves(tiles_at(plan_.resolutions()[resolution], window, t), head.sealed_to);
}

bool FeatureReader::serves(std::span<const Head* const> heads, Timestamp t,
                           std::span<const std::size_t> features) const {
    for (const Head* head : heads) {
        const std::size_t presence = plan_.presence_resolution();
        if (!serves_window(head->resolutions[presence], presence, plan_.presence_window(), t)) return false;
        for (const std::size_t f : features) {
            const FeaturePlan& feature = plan_.features()[f];
            if (!serves_window(head->resolutions[feature.resolution], feature.resolution, feature.window, t))
                return false;
        }
    }
    return true;
}

// The newest event tells, unless it lies after the window.
bool FeatureReader::present(std::span<const Head* const> heads, Timestamp t) const {
    const Duration hop = plan_.resolutions()[plan_.presence_resolution()].hop;
    const TileRange range = tiles_of_presence(plan_, hop, t);
    return std::ranges::any_of(heads, [&](const Head* head) {
        const TileNumber newest = tile_of(head->newest, hop);
        return range.contains(newest) || (newest > range.last && holds_present(*head, t));
    });
}

bool FeatureReader::holds_present(const Head& head, Timestamp t) const {
    for (std::size_t r = 0; r < head.resolutions.size(); ++r) {
        const TileRange range = tiles_of_presence(plan_, plan_.resolutions()[r].hop, t);
        const ResolutionHead& resolution = head.resolutions[r];
        for (const Tile& tile : resolution.tiles)
            if (range.contains(tile.number)) return true;
        for (const Merged& merged : resolution.merged)
            if (merged.tiles > 0 && range.first <= merged.from && resolution.sealed_to <= range.last)
                return true;
    }
    return false;
}

FeatureValue FeatureReader::read_feature(std::span<const Head* const> heads, Timestamp t,
                                         const FeaturePlan& feature) const {
    const Resolution& resolution = plan_.resolutions()[feature.resolution];
    const AccumulatorKind kind = resolution.accumulators[feature.accumulator].kind;
    const TileRange range = tiles_at(resolution, feature.window, t);
    const auto& in_window = resolution.windows[feature.window].accumulators;
    const auto slot = static_cast<std::size_t>(
        std::find(in_window.begin(), in_window.end(), feature.accumulator) - in_window.begin());

    Merging values(kind);
    for (const Head* head : heads) {
        const ResolutionHead& r = head->resolutions[feature.resolution];
        const Merged* merged = merged_of(r, feature.window);
        for (const Tile& tile : r.tiles) {
            if (range.contains(tile.number) && !(merged && merged->covers(tile.number, r.sealed_to)))
                values.add(tile.states[feature.accumulator]);
        }
        if (merged && merged->tiles > 0) values.add(merged->states[slot]);
    }
    return values.finish(feature.function, feature.q);
}

const FeatureAnswer& FeatureReader::read(std::span<const Head* const> heads, Timestamp t,
                                         std::span<const std::size_t> features) {
    answer_.newest = {};
    for (std::size_t i = 0; i < heads.size(); ++i)
        answer_.newest = i == 0 ? heads[i]->newest : std::max(answer_.newest, heads[i]->newest);
    answer_.missing = !present(heads, t);
    answer_.values.clear();
    for (const std::size_t f : features) {
        if (answer_.missing) {
            answer_.values.emplace_back();
        } else {
            answer_.values.push_back(read_feature(heads, t, plan_.features()[f]));
        }
    }
    return answer_;
}

}  // namespace freshet
