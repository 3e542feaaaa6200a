// One process: consumers, aggregators and a writer, as thin as the actors are, around the same classes of
// src/model. Nothing here decides; the world says whose turn it is.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <set>
#include <variant>

#include "fake_log.hpp"
#include "fake_store.hpp"
#include "model/flush_queue.hpp"
#include "model/partition_life.hpp"

namespace freshet::simulation {

using SteadyTime = PartitionLife::SteadyTime;

// --- messages; each names its epoch, those before there is one name the life ---

struct BatchReady {
    Epoch epoch;
    std::shared_ptr<const EventBatch> batch;
};
struct Loaded {
    Epoch epoch;
    std::shared_ptr<const std::vector<EntityKey>> keys;
    Result<LoadedHeads> result;
};
struct Flushed {
    Epoch epoch;
    Result<void> result;
};
using AggregatorMessage = std::variant<BatchReady, Loaded, Flushed>;

struct EpochTaken {
    std::uint64_t life;
    Result<TakenEpoch> result;
};
struct StartFacts {
    std::uint64_t life;
    LogFacts facts;
};
struct Progress {
    Epoch epoch;
    std::size_t aggregator;
    Offset safe;
    Offset counted;
};
struct AggregatorFailed {
    Epoch epoch;
    Error error;
};
struct AdvanceDone {
    Epoch epoch;
    Result<Advanced> result;
};
struct DeadLetterAcked {
    Epoch epoch;
    Offset offset;
};
struct EndOffset {
    std::uint64_t life;
    SteadyTime asked;
    Offset end;
};
using ConsumerMessage =
    std::variant<EpochTaken, StartFacts, Progress, AggregatorFailed, AdvanceDone, DeadLetterAcked, EndOffset>;

struct Aggregator {
    std::optional<EntityTable> table;  // none before the first life has begun
    Epoch epoch;
    std::size_t loading = 0;                                // loads that are away
    std::vector<EntityKey> awaited;                         // and what they are of
    std::set<std::pair<std::uint32_t, std::string>> known;  // loaded in this life
    std::optional<MarkedSpan> read;                         // in this life
    Progress reported{};
    std::deque<AggregatorMessage> mailbox;  // outlives the lives
};

// The entities are spread over the aggregators by name.
inline std::size_t aggregator_of(std::size_t entity) { return entity % kAggregators; }

class Node;

// One partition on one node. Its mailboxes outlive its lives, as if a restarted actor kept its address.
class Consumer {
public:
    Consumer(Node& node, std::size_t partition) : node_(node), partition_(partition) {}

    void begin_life();
    void end_life();
    void forget();  // the process died
    bool living() const { return life_.has_value(); }
    bool waits_for_facts() const { return life_ && asks_facts_; }
    // The view that this life leaves out.
    std::optional<std::size_t> shed() const { return shed_; }
    const std::optional<PartitionLife>& life() const { return life_; }

    void handle_next();  // of the mailbox, which is not empty
    void aggregator_handles_next(std::size_t aggregator);
    void drain(std::size_t most);
    void evict(std::size_t aggregator, std::size_t bytes);
    void answer_facts();
    void answer_end(Offset end, SteadyTime asked);
    void stop();

    std::deque<ConsumerMessage> mailbox;
    std::array<Aggregator, kAggregators> aggregators;
    std::deque<DeadLetterAcked> unacked;  // dead letters on their way
    bool wakes = false;                   // there may be something to drain

private:
    void handle(EpochTaken& m);
    void handle(StartFacts& m);
    void handle(Progress& m);
    void handle(AggregatorFailed& m);
    void handle(AdvanceDone& m);
    void handle(DeadLetterAcked& m);
    void handle(EndOffset& m);
    void handle(Aggregator& a, std::size_t index, BatchReady& m);
    void handle(Aggregator& a, std::size_t index, Loaded& m);
    void handle(Aggregator& a, std::size_t index, Flushed& m);
    void aggregator_goes_on(Aggregator& a, std::size_t index);
    void aggregator_failed(Aggregator& a, const Error& error);
    void flush(Aggregator& a, std::size_t index);
    bool is_ours(Epoch epoch) const;
    bool is_ours(const Aggregator& a, Epoch epoch) const;
    void go_on();
    void note(const StartDecision& decision) const;
    void take_record(EventBatch& batch, Offset offset);
    void commit(std::optional<Offset> next);
    static void put_since_back(ProgressUpdate& update);

    Node& node_;
    const std::size_t partition_;
    std::uint64_t lives_ = 0;
    std::optional<PartitionLife> life_;
    SteadyTime epoch_asked_{};
    bool asks_facts_ = false;
    std::vector<LogMark> recorded_marks_;
    FakeLog::Fetcher fetcher_;
    std::optional<Timestamp> clock_;
    std::vector<Offset> count_from_;
    std::optional<std::size_t> shed_;
};

// The connection to the store: one pipeline away at a time.
class Writer {
public:
    struct Flight {
        enum class Kind { take, write, load, advance } kind;
        std::vector<WriteCall> writes;
    };

    explicit Writer(Node& node) : node_(node) {}

    void take(std::size_t partition, std::uint64_t life, PartitionClaim claim);
    void load(std::size_t partition, std::size_t aggregator, Epoch epoch, Generation generation,
              std::vector<EntityKey> keys);
    void flush(std::size_t partition, std::size_t aggregator, Epoch epoch, std::vector<WriteCall> calls);
    void advance(std::size_t partition, Epoch epoch, ProgressUpdate update);

    // The next pipeline; empty when there is none or one is away.
    std::vector<Call> next_pipeline();
    bool away() const { return flight_.has_value(); }
    bool idle() const;
    void forget();  // the process died
    // `replies`: of the first calls of the pipeline; the others were not answered.
    void answered(std::vector<Reply> replies, std::size_t calls);

private:
    struct Take {
        std::size_t partition;
        std::uint64_t life;
        PartitionClaim claim;
    };
    struct Load {
        std::size_t partition;
        std::size_t aggregator;
        Epoch epoch;
        Generation generation;
        std::shared_ptr<const std::vector<EntityKey>> keys;
    };
    struct Advance {
        std::size_t partition;
        Epoch epoch;
        ProgressUpdate update;
    };
    struct Place {
        std::size_t partition;
        std::size_t aggregator;
    };

    std::optional<Fence> fence(std::size_t partition, Epoch epoch) const;
    void answer_take(Reply& reply);
    void answer_load(Result<LoadedHeads> result);
    void answer_advance(Result<Advanced> result);
    void answer_writes(std::vector<Reply> replies, std::size_t calls);

    Node& node_;
    FenceBook book_;
    std::deque<Take> takes_;
    FlushQueue<WriteCall, Place> flushes_;
    std::deque<Load> loads_;
    std::deque<Advance> advances_;
    std::optional<Flight> flight_;
};

class Node {
public:
    Node(std::string name, Plant plant, std::array<FakeLog, kMostPartitions>& logs, const SteadyTime& now,
         Counts& counts)
        : name(std::move(name)), plant(plant), logs(logs), now(now), counts(counts) {}
    void crash();

    const std::string name;
    const Plant plant;
    std::array<FakeLog, kMostPartitions>& logs;
    const SteadyTime& now;
    Counts& counts;
    bool up = true;
    bool paused = false;
    bool commits_are_lost = false;
    bool counts_sums = true;  // else its configuration does not have the feature
    std::array<std::optional<std::size_t>, kMostPartitions> sheds{};  // the view that the next life leaves out
    std::string* trace = nullptr;
    std::array<bool, kMostPartitions> owns{};  // as the group told it
    std::array<Consumer, kMostPartitions> consumers{Consumer(*this, 0), Consumer(*this, 1)};
    Writer writer{*this};
};

inline Partition partition_at(std::size_t index) {
    return {kTopic, PartitionId{static_cast<std::int32_t>(index)}};
}

}  // namespace freshet::simulation
