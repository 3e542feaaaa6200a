// One life of one partition, from the epoch it takes to the offset it commits last: what may be drained, what
// the record says next, what may be committed, and when the life may end. Decisions only; an actor carries them
// out, and whatever goes wrong ends it.
#pragma once

#include <deque>
#include <optional>
#include <span>
#include <vector>

#include "model/event_batch.hpp"
#include "model/frontier.hpp"
#include "model/progress.hpp"
#include "model/record_rules.hpp"
#include "model/watermark.hpp"

namespace freshet {

class PartitionLife {
public:
    using SteadyTime = Watermark::SteadyTime;

    struct Limits {
        std::size_t aggregators;
        std::size_t inflight_events;  // shipped and not yet stored
        std::size_t inflight_bytes;
    };

    PartitionLife(PartitionClaim claim, Limits limits);

    const PartitionClaim& claim() const { return claim_; }
    Epoch epoch() const { return taken_.epoch; }
    Generation generation() const { return taken_.before ? taken_.before->generation : Generation{0}; }

    // --- the beginning ---

    void epoch_taken(const TakenEpoch& taken, SteadyTime received);
    // `committed` and `log` as Kafka says after the epoch was taken.
    Result<StartDecision> begin(std::optional<Offset> committed, LogRange log,
                                std::span<const ViewStart> views);
    bool begun() const { return !views_.empty(); }

    // --- draining ---

    // When it may not for want of credit, wake_due() tells when it may again.
    bool may_drain();
    bool wake_due();
    // One past the last record shipped.
    Offset shipped_to() const { return shipped_to_; }
    // Before it leaves: fills in the epoch and the recorded clock.
    void ship(EventBatch& batch);
    void dead_letter_sent(Offset offset) { frontier_.dead_letter_sent(offset); }

    // --- what became of it; each may make an advance due, credit, or the end ---

    void dead_letter_acked(Offset offset) { frontier_.dead_letter_acked(offset); }
    // An aggregator has stored all of its events below `safe`.
    void stored(std::size_t aggregator, Offset safe);
    void log_ended(SteadyTime asked, Offset end, std::int32_t partitions);

    // --- the record and the commit ---

    // One advance at a time, which carries whatever has become safe meanwhile; none when one is away or nothing
    // changed. Once for every log_ended() it goes out all the same, to notice a store that forgot.
    std::optional<ViewProgressMap> next_advance();
    void advanced(const Advanced& advanced, SteadyTime received);
    // The lowest offset that a view has yet to count.
    Offset recorded() const;
    // What to commit, when it differs from what was committed; at most once a second unless `now` is none.
    std::optional<Offset> next_commit(std::optional<SteadyTime> now = std::nullopt);

    // --- the end ---

    void stop() { stopping_ = true; }
    // Stopped, and all that was shipped is stored and recorded.
    bool over() const;

private:
    std::optional<Timestamp> recorded_clock() const;
    ViewProgress progress_of(const ViewProgress& recorded) const;

    struct Inflight {
        Offset next;
        std::size_t events;
        std::size_t bytes;
    };

    PartitionClaim claim_;
    Limits limits_;
    TakenEpoch taken_{};
    std::vector<std::string> view_ids_;
    std::vector<ViewProgress> views_;  // as recorded
    Frontier frontier_;
    Watermark watermark_;

    Offset shipped_to_{};
    std::deque<Inflight> inflight_;
    std::size_t inflight_events_ = 0;
    std::size_t inflight_bytes_ = 0;
    bool starved_ = false;  // records may be waiting, but there was no credit

    std::optional<ViewProgressMap> advancing_;
    bool heartbeat_due_ = true;
    std::optional<Offset> committed_;
    std::optional<SteadyTime> committed_at_;
    bool stopping_ = false;
};

}  // namespace freshet
