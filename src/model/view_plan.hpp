// A view made ready for the hot path: features grouped by hop, equal accumulators shared.
#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "model/accumulator.hpp"
#include "model/definition.hpp"
#include "model/tile_rows.hpp"

namespace freshet {

constexpr TileNumber tile_of(Timestamp time, Duration hop) {
    const std::int64_t t = unix_ms(time);
    const std::int64_t h = hop.count();
    return t / h - (t % h < 0 ? 1 : 0);
}

// `accumulators` are those that some feature reads over this window.
struct WindowPlan {
    TileNumber tiles;  // window / hop; kLifetimeTiles for lifetime
    std::vector<std::size_t> accumulators;
};
constexpr TileNumber kLifetimeTiles = TileNumber{1} << 30;

// All features of one hop.
struct Resolution {
    Duration hop;
    std::vector<AccumulatorDef> accumulators;
    std::vector<WindowPlan> windows;  // ascending
    Duration kept;                    // how far behind the partition's clock a tile is kept
    RowLayout rows;                   // of a tile's states in memory

    // The oldest tile kept when the partition's clock is `clock`.
    TileNumber oldest_kept(Timestamp clock) const;
};

struct FeaturePlan {
    std::string name;
    std::uint64_t fingerprint;
    Function function;
    double q;
    std::size_t resolution;   // index into ViewPlan::resolutions
    std::size_t window;       // index into Resolution::windows
    std::size_t accumulator;  // index into Resolution::accumulators
};

class ViewPlan {
public:
    ViewPlan(const Source& source, View view);

    const View& view() const { return view_; }
    const std::string& id() const { return id_; }                        // name@version
    std::uint64_t fingerprint() const { return fingerprint_; }           // but for the features
    const std::vector<Expression>& filters() const { return filters_; }  // of features
    const std::vector<Resolution>& resolutions() const { return resolutions_; }
    const std::vector<FeaturePlan>& features() const { return features_; }
    // The longest window decides whether an entity is missing.
    std::size_t presence_resolution() const { return presence_resolution_; }
    std::size_t presence_window() const { return resolutions_[presence_resolution_].windows.size() - 1; }
    // How long after its newest event a key may be needed by a read; meaningless where it is kept for ever.
    Duration longest_kept() const;
    bool keeps_forever() const;  // a lifetime window

    std::optional<std::size_t> find_feature(std::string_view name) const;

private:
    std::size_t resolution_for(Duration hop);
    std::size_t accumulator_for(Resolution& resolution, const Source& source, const Feature& feature);
    void add_feature(const Source& source, const Feature& feature);
    void sort_windows();

    View view_;
    std::string id_;
    std::uint64_t fingerprint_;
    std::vector<Expression> filters_;
    std::vector<Resolution> resolutions_;
    std::vector<FeaturePlan> features_;
    std::size_t presence_resolution_ = 0;
};

}  // namespace freshet
