#pragma once

#include <memory>
#include <string>

#include "actors/messages.hpp"
#include "io/config/config.hpp"
#include "io/event_log.hpp"
#include "io/events/event_intake.hpp"
#include "model/turn_order.hpp"

namespace freshet {

class MemoryBudget;
class Metrics;
class Watchdog;

// What all partitions of a node share.
struct IngestParts {
    std::shared_ptr<EventLog> log;
    std::shared_ptr<DeadLetterSink> dead_letters;
    std::string node;
    std::string group;
    std::string kafka_cluster;
    IngestConfig limits;
    std::shared_ptr<MemoryBudget> memory;
    std::shared_ptr<TurnOrder> turns = std::make_shared<TurnOrder>();
    Metrics* metrics;
    Watchdog* watchdog;
};

// What a life is told of its partition.
struct PartitionFacts {
    std::int32_t partitions;  // of the topic, as known so far
    // It appeared while this node ran: nothing in it is older than the views, wherever these start.
    bool is_new;
};

// One life of one partition: takes an epoch, finds where to go on, drains the partition's queue against credit,
// ships batches to its aggregators, advances the record when everything below an offset is stored, and then
// commits. Reports to the supervisor; ends with PartitionFailed when a new life is needed.
ConsumerActor spawn_consumer(caf::actor_system& system, Partition partition, PartitionFacts facts,
                             std::shared_ptr<const SourcePlan> source, std::shared_ptr<const IngestParts> parts,
                             WriterActor writer, LogWatchActor watch, SupervisorActor supervisor);

}  // namespace freshet
