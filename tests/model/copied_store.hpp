// Stands in for Redis without an encoding: keeps copies of what a flush hands out.
#pragma once

#include <map>
#include <vector>

#include "model/entity_windows.hpp"

namespace freshet::testing {

inline std::vector<AccumulatorState> copy_of(const std::vector<AccumulatorState>& states) {
    std::vector<AccumulatorState> out;
    for (const AccumulatorState& state : states) out.push_back(clone(state));
    return out;
}
inline Tile copy_of(const Tile& tile) { return {tile.number, copy_of(tile.states)}; }
inline Merged copy_of(const Merged& m) { return {{m.from, m.complete_from, m.tiles}, copy_of(m.states)}; }
inline ResolutionHead copy_of(const ResolutionHead& r);
template <class T>
std::vector<T> copy_of(const std::vector<T>& list) {
    std::vector<T> out;
    for (const T& element : list) out.push_back(copy_of(element));
    return out;
}
inline ResolutionHead copy_of(const ResolutionHead& r) {
    return {copy_of(r.tiles), r.sealed_to, copy_of(r.merged), r.stored_to};
}
inline Head copy_of(const Head& head) {
    return {head.stamp, head.partition, head.newest, copy_of(head.resolutions)};
}
inline Chunk copy_of(const Chunk& chunk) { return {chunk.resolution, chunk.number, copy_of(chunk.tiles)}; }
inline Head copy_of(const ViewPlan& plan, const HeadView& view) {
    Head head{view.stamp, view.partition, view.newest, {}};
    for (std::size_t i = 0; i < view.resolutions.size(); ++i) {
        const Resolution& resolution = plan.resolutions()[i];
        const HeadView::Resolution& r = view.resolutions[i];
        ResolutionHead& out = head.resolutions.emplace_back();
        for (const ConstRow row : r.tiles) out.tiles.push_back(unpack(resolution.rows, row));
        out.sealed_to = r.sealed_to;
        for (std::size_t w = 0; w < r.merged.size(); ++w) {
            const HeadView::Merge& m = r.merged[w];
            Merged& merged = out.merged.emplace_back(Merged{{m.from, m.complete_from, m.tiles}, {}});
            if (m.tiles == 0) continue;
            Tile all = unpack(resolution.rows, m.row);
            for (const std::size_t a : resolution.windows[w].accumulators)
                merged.states.push_back(std::move(all.states[a]));
        }
    }
    return head;
}

class CopiedStore {
public:
    CopiedStore(const Source&, const ViewPlan& plan) : plan_(&plan) {}

    void save(const EntityWindows& windows, const HeadView& head,
              const std::vector<EntityWindows::ChunkId>& changed) {
        head_ = copy_of(*plan_, head);
        for (const auto& id : changed) {
            chunks_.erase(id);
            Chunk chunk{id.resolution, id.number, {}};
            for (const ConstRow row : windows.sealed_tiles(id))
                chunk.tiles.push_back(unpack(plan_->resolutions()[id.resolution].rows, row));
            if (!chunk.tiles.empty()) chunks_.emplace(id, std::move(chunk));
        }
    }
    Head head() const { return copy_of(head_); }
    std::vector<Chunk> chunks() const {
        std::vector<Chunk> out;
        for (const auto& [id, chunk] : chunks_) out.push_back(copy_of(chunk));
        return out;
    }

private:
    const ViewPlan* plan_;
    Head head_;
    std::map<EntityWindows::ChunkId, Chunk> chunks_;
};

}  // namespace freshet::testing
