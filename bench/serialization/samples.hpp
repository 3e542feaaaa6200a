// Entities whose stored values are measured.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "io/events/event_intake.hpp"
#include "model/entity_windows.hpp"

namespace freshet::bench {

constexpr std::size_t kSamples = 64;  // entities a kind; they go round, so that no branch is learnt by heart

// One entity after its events, as a flush hands it to the codec.
struct Sample {
    std::unique_ptr<EntityWindows> windows;
    HeadView head;
    std::size_t resolution = 0;    // of the largest chunk that the flush writes
    std::vector<ConstRow> sealed;  // its tiles; empty: nothing is sealed
};

struct Kind {
    std::string name;
    SourcePlan plan;  // one view
    std::vector<Sample> samples;

    const ViewPlan& view() const { return *plan.views[0]; }
};

std::vector<std::string> kind_names();
Kind make_kind(const std::string& name);

}  // namespace freshet::bench
