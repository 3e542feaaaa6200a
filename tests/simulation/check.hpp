// What must hold: at every step, and when all faults have ended. Knows the events and what stands in the store,
// and nothing of the protocol.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "fake_log.hpp"
#include "fake_store.hpp"

namespace freshet::simulation {

class Check {
public:
    Check(const std::array<FakeLog, kMostPartitions>& logs, Counts& counts) : logs_(logs), counts_(counts) {}

    // A write was applied: what a reader sees now counts no event twice.
    void written(const StoreState& state, const WriteCall& call);
    // An advance was applied: the record passes nothing that is not stored.
    void advanced(const std::optional<ProgressRecord>& before, const StoreState& state, std::size_t partition,
                  Timestamp now);
    // All is healed and quiet: each entity of each view, at several times, is what the events give, or says
    // that it is incomplete where events are gone.
    void compare_all(const StoreState& state, std::size_t partitions, Timestamp now);
    void fail(std::string why);
    // From now on, some life may leave the view out.
    void may_shed(std::size_t view) { may_be_shed_[view] = true; }

    const std::optional<std::string>& failure() const { return failure_; }

private:
    // The events of a window: those that must be in its value, and those that may.
    struct Bounds {
        std::int64_t count = 0, sum = 0;
        std::int64_t most_count = 0, most_sum = 0;
    };
    struct Numbers {
        bool missing;
        std::int64_t count;
        std::int64_t sum;
    };

    Numbers read(std::size_t view, const StoredEntity& entity, Timestamp t) const;
    Bounds bounds(std::size_t view, std::size_t entity, std::size_t feature, Timestamp t) const;
    bool may_be_lost(std::size_t view, std::size_t partition, const FakeEvent& event) const;
    using Since = std::array<std::optional<Timestamp>, 2>;  // of each feature
    void compare(std::size_t view, std::size_t entity, const StoreState& state, Timestamp t,
                 const Since& since);
    bool is_stored(const StoreState& state, std::size_t view, std::size_t partition, Generation generation,
                   Offset offset) const;

    const std::array<FakeLog, kMostPartitions>& logs_;
    Counts& counts_;
    // When a view last had to say that events are missing.
    std::array<std::array<Timestamp, kMostPartitions>, kViews> lost_at_{};
    std::array<bool, kViews> may_be_shed_{};
    std::optional<std::string> failure_;
};

}  // namespace freshet::simulation
