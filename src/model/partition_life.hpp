// One life of one partition, from the epoch it takes to the offset it commits last: what may be drained, what
// the record says next, what may be committed, and when the life may end. Decisions only; an actor carries them
// out, and whatever goes wrong ends it.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "model/event_batch.hpp"
#include "model/frontier.hpp"
#include "model/inflight.hpp"
#include "model/memory_budget.hpp"
#include "model/progress.hpp"
#include "model/record_rules.hpp"
#include "model/turn_order.hpp"
#include "model/watermark.hpp"

namespace freshet {

class PartitionLife {
public:
    using SteadyTime = Watermark::SteadyTime;

    struct Limits {
        std::size_t aggregators;
        std::size_t inflight_events;  // shipped and not yet stored
        std::size_t inflight_bytes;   // shipped and not yet counted
    };

    // `memory`: the node's, of which batches under way take their part.
    PartitionLife(PartitionClaim claim, Limits limits,
                  std::shared_ptr<MemoryBudget> memory = std::make_shared<MemoryBudget>());

    const PartitionClaim& claim() const { return claim_; }
    Epoch epoch() const { return taken_.epoch; }
    Generation generation() const { return log_.generation; }

    // --- the beginning ---

    void epoch_taken(const TakenEpoch& taken, SteadyTime asked, SteadyTime received);
    // The messages to look up in the log before the life begins.
    std::vector<Offset> marked() const;
    // `facts` as Kafka gave them after the epoch was taken, at `received` at the latest.
    Result<StartDecision> begin(const LogFacts& facts, SteadyTime received, std::span<const ViewStart> views);
    bool begun() const { return !views_.empty(); }

    // --- draining ---

    // Not before the beginning is recorded: what is stored under a generation must be known as such. When it
    // may not, wake_due() tells when it may.
    bool may_drain();
    bool wake_due();
    // Nothing more is drained until what was shipped is stored; else only until it is counted, which needs no
    // flush.
    bool waits_for_store() const;
    // One past the last record shipped.
    Offset shipped_to() const { return shipped_to_; }
    // The log was seen to go on behind it: more will come, whether or not it has been fetched.
    bool behind_log() const { return shipped_to_ < log_end_; }
    // Before it leaves: fills in the epoch and the recorded clock. It may be empty.
    void ship(EventBatch& batch);
    void dead_letter_sent(Offset offset) { frontier_.dead_letter_sent(offset); }

    // --- what became of it; each may make an advance due, credit, or the end ---

    void dead_letter_acked(Offset offset);
    // An aggregator has stored all of its events below `safe`, and holds no batch that ends at or before
    // `counted`.
    void stored(std::size_t aggregator, Offset safe, Offset counted);
    // One past the last record of a batch that is wholly stored: look-ups see it.
    Offset stored_to() const { return frontier_.safe().next; }
    // The log was asked at `asked`, and the answer came at `received`. An error when it ended below what had
    // been read before it was asked: it is not the same log any more, and this life must end.
    Result<void> log_ended(SteadyTime asked, SteadyTime received, Offset end, std::int32_t partitions);

    // --- the record and the commit ---

    // One advance at a time, which carries whatever has become safe meanwhile; none when one is away or nothing
    // changed. Once for every log_ended() it goes out all the same, to notice a store that forgot.
    std::optional<ProgressUpdate> next_advance();
    void advanced(const Advanced& advanced, SteadyTime received);
    // The lowest offset that a view has yet to count.
    Offset recorded() const;
    TurnLook turn_look(SteadyTime now) const;
    // What to commit, when it differs from what was committed; at most once a second unless `now` is none.
    std::optional<Offset> next_commit(std::optional<SteadyTime> now = std::nullopt);

    // --- the end ---

    void stop() { stopping_ = true; }
    // Stopped, and all that was shipped is stored and recorded.
    bool over() const;

private:
    bool has_credit() const;
    std::optional<Timestamp> recorded_clock() const;
    ViewProgress progress_of(std::size_t view) const;

    PartitionClaim claim_;
    Limits limits_;
    TakenEpoch taken_{};
    SteadyTime epoch_asked_{};
    LogIdentity log_;
    std::vector<std::string> view_ids_;
    std::vector<ViewProgress> views_;             // as recorded
    std::vector<bool> shed_;                      // of the views: not counted in this life
    std::map<std::string, std::string> layouts_;  // by view
    Offset read_before_{-1};                      // what lives before may have stored of this log, up to here
    Frontier frontier_;
    Watermark watermark_;

    Offset shipped_to_{};
    Offset log_end_{};                                      // as asked last
    std::optional<std::pair<SteadyTime, Offset>> read_by_;  // at that time, all below had been read
    MemoryBudget::Share memory_;
    Inflight unstored_;            // events
    Inflight held_;                // bytes of batches
    Inflight growth_;              // and what they may make entities grow by
    std::vector<Offset> counted_;  // of each aggregator
    bool starved_ = false;         // records may be waiting, but might not be drained

    std::optional<ProgressUpdate> advancing_;
    bool recorded_once_ = false;
    bool heartbeat_due_ = true;
    std::optional<Offset> committed_;
    std::optional<SteadyTime> committed_at_;
    bool stopping_ = false;
};

}  // namespace freshet
