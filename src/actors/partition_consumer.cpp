#include "actors/partition_consumer.hpp"

#include <deque>
#include <utility>

#include "actors/watchdog.hpp"
#include "actors/window_aggregator.hpp"
#include "io/log.hpp"
#include "io/metrics.hpp"
#include "io/stored/stored_layout.hpp"
#include "model/partition_life.hpp"

namespace freshet {

namespace {

using std::chrono::steady_clock;

// By how much smaller the batches of a partition are that gives way: what goes first waits for one at a time.
constexpr std::size_t kSmallStep = 8;
// Of what may be under way, a part that takes no time worth the name.
constexpr int kBacklogPart = 16;

PartitionLife::Limits limits_of(const IngestConfig& config) {
    return {static_cast<std::size_t>(config.aggregators_per_partition),
            static_cast<std::size_t>(config.max_inflight_events),
            static_cast<std::size_t>(config.max_inflight_bytes)};
}

ViewStart view_start(const ViewPlan& plan, const Source& source, Offset start, bool shed) {
    const View& view = plan.view();
    ViewStart asked{plan.id(), plan.fingerprint(), view.clock == View::Clock::wall,
                    start,     source.max_future,  view.retain};
    for (const FeaturePlan& feature : plan.features())
        asked.features.push_back({feature.name, feature.fingerprint});
    asked.layout = StoredLayout::of(source, plan).text();
    asked.shed = shed;
    return asked;
}

class PartitionConsumer : public ConsumerActor::base {
public:
    PartitionConsumer(caf::actor_config& config, Partition partition, PartitionFacts facts,
                      std::shared_ptr<const SourcePlan> source, std::shared_ptr<const IngestParts> parts,
                      WriterActor writer, LogWatchActor watch, SupervisorActor supervisor)
        : ConsumerActor::base(config),
          partition_(std::move(partition)),
          is_new_(facts.is_new),
          source_(std::move(source)),
          parts_(std::move(parts)),
          writer_(std::move(writer)),
          watch_(std::move(watch)),
          supervisor_(std::move(supervisor)),
          life_({partition_, parts_->node, parts_->kafka_cluster, parts_->group, facts.partitions},
                limits_of(parts_->limits), parts_->memory),
          seat_(TurnOrder::sit(parts_->turns, source_->source.name, turn_terms(), shed_terms())),
          sheddable_(sheddable(views())),
          intake_(source_->source, source_->views, aggregator_count()),
          post_(parts_->watchdog->post("consumer of " + partition_.text())) {}

    const char* name() const override { return "partition_consumer"; }

protected:
    behavior_type make_behavior() override {
        send(writer_, TakeEpochRequest{life_.claim()});
        return {
            [this](const EpochTaken& taken) { take_epoch(*taken.result); },
            [this](const StartFacts& facts) { begin(facts); },
            [this](Wake) { drain(); },
            [this](const AggregatorProgress& progress) {
                if (progress.epoch == life_.epoch()) take_progress(progress);
            },
            [this](const AggregatorFailed& failed) {
                if (failed.epoch == life_.epoch()) fail(failed.error);
            },
            [this](const AdvanceDone& done) {
                if (done.epoch == life_.epoch()) take_advance(*done.result);
            },
            [this](const DeadLetterAcked& acked) {
                if (acked.epoch != life_.epoch()) return;
                life_.dead_letter_acked(acked.offset);
                go_on();
            },
            [this](const EndOffset& end) { take_end(end); },
            [this](StopConsuming) { return stop(); },
        };
    }

    void on_exit() override {
        send(watch_, UnwatchEnd{partition_, address()});
        parts_->metrics->forget_partition(partition_);
        aggregators_.clear();
        writer_ = nullptr;
        watch_ = nullptr;
        supervisor_ = nullptr;
    }

private:
    std::size_t aggregator_count() const { return limits_of(parts_->limits).aggregators; }
    const ViewPlans& views() const { return source_->views; }

    TurnJudge::Terms turn_terms() const {
        std::optional<Duration> least;
        for (const auto& plan : views())
            if (const auto most = tightest_staleness(plan->view()))
                least = std::min(least.value_or(*most), *most);
        return {source_->source.priority, least, backlog()};
    }
    ShedJudge::Terms shed_terms() const {
        return ShedJudge::terms_of(views(), backlog(), parts_->limits.shed_after, parts_->limits.resume_after);
    }
    std::int64_t backlog() const { return parts_->limits.max_inflight_events / kBacklogPart; }

    // --- the beginning of a life ---

    void take_epoch(const Result<TakenEpoch>& taken) {
        if (!taken) return fail(taken.error());
        life_.epoch_taken(*taken, epoch_asked_, steady_clock::now());
        AskStartFacts question{partition_, life_.marked(), {}};
        for (const auto& plan : views())
            question.views.push_back(
                {is_new_ ? Start{StartEarliest{}} : plan->view().start.value_or(source_->source.start)});
        send(watch_, std::move(question));
    }

    void begin(const StartFacts& facts) {
        if (!*facts.log) return fail(facts.log->error());
        sheds_ = seat_->sheds();
        std::vector<ViewStart> starts;
        for (std::size_t v = 0; v < views().size(); ++v)
            starts.push_back(
                view_start(*views()[v], source_->source, facts.view_starts[v], sheds_ && sheddable_[v]));
        const auto decision = life_.begin(**facts.log, steady_clock::now(), starts);
        if (!decision) return fail(decision.error());
        for (const std::string& note : decision->notes) log::warn(note, {.partition = partition_});
        begin_at(*decision);
    }

    void begin_at(const StartDecision& decision) {
        spawn_aggregators(decision);
        intake_.restart(decision.clock, decision.count_from);
        const auto me = caf::actor_cast<ConsumerActor>(this);
        const auto started =
            parts_->log->start(partition_, decision.from, [me] { caf::anon_send(me, Wake{}); });
        if (!started) return fail(started.error());
        send(watch_, WatchEnd{partition_, me});
        send(supervisor_, PartitionRunning{partition_, life_.epoch()});
        log::info(partition_.text() + ": consuming from offset " + std::to_string(decision.from.value) +
                      " under epoch " + std::to_string(life_.epoch().value) + ", generation " +
                      std::to_string(life_.generation().value),
                  {.partition = partition_, .offset = decision.from, .epoch = life_.epoch()});
        go_on();
        drain();
    }

    void spawn_aggregators(const StartDecision& decision) {
        const auto me = caf::actor_cast<ConsumerActor>(this);
        for (std::size_t i = 0; i < aggregator_count(); ++i) {
            aggregators_.push_back(spawn_aggregator(
                system(),
                {partition_, life_.epoch(), life_.generation(), i, decision.from, source_, decision.layouts,
                 parts_->limits.max_inflight_events / 2, parts_->memory, seat_},
                me, writer_, *parts_->metrics, *parts_->watchdog));
            link_to(aggregators_.back());
        }
    }

    // --- draining ---

    void drain() {
        if (!life_.may_drain()) {
            if (life_.waits_for_store()) end_backlog();
            return;
        }
        const auto busy = post_->busy();
        auto batch = intake_.new_batch();
        std::vector<Rejection> rejected;
        // So that a batch of huge events is a small part of what may be under way.
        const std::size_t events = static_cast<std::size_t>(parts_->limits.batch_events);
        const DrainLimit max(seat_->gives_way() ? std::max<std::size_t>(1, events / kSmallStep) : events,
                             static_cast<std::size_t>(parts_->limits.max_inflight_bytes) / 4);
        const Drained drained = parts_->log->drain(partition_, max, [&](const LogRecord& record) {
            const std::size_t before = rejected.size();
            intake_.add(record, *batch, rejected);
            for (std::size_t i = before; i < rejected.size(); ++i) send_dead_letter(record, rejected[i]);
        });
        if (drained.next && *drained.next > life_.shipped_to()) {
            ship(std::move(batch), *drained.next, drained.more);
        } else if (!life_.behind_log()) {
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
        life_.dead_letter_sent(record.offset);
        parts_->metrics->event_dropped(partition_.topic, name_of(rejection.letter.reason), 1);
        const auto me = caf::actor_cast<ConsumerActor>(this);
        parts_->dead_letters->send(std::move(letter), [me, epoch = life_.epoch(), offset = record.offset] {
            caf::anon_send(me, DeadLetterAcked{epoch, offset});
        });
    }

    void ship(std::unique_ptr<EventBatch> batch, Offset next, bool more) {
        intake_.finish(*batch, next);
        life_.ship(*batch);
        if (batch->read) unseen_.emplace_back(next, batch->read->last.time);
        parts_->metrics->events_read(partition_.topic, batch->records, batch->bytes);
        hand_out(std::move(batch), more || life_.behind_log());
    }

    void hand_out(std::unique_ptr<EventBatch> batch, bool more) {
        batch->more = backlog_ = more;
        batch->read_at = steady_clock::now();
        if (batch->read) {
            const auto now = std::chrono::floor<Duration>(std::chrono::system_clock::now());
            batch->behind = std::max(Duration{0}, now - batch->read->last.time);
        }
        const Shared<EventBatch> shared = std::move(batch);
        for (const AggregatorActor& aggregator : aggregators_)
            send(aggregator, BatchReady{life_.epoch(), shared});
    }

    // The batch that was promised to follow comes without events.
    void end_backlog() {
        if (!backlog_) return;
        auto batch = intake_.new_batch();
        intake_.finish(*batch, life_.shipped_to());
        life_.ship(*batch);
        hand_out(std::move(batch), false);
    }

    // --- the frontier, the record, the commit ---

    void take_progress(const AggregatorProgress& progress) {
        life_.stored(progress.aggregator, progress.safe, progress.counted);
        count_metrics(progress);
        count_readable();
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

    void count_readable() {
        const auto now = std::chrono::floor<Duration>(std::chrono::system_clock::now());
        for (; !unseen_.empty() && unseen_.front().first <= life_.stored_to(); unseen_.pop_front())
            parts_->metrics->readable(partition_.topic, std::max(Duration{0}, now - unseen_.front().second));
    }

    // Does what has become due: drains again, advances the record, ends.
    void go_on() {
        if (life_.wake_due()) send(this, Wake{});
        if (auto update = life_.next_advance())
            send(writer_, AdvanceRequest{partition_, life_.epoch(), std::move(*update)});
        finish_if_stopped();
    }

    void take_advance(const Result<Advanced>& advanced) {
        if (!advanced) return fail(advanced.error());
        const auto now = steady_clock::now();
        life_.advanced(*advanced, now);
        commit(life_.next_commit(now));
        go_on();
    }

    void commit(std::optional<Offset> next) {
        if (next) parts_->log->commit(partition_, *next);
    }

    void take_end(const EndOffset& end) {
        if (!life_.begun()) return;
        const auto same = life_.log_ended(end.asked, steady_clock::now(), end.end, end.partitions);
        if (!same) return fail(same.error());
        const Offset recorded = life_.recorded();
        parts_->metrics->lag(partition_, std::max<std::int64_t>(0, end.end.value - recorded.value));
        std::size_t entities = 0;
        for (const std::size_t n : entities_) entities += n;
        send(supervisor_, PartitionStatus{partition_, life_.epoch(), recorded, end.end, entities});
        for (const AggregatorActor& aggregator : aggregators_) send(aggregator, KeepToMemory{});
        const auto now = steady_clock::now();
        if (auto change = seat_->look(now, life_.turn_look(now))) send(supervisor_, std::move(*change));
        if (auto change = seat_->take_shed_change()) send(supervisor_, std::move(*change));
        if (seat_->sheds() != sheds_) replace();
        // What was to follow has not come since the last time: what waits for it need not.
        if (std::exchange(shipped_before_, life_.shipped_to()) == life_.shipped_to()) end_backlog();
        commit(life_.next_commit());
        go_on();
    }

    // --- the end of a life ---

    caf::typed_response_promise<Stopped> stop() {
        stopped_ = make_response_promise<Stopped>();
        if (life_.begun()) {
            stop_draining();
            finish_if_stopped();
        } else {
            end_life();
        }
        return stopped_;
    }

    void stop_draining() {
        life_.stop();
        parts_->log->stop(partition_);
        end_backlog();
    }

    // What is counted of a view is settled when a life begins, so another one is to follow.
    void replace() {
        if (std::exchange(replaced_, true)) return;
        stop_draining();
    }

    void finish_if_stopped() {
        if (!life_.over()) return;
        commit(life_.next_commit());
        log::info(partition_.text() + ": stopped at offset " + std::to_string(life_.recorded().value),
                  {.partition = partition_, .offset = life_.recorded(), .epoch = life_.epoch()});
        if (replaced_ && !stopped_.pending()) send(supervisor_, PartitionReplaced{partition_});
        end_life();
    }

    void end_life() {
        if (stopped_.pending()) stopped_.deliver(Stopped{partition_});
        // A normal end does not end what is linked.
        for (const AggregatorActor& aggregator : aggregators_)
            send_exit(aggregator, caf::exit_reason::user_shutdown);
        quit();
    }

    void fail(const Error& error) {
        if (life_.begun()) parts_->log->stop(partition_);
        send(supervisor_, PartitionFailed{partition_, error});
        end_life();
    }

    const Partition partition_;
    const bool is_new_;
    std::shared_ptr<const SourcePlan> source_;
    std::shared_ptr<const IngestParts> parts_;
    WriterActor writer_;
    LogWatchActor watch_;
    SupervisorActor supervisor_;

    PartitionLife life_;
    const std::shared_ptr<TurnOrder::Seat> seat_;
    const std::vector<bool> sheddable_;  // of the views
    bool sheds_ = false;                 // in this life
    bool replaced_ = false;              // it ends, for the source does so no more, or does so now
    const steady_clock::time_point epoch_asked_ = steady_clock::now();
    EventIntake intake_;
    std::vector<AggregatorActor> aggregators_;
    // Of batches that look-ups do not see yet: the end, and Kafka's time of the last record.
    std::deque<std::pair<Offset, Timestamp>> unseen_;
    bool backlog_ = false;       // the last batch handed out promised another
    Offset shipped_before_{-1};  // when the log's end was told last
    std::vector<EntityTable::Counts> seen_;
    std::vector<std::size_t> entities_;

    caf::typed_response_promise<Stopped> stopped_;
    std::shared_ptr<Watchdog::Post> post_;
};

}  // namespace

ConsumerActor spawn_consumer(caf::actor_system& system, Partition partition, PartitionFacts facts,
                             std::shared_ptr<const SourcePlan> source, std::shared_ptr<const IngestParts> parts,
                             WriterActor writer, LogWatchActor watch, SupervisorActor supervisor) {
    return system.spawn<PartitionConsumer>(std::move(partition), facts, std::move(source), std::move(parts),
                                           std::move(writer), std::move(watch), std::move(supervisor));
}

}  // namespace freshet
