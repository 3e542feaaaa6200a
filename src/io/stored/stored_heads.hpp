// Features straight from the stored heads of one entity: only the columns that are asked for are decoded, and
// tiles become one state without being made. For what a head does not serve there is FeatureReader.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "io/stored/column_decoder.hpp"
#include "io/stored/head_index.hpp"
#include "model/partial.hpp"

namespace freshet {

// Reuses its memory from entity to entity; one per thread and view. `plan` outlives it.
class StoredHeads {
public:
    // `layouts` outlives it, too.
    StoredHeads(const ViewPlan& plan, const StoredLayouts& layouts);

    // The next entity.
    void clear() { count_ = 0; }
    // `bytes` must stay as they are until clear(). A head that fails is not added.
    Result<void> add(std::string_view bytes);
    std::size_t size() const { return count_; }
    const HeadIndex& operator[](std::size_t i) const { return heads_[i]; }

    // As FeatureReader::serves.
    bool serves(Timestamp t, std::span<const std::size_t> features);

    // Requires that serves() said yes to the same just before. Equal to what FeatureReader answers from the
    // decoded heads. The answer is valid until the next call.
    Result<const FeatureAnswer*> read(std::span<const std::size_t> features);
    // After a failed read(): which head it was.
    std::size_t corrupt() const { return corrupt_; }

private:
    struct WindowFold {
        Fold fold;
        std::size_t accumulator;  // index into Resolution::accumulators
        bool wanted = false;
    };
    struct Window {
        std::size_t resolution;
        std::size_t window;
        std::vector<WindowFold> folds;  // in the order of WindowPlan::accumulators
        TileRange range{};
        bool wanted = false;  // some fold is
    };
    struct FoldOf {
        std::size_t window;
        std::size_t fold;
    };

    void want(Timestamp t, std::span<const std::size_t> features);
    bool present() const;
    bool holds_present(const HeadIndex& head) const;
    bool fold(const HeadIndex& head, Window& window);
    void select_tiles(const HeadIndex::Resolution& head, const MergedSpan* merged, TileRange range);

    const ViewPlan& plan_;
    const StoredLayouts& layouts_;
    std::vector<HeadIndex> heads_;
    std::size_t count_ = 0;
    std::size_t corrupt_ = 0;
    Timestamp at_{};  // of the last want()
    std::vector<Window> windows_;
    std::size_t presence_;         // index into windows_
    std::vector<FoldOf> fold_of_;  // by feature
    std::vector<char> selected_;
    FeatureAnswer answer_;
};

}  // namespace freshet
