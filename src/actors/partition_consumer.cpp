#include "actors/partition_consumer.hpp"

#include <algorithm>

#include "actors/watchdog.hpp"
#include "actors/window_aggregator.hpp"
#include "io/log.hpp"
#include "io/metrics.hpp"
#include "model/frontier.hpp"
#include "model/inflight.hpp"
#include "model/memory_budget.hpp"
#include "model/watermark.hpp"

namespace freshet {

namespace {

using std::chrono::steady_clock;
constexpr std::chrono::seconds kCommitEvery{1};

class PartitionConsumer : public ConsumerActor::base {
public:
    PartitionConsumer(caf::actor_config& config, Partition partition, std::int32_t partitions,
                      std::shared_ptr<const SourcePlan> source, std::shared_ptr<const IngestParts> parts,
                      WriterActor writer, LogWatchActor watch, SupervisorActor supervisor)
        : ConsumerActor::base(config),
          partition_(std::move(partition)),
          partitions_(partitions),
          source_(std::move(source)),
          parts_(std::move(parts)),
          writer_(std::move(writer)),
          watch_(std::move(watch)),
          supervisor_(std::move(supervisor)),
          intake_(source_->source, source_->views, aggregator_count()),
          frontier_(Offset{0}, aggregator_count()),
          memory_(parts_->memory),
          post_(parts_->watchdog->post("consumer of " + partition_.text())) {}

    const char* name() const override { return "partition_consumer"; }

protected:
    behavior_type make_behavior() override {
        send(writer_, TakeEpochRequest{claim()});
        return {
            [this](const EpochTaken& taken) { take_epoch(*taken.result); },
            [this](const StartFacts& facts) { begin(facts); },
            [this](Wake) { drain(); },
            [this](const AggregatorProgress& progress) {
                if (progress.epoch == epoch_) take_progress(progress);
            },
            [this](const AggregatorFailed& failed) {
                if (failed.epoch == epoch_) fail(failed.error);
            },
            [this](const AdvanceDone& done) {
                if (done.epoch == epoch_) take_advance(*done.result);
            },
            [this](const DeadLetterAcked& acked) {
                if (acked.epoch != epoch_) return;
                frontier_.dead_letter_acked(acked.offset);
                go_on();
            },
            [this](const EndOffset& end) { take_end(end); },
            [this](StopConsuming) { return stop(); },
        };
    }

    void on_exit() override {
        aggregators_.clear();
        writer_ = nullptr;
        watch_ = nullptr;
        supervisor_ = nullptr;
    }

private:
    std::size_t aggregator_count() const {
        return static_cast<std::size_t>(parts_->limits.aggregators_per_partition);
    }
    const ViewPlans& views() const { return source_->views; }

    PartitionClaim claim() const {
        return {partition_, parts_->node, parts_->kafka_cluster, parts_->group, partitions_};
    }

    // --- the beginning of a life ---

    void take_epoch(const Result<TakenEpoch>& taken) {
        if (!taken) return fail(taken.error());
        taken_ = *taken;
        epoch_ = taken->epoch;
        watermark_.redis_time(steady_clock::now(), taken->redis_now);
        AskStartFacts question{partition_, {}};
        for (const auto& plan : views())
            question.views.push_back({plan->view().start.value_or(source_->source.start)});
        send(watch_, std::move(question));
    }

    void begin(const StartFacts& facts) {
        if (!*facts.range) return fail(facts.range->error());
        std::vector<ViewStart> starts;
        for (std::size_t v = 0; v < views().size(); ++v)
            starts.push_back({views()[v]->id(), views()[v]->fingerprint(),
                              views()[v]->view().clock == View::Clock::wall, facts.view_starts[v]});
        auto decision =
            decide_start(claim(), taken_.before, facts.committed, **facts.range, starts, taken_.redis_now);
        if (!decision) return fail(decision.error());
        for (const std::string& note : decision->notes) log::warn(note);
        progress_ = std::move(decision->views);
        end_ = (*facts.range)->end;
        spawn_aggregators(decision->from);
        restart_intake(decision->from);
        const auto me = caf::actor_cast<ConsumerActor>(this);
        const auto started =
            parts_->log->start(partition_, decision->from, [me] { caf::anon_send(me, Wake{}); });
        if (!started) return fail(started.error());
        send(watch_, WatchEnd{partition_, me});
        send(supervisor_, PartitionRunning{partition_, epoch_});
        log::info(partition_.text() + ": consuming from offset " + std::to_string(decision->from.value) +
                  " under epoch " + std::to_string(epoch_.value));
        consuming_ = true;
        advance();
        if (stopping_) return stop_draining();
        drain();
    }

    void spawn_aggregators(Offset from) {
        const auto me = caf::actor_cast<ConsumerActor>(this);
        const Generation generation = taken_.before ? taken_.before->generation : Generation{0};
        for (std::size_t i = 0; i < aggregator_count(); ++i) {
            aggregators_.push_back(spawn_aggregator(system(),
                                                    {partition_, epoch_, generation, i, from, source_,
                                                     parts_->limits.max_inflight_events / 2, parts_->memory},
                                                    me, writer_, *parts_->metrics, *parts_->watchdog));
            link_to(aggregators_.back());
        }
    }

    // The clock goes on from the view that goes on first: it is the one whose record tells the clock there.
    void restart_intake(Offset from) {
        std::vector<Offset> next;
        std::optional<Timestamp> clock;
        for (const ViewProgress& view : progress_) {
            next.push_back(view.next);
            if (view.next == from && view.clock) clock = clock ? std::min(*clock, *view.clock) : view.clock;
        }
        intake_.restart(clock, std::move(next));
        frontier_ = Frontier(from, aggregator_count());
        counted_.assign(aggregator_count(), from);
        last_next_ = from;
    }

    // --- draining ---

    // Short of memory, a partition reads on only when it has nothing under way, whose end would free some.
    bool has_credit() const {
        if (memory_.budget().exhausted() && unstored_.sum() > 0) return false;
        return unstored_.sum() < static_cast<std::size_t>(parts_->limits.max_inflight_events) &&
               held_.sum() < static_cast<std::size_t>(parts_->limits.max_inflight_bytes);
    }

    void drain() {
        if (!consuming_ || stopping_) return;
        const auto busy = post_->busy();
        if (!has_credit()) {
            starved_ = true;
            return end_backlog();
        }
        auto batch = intake_.new_batch();
        batch->epoch = epoch_;
        std::vector<Rejection> rejected;
        // So that a batch of huge events is a small part of what may be under way.
        const DrainLimit max(static_cast<std::size_t>(parts_->limits.batch_events),
                             static_cast<std::size_t>(parts_->limits.max_inflight_bytes) / 4);
        const Drained drained = parts_->log->drain(partition_, max, [&](const LogRecord& record) {
            const std::size_t before = rejected.size();
            intake_.add(record, *batch, rejected);
            for (std::size_t i = before; i < rejected.size(); ++i) send_dead_letter(record, rejected[i]);
        });
        if (drained.next && *drained.next > last_next_) {
            ship(std::move(batch), *drained.next, drained.more);
        } else {
            end_backlog();
        }
        if (drained.failed) return fail(*drained.failed);
        if (drained.records > 0) send(this, Wake{});
    }

    void send_dead_letter(const LogRecord& record, const Rejection& rejection) {
        DeadLetterRecord letter{source_->source.dead_letter_topic,
                                partition_,
                                record.offset,
                                record.timestamp,
                                std::string(record.key),
                                record.value ? std::optional<std::string>(*record.value) : std::nullopt,
                                std::string(name_of(rejection.letter.reason)),
                                rejection.letter.message,
                                rejection.view};
        frontier_.dead_letter_sent(record.offset);
        parts_->metrics->event_dropped(partition_.topic, name_of(rejection.letter.reason), 1);
        const auto me = caf::actor_cast<ConsumerActor>(this);
        parts_->dead_letters->send(std::move(letter), [me, epoch = epoch_, offset = record.offset] {
            caf::anon_send(me, DeadLetterAcked{epoch, offset});
        });
    }

    void ship(std::unique_ptr<EventBatch> batch, Offset next, bool more) {
        last_next_ = next;
        parts_->metrics->events_read(partition_.topic, batch->records, batch->bytes);
        frontier_.shipped(next, intake_.clock());
        unstored_.shipped(next, batch->records);
        held_.shipped(next, batch->memory_bytes());
        memory_.set(held_.sum());
        hand_out(std::move(batch), more);
    }

    void hand_out(std::unique_ptr<EventBatch> batch, bool more) {
        intake_.finish(*batch, last_next_);
        batch->recorded_clock = recorded_clock();
        batch->more = backlog_ = more;
        batch->read_at = steady_clock::now();
        const Shared<EventBatch> shared = std::move(batch);
        for (const AggregatorActor& aggregator : aggregators_) send(aggregator, BatchReady{epoch_, shared});
    }

    // The batch that was promised to follow comes without events.
    void end_backlog() {
        if (!backlog_) return;
        auto batch = intake_.new_batch();
        batch->epoch = epoch_;
        hand_out(std::move(batch), false);
    }

    // What no view's record is behind; none while one has no clock.
    std::optional<Timestamp> recorded_clock() const {
        std::optional<Timestamp> lowest;
        for (const ViewProgress& view : progress_) {
            if (!view.clock) return std::nullopt;
            lowest = lowest ? std::min(*lowest, *view.clock) : *view.clock;
        }
        return lowest;
    }

    // --- the frontier, the record, the commit ---

    void take_progress(const AggregatorProgress& progress) {
        frontier_.flushed(progress.aggregator, progress.safe);
        counted_[progress.aggregator] = progress.counted;
        held_.done(*std::min_element(counted_.begin(), counted_.end()));
        memory_.set(held_.sum());
        count_metrics(progress);
        go_on();
    }

    void count_metrics(const AggregatorProgress& progress) {
        seen_.resize(aggregator_count());
        entities_.resize(aggregator_count());
        auto& before = seen_[progress.aggregator];
        parts_->metrics->events_counted(partition_.topic, progress.counts.counted - before.counted);
        if (progress.counts.late > before.late)
            parts_->metrics->event_dropped(partition_.topic, "late", progress.counts.late - before.late);
        before = progress.counts;
        entities_[progress.aggregator] = progress.entities;
    }

    void go_on() {
        unstored_.done(frontier_.safe().next);
        if (starved_ && has_credit()) {
            starved_ = false;
            send(this, Wake{});
        }
        advance();
        finish_if_stopped();
    }

    // One advance at a time; it carries whatever has become safe meanwhile.
    void advance() {
        if (advancing_ || !consuming_) return;
        std::map<std::string, ViewProgress> changed;
        for (std::size_t v = 0; v < views().size(); ++v) {
            ViewProgress now = progress_[v];
            const Frontier::Mark& safe = frontier_.safe();
            now.next = std::max(now.next, safe.next);
            if (safe.clock && now.next == safe.next)
                now.clock = now.clock ? std::max(*now.clock, *safe.clock) : safe.clock;
            if (const auto watermark = watermark_.at(now.next))
                now.watermark = now.watermark ? std::max(*now.watermark, *watermark) : *watermark;
            if (now.since == kSincePending && now.clock) now.since = now.clock;
            if (now != progress_[v] || heartbeat_due_) changed.emplace(views()[v]->id(), now);
        }
        if (changed.empty()) return;
        advancing_ = true;
        heartbeat_due_ = false;
        pending_ = changed;
        send(writer_, AdvanceRequest{partition_, epoch_, partitions_, std::move(changed)});
    }

    void take_advance(const Result<Advanced>& advanced) {
        if (!advanced) return fail(advanced.error());
        advancing_ = false;
        watermark_.redis_time(steady_clock::now(), advanced->redis_now);
        for (std::size_t v = 0; v < views().size(); ++v) {
            const auto found = pending_.find(views()[v]->id());
            if (found != pending_.end()) progress_[v] = found->second;
        }
        if (steady_clock::now() - committed_at_ >= kCommitEvery) commit();
        advance();
        finish_if_stopped();
    }

    Offset recorded() const {
        Offset lowest = progress_.front().next;
        for (const ViewProgress& view : progress_) lowest = std::min(lowest, view.next);
        return lowest;
    }

    void commit() {
        if (recorded() == committed_) return;
        committed_ = recorded();
        committed_at_ = steady_clock::now();
        parts_->log->commit(partition_, committed_);
    }

    void take_end(const EndOffset& end) {
        if (!consuming_) return;
        end_ = end.end;
        partitions_ = end.partitions;
        watermark_.log_ended(end.asked, end.end);
        heartbeat_due_ = true;
        parts_->metrics->lag(partition_, std::max<std::int64_t>(0, end_.value - recorded().value));
        std::size_t entities = 0;
        for (const std::size_t n : entities_) entities += n;
        send(supervisor_, PartitionStatus{partition_, epoch_, recorded(), end_, entities});
        advance();
        commit();
    }

    // --- the end of a life ---

    caf::typed_response_promise<Stopped> stop() {
        stopped_ = make_response_promise<Stopped>();
        const bool was_stopping = std::exchange(stopping_, true);
        if (consuming_ && !was_stopping) stop_draining();
        if (!consuming_) end_life();
        return stopped_;
    }

    void stop_draining() {
        parts_->log->stop(partition_);
        end_backlog();
        finish_if_stopped();
    }

    void finish_if_stopped() {
        if (!stopping_ || advancing_ || !consuming_ || frontier_.safe().next < last_next_) return;
        commit();
        log::info(partition_.text() + ": stopped at offset " + std::to_string(recorded().value));
        end_life();
    }

    void end_life() {
        consuming_ = false;
        send(watch_, UnwatchEnd{partition_});
        parts_->metrics->forget_partition(partition_);
        if (stopping_) stopped_.deliver(Stopped{partition_});
        // A normal end does not end what is linked.
        for (const AggregatorActor& aggregator : aggregators_)
            send_exit(aggregator, caf::exit_reason::user_shutdown);
        quit();
    }

    void fail(const Error& error) {
        if (consuming_) parts_->log->stop(partition_);
        send(supervisor_, PartitionFailed{partition_, error});
        end_life();
    }

    const Partition partition_;
    std::int32_t partitions_;
    std::shared_ptr<const SourcePlan> source_;
    std::shared_ptr<const IngestParts> parts_;
    WriterActor writer_;
    LogWatchActor watch_;
    SupervisorActor supervisor_;

    TakenEpoch taken_{};
    Epoch epoch_{};
    std::vector<AggregatorActor> aggregators_;
    EventIntake intake_;
    bool consuming_ = false;
    bool starved_ = false;  // records may be waiting, but there is no credit
    bool backlog_ = false;  // the last batch handed out promised another

    Frontier frontier_;
    Offset last_next_{};  // one past the last record shipped
    MemoryBudget::Share memory_;
    Inflight unstored_;            // events
    Inflight held_;                // bytes of batches
    std::vector<Offset> counted_;  // of each aggregator

    std::vector<ViewProgress> progress_;  // as recorded
    std::map<std::string, ViewProgress> pending_;
    Watermark watermark_;
    Offset end_{};
    bool advancing_ = false;
    bool heartbeat_due_ = true;  // advance even if nothing changed: it notices a store that forgot
    Offset committed_{-1};
    steady_clock::time_point committed_at_{};

    std::vector<EntityTable::Counts> seen_;
    std::vector<std::size_t> entities_;

    bool stopping_ = false;
    caf::typed_response_promise<Stopped> stopped_;
    std::shared_ptr<Watchdog::Post> post_;
};

}  // namespace

ConsumerActor spawn_consumer(caf::actor_system& system, Partition partition, std::int32_t partitions,
                             std::shared_ptr<const SourcePlan> source, std::shared_ptr<const IngestParts> parts,
                             WriterActor writer, LogWatchActor watch, SupervisorActor supervisor) {
    return system.spawn<PartitionConsumer>(std::move(partition), partitions, std::move(source),
                                           std::move(parts), std::move(writer), std::move(watch),
                                           std::move(supervisor));
}

}  // namespace freshet
