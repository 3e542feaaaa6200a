// How fresh the views are that a node serves, and what stands behind it, as it was looked at last.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "model/ids.hpp"

namespace freshet {

// Of a view, or of a feature with a limit of its own.
struct ViewReport {
    enum class State : std::uint8_t { no_objective, not_known, kept, in_breach };

    std::string view;
    std::string feature = {};  // empty: the whole view
    State state = State::no_objective;
    std::optional<Duration> staleness;      // none: not known
    std::optional<Duration> max_staleness;  // none: it may be as stale as it likes
    std::optional<Timestamp> in_breach_since;
    std::string reason;  // what holds it back, for people
    // The part of the looks in breach, 0 to 1.
    double burnt_5m = 0, burnt_1h = 0, burnt_1d = 0;
};

// A view or a feature of it began to be in breach, or is fresh again.
struct FreshnessChange {
    Timestamp at;
    std::string view;
    bool in_breach;
    std::string text;
};

// By its progress record.
struct PartitionRecord {
    Partition partition;
    std::string owner;  // the node that counts it, or did last; empty: none has
    Epoch epoch{};
    std::optional<Duration> behind;  // of the view that is furthest behind; none: not known
};

// What stands in Redis, as far as it can be reached.
struct StoreReport {
    bool connected = false;
    std::string connection;  // to where, or why there is none
    std::vector<PartitionRecord> partitions;
};

struct FreshnessReport {
    std::optional<Timestamp> looked_at;  // none: not yet
    StoreReport store;
    std::vector<ViewReport> views;         // each view, and behind it its features with limits of their own
    std::vector<FreshnessChange> changes;  // the newest first
};

}  // namespace freshet
