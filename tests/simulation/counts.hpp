// How often what was met, so that a run may insist that its schedules reach what they are for.
#pragma once

#include <array>
#include <cstdint>

namespace freshet::simulation {

enum class Met : std::size_t {
    call,         // reached the store
    late,         // of them, after the sender had given up
    fenced,       // refused: a higher epoch
    lost_writes,  // refused: the record fell back
    stale,        // a head with a lower stamp than the stored one
    sealed,       // a head with sealed tiles
    expired,      // an entity
    generation,   // a new one
    evicted,      // an entity
    reloaded,     // one that its life had evicted
    value,        // compared at the end, not 0
    incomplete,   // compared at the end
    added,        // a feature complete again, at the end, that had been gone
    shed,         // a life that leaves a view out
    resumed,      // a view complete again, at the end, that had been left out
};
constexpr std::array<const char*, 15> kMetNames = {
    "calls",   "late",         "fenced", "lost writes", "stale", "sealed", "expired", "generations",
    "evicted", "loaded again", "values", "incomplete",  "added", "shed",   "resumed"};

class Counts {
public:
    void met(Met what) { ++counts_[static_cast<std::size_t>(what)]; }
    void add(const Counts& other) {
        for (std::size_t i = 0; i < counts_.size(); ++i) counts_[i] += other.counts_[i];
    }
    std::uint64_t operator[](std::size_t i) const { return counts_[i]; }

private:
    std::array<std::uint64_t, kMetNames.size()> counts_{};
};

}  // namespace freshet::simulation
