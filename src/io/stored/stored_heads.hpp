// Features straight from the stored heads of one entity, and from its sealed tiles where the heads do not
// serve: only the columns that are asked for are decoded, and tiles become one state without being made.
#pragma once

#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "io/stored/chunk_index.hpp"
#include "io/stored/column_decoder.hpp"
#include "io/stored/head_index.hpp"
#include "io/stored/stored_fields.hpp"
#include "model/partial.hpp"

namespace freshet {

// Reuses its memory from entity to entity; one per thread and view. `plan` outlives it.
class StoredHeads {
public:
    // `layouts` outlives it, too.
    StoredHeads(const ViewPlan& plan, const StoredLayouts& layouts);

    // The next entity.
    void clear();
    // `bytes` must stay as they are until clear(), here and below. A head that fails is not added.
    Result<void> add(std::string_view bytes);
    std::size_t size() const { return count_; }
    const HeadIndex& operator[](std::size_t i) const { return heads_[i]; }

    // After the heads, a chunk that was read in one step with them. What belongs to none of them, or to no hop
    // of the view, or is a left over, is passed over.
    Result<void> add_sealed(const SealedField& field, std::string_view bytes);
    // No chunk is to come: the heads serve at all times.
    void unfold();
    // As before the first add_sealed().
    void clear_sealed();

    // As FeatureReader::serves.
    bool serves(Timestamp t, std::span<const std::size_t> features);

    // Requires that serves() said yes to the same just before. Equal to what FeatureReader answers from the
    // decoded heads, unfolded if these were. The answer is valid until the next call.
    Result<const FeatureAnswer*> read(std::span<const std::size_t> features);
    // After a failed read(): which value it was, in the order of add() or add_sealed().
    struct Corrupt {
        bool sealed = false;
        std::size_t index = 0;
    };
    Corrupt corrupt() const { return corrupt_; }

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

    struct Sealed {
        std::size_t head = 0;
        std::size_t place = 0;  // in the order of add_sealed()
        ChunkIndex chunk;
    };

    std::optional<std::size_t> head_of(const HeadField& field) const;
    std::span<const Sealed> sealed_of(std::size_t head) const;
    void want(Timestamp t, std::span<const std::size_t> features);
    bool present() const;
    bool holds_present(std::size_t head) const;
    bool fold(std::size_t head, Window& window);
    bool fold_head(std::size_t head, Window& window);
    bool fold_unfolded(std::size_t head, Window& window);
    bool fold_selected(Window& window, std::span<const std::string_view> columns, const ColumnBase& base);
    bool select_tiles(std::span<const TileNumber> tiles, const auto& wanted);

    const ViewPlan& plan_;
    const StoredLayouts& layouts_;
    std::vector<HeadIndex> heads_;
    std::size_t count_ = 0;
    std::vector<Sealed> sealed_;  // the first sealed_count_, by head, resolution and number once unfolded
    std::size_t sealed_count_ = 0;
    std::size_t sealed_seen_ = 0;
    bool unfolded_ = false;
    Corrupt corrupt_;
    Timestamp at_{};  // of the last want()
    std::vector<Window> windows_;
    std::size_t presence_;         // index into windows_
    std::vector<FoldOf> fold_of_;  // by feature
    std::vector<char> selected_;
    FeatureAnswer answer_;
};

}  // namespace freshet
