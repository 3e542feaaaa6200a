// What the columns of stored heads and chunks mean. A view whose features change goes on beside values of its
// former layouts: each layout is described in the progress record, and its columns are put where they belong
// now.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/result.hpp"
#include "model/view_plan.hpp"

namespace freshet {

struct HeadIndex;

// Accumulators are named by a hash of their kind, field and `where`. Names of features, the order of a source's
// fields and freshness are not part of a layout.
struct StoredLayout {
    struct Window {
        TileNumber tiles;
        std::vector<std::size_t> accumulators;  // indices into Resolution::accumulators

        friend bool operator==(const Window&, const Window&) = default;
    };
    struct Resolution {
        Duration hop;
        std::vector<std::uint64_t> accumulators;
        std::vector<Window> windows;

        friend bool operator==(const Resolution&, const Resolution&) = default;
    };
    std::vector<Resolution> resolutions;

    static StoredLayout of(const Source& source, const ViewPlan& plan);

    // Without blanks: <hop in ms>:<accumulator>,...:<tiles>=<index>,... for each window; resolutions joined by
    // "/".
    std::string text() const;
    static std::optional<StoredLayout> parse(std::string_view text);
    // What heads and chunks name it by; never 0.
    std::uint32_t fingerprint() const;

    friend bool operator==(const StoredLayout&, const StoredLayout&) = default;
};

// Where the columns of an older layout belong in the current one.
class OlderLayout {
public:
    OlderLayout(StoredLayout older, const StoredLayout& current);

    const StoredLayout& layout() const { return older_; }
    // A head indexed by the older layout, by the current one. What the older one lacks is empty; a window that
    // it lacks is served from sealed tiles only.
    void map(const HeadIndex& stored, HeadIndex& out) const;
    // The older resolution behind one of the current layout; none if it has none of that hop.
    const StoredLayout::Resolution* resolution(std::size_t current) const;
    // Columns of the older resolution, by the current one.
    void map(std::size_t current, std::vector<std::string_view>& columns) const;

private:
    using Columns = std::vector<std::optional<std::size_t>>;  // older ones, in the current order
    struct WindowMap {
        std::optional<std::size_t> from;
        Columns columns;
    };
    struct ResolutionMap {
        std::optional<std::size_t> from;
        Columns columns;
        std::vector<WindowMap> windows;
    };

    StoredLayout older_;
    std::vector<ResolutionMap> to_;  // by the current layout
};

// The layouts that values of a view may be stored in.
class StoredLayouts {
public:
    StoredLayouts(const Source& source, const ViewPlan& plan);

    const StoredLayout& current() const { return current_; }
    std::uint32_t fingerprint() const { return fingerprint_; }  // of the current one

    // A list of texts with blanks between. What does not parse is passed over. Whether one was new.
    bool learn(std::string_view texts);
    // Any other than the current one; an error when it is not known.
    Result<const OlderLayout*> find(std::uint32_t fingerprint) const;

private:
    struct Known {
        std::uint32_t fingerprint;
        OlderLayout layout;
    };

    std::string view_id_;
    StoredLayout current_;
    std::uint32_t fingerprint_;
    std::vector<Known> older_;
};

}  // namespace freshet
