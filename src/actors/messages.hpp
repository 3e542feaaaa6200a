// The map of the system: every actor's interface, one comment a message. Only this header names CAF's
// typed-actor vocabulary, so that a move to another CAF touches it alone.
//
// A partition is lived in lives: taking it spawns a consumer and its aggregators under a new epoch; whatever
// goes wrong ends them all, and a new life begins from the record. So nothing queued in a former life survives,
// and every message names its epoch all the same, since the writer outlives the lives.
#pragma once

#include <caf/all.hpp>

#include <memory>
#include <string>
#include <vector>

#include "io/partial_store.hpp"
#include "model/entity_table.hpp"
#include "model/event_batch.hpp"
#include "model/progress.hpp"
#include "model/turn_order.hpp"

namespace freshet {

// Where an actor that blocks runs: on a thread of its own, or among the others, which is for tests.
enum class Thread { own, shared };

template <class T>
using Shared = std::shared_ptr<const T>;

// --- writer: the one connection to a Redis primary; repeats with back-off until it is answered ---

struct TakeEpochRequest {
    PartitionClaim claim;
};
struct EpochTaken {
    Shared<Result<TakenEpoch>> result;
};

struct LoadRequest {
    Partition partition;
    Epoch epoch;
    Shared<std::vector<PartialKey>> keys;
    bool gives_way = false;  // another source of the node goes first
};
struct Loaded {
    Epoch epoch;
    Shared<Result<std::vector<LoadedPartial>>> result;
};

// The writer fills in the fences.
struct FlushRequest {
    Partition partition;
    Epoch epoch;
    std::shared_ptr<std::vector<WriteCall>> calls;
    bool gives_way = false;
};
struct Flushed {
    Epoch epoch;
    Result<void> result;
};

struct AdvanceRequest {
    Partition partition;
    Epoch epoch;
    ProgressUpdate update;
};
struct AdvanceDone {
    Epoch epoch;
    Shared<Result<Advanced>> result;
};

struct WriterWork {};  // to itself: do what has been queued, as one pipeline

using WriterActor = caf::typed_actor<caf::replies_to<TakeEpochRequest>::with<EpochTaken>,  // begins a life
                                     caf::replies_to<LoadRequest>::with<Loaded>,    // first touch of entities
                                     caf::replies_to<FlushRequest>::with<Flushed>,  // changed entities
                                     caf::replies_to<AdvanceRequest>::with<AdvanceDone>,  // the progress record
                                     caf::reacts_to<WriterWork>>;

// --- window aggregator: the entities of one partition that hash to it ---

struct BatchReady {
    Epoch epoch;
    Shared<EventBatch> batch;
};

struct KeepToMemory {};  // others may be short of what it holds

using AggregatorActor =
    caf::typed_actor<caf::reacts_to<BatchReady>,    // from the consumer
                     caf::reacts_to<KeepToMemory>,  // from the consumer, about once a second
                     caf::reacts_to<Loaded>,        // from the writer
                     caf::reacts_to<Flushed>>;      // from the writer

// --- partition consumer: one life of one partition ---

struct Wake {};  // the partition's queue has records, or there is credit again

// All of this aggregator's events below `safe` are stored, and below `counted` no longer held.
struct AggregatorProgress {
    Epoch epoch;
    std::size_t aggregator;
    Offset safe;
    Offset counted;
    EntityTable::Counts counts;
    std::size_t entities;
};
// An aggregator met an error that ends this life.
struct AggregatorFailed {
    Epoch epoch;
    Error error;
};

// What Kafka says when a life begins.
struct StartFacts {
    Shared<Result<LogFacts>> log;
    std::vector<Offset> view_starts;
};
// The end of the log as asked for at `asked` (steady clock).
struct EndOffset {
    std::chrono::steady_clock::time_point asked;
    Offset end;
    std::int32_t partitions;
};

struct DeadLetterAcked {
    Epoch epoch;
    Offset offset;
};

struct StopConsuming {};  // flush, advance, commit, and end
struct Stopped {
    Partition partition;
};

using ConsumerActor =
    caf::typed_actor<caf::reacts_to<EpochTaken>,          // from the writer
                     caf::reacts_to<StartFacts>,          // from the log watch
                     caf::reacts_to<Wake>,                // from the log, or itself
                     caf::reacts_to<AggregatorProgress>,  // the frontier moves; this is the credit
                     caf::reacts_to<AggregatorFailed>,
                     caf::reacts_to<AdvanceDone>,      // from the writer: commit may follow
                     caf::reacts_to<DeadLetterAcked>,  // from the dead-letter sink
                     caf::reacts_to<EndOffset>,        // from the log watch, once a second
                     caf::replies_to<StopConsuming>::with<Stopped>>;

// --- log watch: asks the brokers, on a thread of its own because the answers block ---

struct ViewStartSpec {
    Start start;
};
struct AskStartFacts {
    Partition partition;
    std::vector<Offset> marks;
    std::vector<ViewStartSpec> views;
};
struct WatchEnd {
    Partition partition;
    ConsumerActor consumer;
};
struct UnwatchEnd {
    Partition partition;
    caf::actor_addr consumer;
};
struct WatchTick {};

using LogWatchActor = caf::typed_actor<caf::replies_to<AskStartFacts>::with<StartFacts>,
                                       caf::reacts_to<WatchEnd>,  // send it EndOffset now and once a second
                                       caf::reacts_to<UnwatchEnd>,
                                       caf::reacts_to<WatchTick>>;  // to itself

// --- supervisor: spawns, monitors, restarts ---

struct Assigned {
    std::vector<Partition> partitions;
};
struct Revoked {
    std::vector<Partition> partitions;
    bool lost;
};
struct Released {};  // nobody drains those partitions any more
struct Expelled {
    Error error;
};
struct PartitionRunning {
    Partition partition;
    Epoch epoch;
};
struct PartitionFailed {
    Partition partition;
    Error error;
};
struct PartitionStatus {
    Partition partition;
    Epoch epoch;
    Offset next;  // recorded
    Offset end;   // of the log
    std::size_t entities;
};
struct RestartPartition {
    Partition partition;
};  // to itself, after the back-off
// A life has ended in order, for the next one is to count other views.
struct PartitionReplaced {
    Partition partition;
};

using SupervisorActor = caf::typed_actor<caf::reacts_to<Assigned>,                  // from the group
                                         caf::replies_to<Revoked>::with<Released>,  // from the group
                                         caf::reacts_to<Expelled>,                  // from the group: for good
                                         caf::reacts_to<PartitionRunning>,          // a life is consuming
                                         caf::reacts_to<PartitionFailed>,           // a life ends, and why
                                         caf::reacts_to<PartitionStatus>,           // once a second
                                         caf::reacts_to<TurnChange>,                // from a consumer
                                         caf::reacts_to<ShedChange>,                // from a consumer
                                         caf::reacts_to<PartitionReplaced>,         // begin the next life
                                         caf::reacts_to<RestartPartition>>;

}  // namespace freshet

#define FRESHET_MESSAGES(allow)                                                                               \
    allow(TakeEpochRequest) allow(EpochTaken) allow(LoadRequest) allow(Loaded) allow(FlushRequest)            \
        allow(Flushed) allow(AdvanceRequest) allow(AdvanceDone) allow(WriterWork) allow(BatchReady)           \
            allow(KeepToMemory) allow(Wake) allow(AggregatorProgress) allow(AggregatorFailed)                 \
                allow(StartFacts) allow(EndOffset) allow(DeadLetterAcked) allow(StopConsuming) allow(Stopped) \
                    allow(AskStartFacts) allow(WatchEnd) allow(UnwatchEnd) allow(WatchTick) allow(Assigned)   \
                        allow(Revoked) allow(Released) allow(Expelled) allow(PartitionRunning)                \
                            allow(PartitionFailed) allow(PartitionStatus) allow(TurnChange) allow(ShedChange) \
                                allow(PartitionReplaced) allow(RestartPartition)

// All of these stay within one process.
#define FRESHET_LOCAL_MESSAGE(type) CAF_ALLOW_UNSAFE_MESSAGE_TYPE(freshet::type)
FRESHET_MESSAGES(FRESHET_LOCAL_MESSAGE)
#undef FRESHET_LOCAL_MESSAGE
