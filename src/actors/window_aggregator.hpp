#pragma once

#include "actors/messages.hpp"
#include "io/events/event_intake.hpp"
#include "model/memory_budget.hpp"
#include "model/turn_order.hpp"

namespace freshet {

class Metrics;
class Watchdog;

// What an aggregator is born with; `index` is its place among the partition's aggregators.
struct AggregatorSpec {
    Partition partition;
    Epoch epoch;
    Generation generation;
    std::size_t index;
    Offset start;
    std::shared_ptr<const SourcePlan> source;
    std::vector<std::string> layouts;  // of each view: what its stored values may be in
    std::int64_t hold_events;          // that a flush may wait for in a backlog
    std::shared_ptr<MemoryBudget> memory;
    std::shared_ptr<const TurnOrder::Seat> seat;
};

// Counts the events of its entities and keeps one flush in flight: while it is away changed entities gather,
// and when none is away a change goes out at once, or in a backlog after a while (EntityTable::flush_due).
AggregatorActor spawn_aggregator(caf::actor_system& system, AggregatorSpec spec, ConsumerActor consumer,
                                 WriterActor writer, Metrics& metrics, Watchdog& watchdog);

}  // namespace freshet
