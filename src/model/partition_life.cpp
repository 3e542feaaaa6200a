#include "model/partition_life.hpp"

#include <algorithm>

namespace freshet {

namespace {
constexpr std::chrono::seconds kCommitEvery{1};
}

PartitionLife::PartitionLife(PartitionClaim claim, Limits limits, std::shared_ptr<MemoryBudget> memory)
    : claim_(std::move(claim)),
      limits_(limits),
      frontier_(Offset{0}, limits.aggregators),
      memory_(std::move(memory)) {}

void PartitionLife::epoch_taken(const TakenEpoch& taken, SteadyTime asked, SteadyTime received) {
    taken_ = taken;
    if (taken.before) claim_.partitions = std::max(claim_.partitions, taken.before->partitions);
    epoch_asked_ = asked;
    watermark_.redis_time(received, taken.redis_now);
}

std::vector<Offset> PartitionLife::marked() const {
    std::vector<Offset> offsets;
    if (taken_.before)
        for (const LogMark& mark : taken_.before->log.marks) offsets.push_back(mark.offset);
    return offsets;
}

Result<StartDecision> PartitionLife::begin(const LogFacts& facts, SteadyTime received,
                                           std::span<const ViewStart> views) {
    // Redis's time when Kafka was asked, or later: what is skipped had arrived by then.
    const Timestamp redis_now =
        taken_.redis_now + taken_.clocks_apart + std::chrono::ceil<Duration>(received - epoch_asked_);
    auto decision = decide_start(claim_, taken_.before, facts, views, redis_now);
    if (!decision) return decision;
    log_ = decision->log;
    views_ = decision->views;
    view_ids_.clear();
    shed_.clear();
    for (const ViewStart& view : views) {
        view_ids_.push_back(view.id);
        shed_.push_back(view.shed);
    }
    for (std::size_t v = 0; v < views.size(); ++v) layouts_[view_ids_[v]] = decision->layouts[v];
    if (taken_.before && taken_.before->log.generation == log_.generation)
        read_before_ = last_read(*taken_.before);
    frontier_ = Frontier(decision->from, limits_.aggregators);
    counted_.assign(limits_.aggregators, decision->from);
    shipped_to_ = decision->from;
    log_end_ = facts.range.end;
    return decision;
}

bool PartitionLife::may_drain() {
    if (!begun() || stopping_) return false;
    starved_ = !recorded_once_ || !has_credit();
    return !starved_;
}

bool PartitionLife::wake_due() {
    return starved_ && recorded_once_ && has_credit() && std::exchange(starved_, false);
}

// Short of memory, a partition reads on only when it has nothing under way, whose end would free some.
bool PartitionLife::has_credit() const { return !waits_for_store() && held_.sum() < limits_.inflight_bytes; }

bool PartitionLife::waits_for_store() const {
    if (stopping_ || (memory_.budget().exhausted() && unstored_.sum() > 0)) return true;
    return unstored_.sum() >= limits_.inflight_events;
}

void PartitionLife::ship(EventBatch& batch) {
    batch.epoch = epoch();
    batch.recorded_clock = recorded_clock();
    if (batch.read && log_.marks.empty()) add_mark(log_.marks, batch.read->first);
    if (batch.read) add_mark(log_.marks, batch.read->last);
    if (batch.next == shipped_to_) return;
    shipped_to_ = batch.next;
    frontier_.shipped(batch.next, batch.clock);
    unstored_.shipped(batch.next, batch.records);
    held_.shipped(batch.next, batch.memory_bytes());
    growth_.shipped(batch.next, batch.growth_bytes());
    memory_.set(held_.sum() + growth_.sum());
}

// What no view's record is behind; none while one has no clock.
std::optional<Timestamp> PartitionLife::recorded_clock() const {
    const auto behind = [](const ViewProgress& a, const ViewProgress& b) { return a.clock < b.clock; };
    return std::min_element(views_.begin(), views_.end(), behind)->clock;
}

void PartitionLife::stored(std::size_t aggregator, Offset safe, Offset counted) {
    frontier_.flushed(aggregator, safe);
    counted_[aggregator] = counted;
    const Offset counted_by_all = *std::min_element(counted_.begin(), counted_.end());
    held_.done(counted_by_all);
    growth_.done(counted_by_all);
    memory_.set(held_.sum() + growth_.sum());
    unstored_.done(frontier_.safe().next);
}

void PartitionLife::dead_letter_acked(Offset offset) {
    frontier_.dead_letter_acked(offset);
    unstored_.done(frontier_.safe().next);
}

Result<void> PartitionLife::log_ended(SteadyTime asked, SteadyTime received, Offset end,
                                      std::int32_t partitions) {
    if (read_by_ && asked >= read_by_->first && end < read_by_->second)
        return Error{Errc::unavailable, claim_.partition.text() + " ends at offset " +
                                            std::to_string(end.value) + " although it was read up to " +
                                            std::to_string(read_by_->second.value) +
                                            ": it was truncated or made anew"};
    read_by_ = {received, shipped_to_};
    log_end_ = end;
    claim_.partitions = partitions;
    watermark_.log_ended(asked, end);
    heartbeat_due_ = true;
    return {};
}

// What the record should say of a view.
ViewProgress PartitionLife::progress_of(std::size_t view) const {
    const ViewProgress& recorded = views_[view];
    ViewProgress now = recorded;
    const Frontier::Mark& safe = frontier_.safe();
    now.next = std::max(now.next, safe.next);
    if (now.next == safe.next) now.clock = std::max(now.clock, safe.clock);
    if (shed_[view]) return now;
    now.watermark = std::max(now.watermark, watermark_.at(now.next));
    // What is missing has other times than the clock that stood when it went missing. Values that former lives
    // stored beyond the record may lack what lies before them.
    if (now.clock <= recorded.clock || now.next <= read_before_) return now;
    if (now.since == kSincePending) now.since = now.clock;
    for (auto& [name, feature] : now.features)
        if (feature.since == kSincePending) feature.since = now.clock;
    return now;
}

std::optional<ProgressUpdate> PartitionLife::next_advance() {
    if (advancing_ || !begun()) return std::nullopt;
    ProgressUpdate update{claim_.partitions, log_, {}, {}};
    for (std::size_t v = 0; v < views_.size(); ++v) {
        const ViewProgress now = progress_of(v);
        if (now != views_[v] || heartbeat_due_) update.views.emplace(view_ids_[v], now);
    }
    if (update.views.empty()) return std::nullopt;
    heartbeat_due_ = false;
    // Before anything is stored in them.
    if (!recorded_once_) update.layouts = layouts_;
    advancing_ = update;
    return update;
}

void PartitionLife::advanced(const Advanced& advanced, SteadyTime received) {
    if (!advancing_) return;
    watermark_.redis_time(received, advanced.redis_now);
    for (std::size_t v = 0; v < views_.size(); ++v)
        if (const auto found = advancing_->views.find(view_ids_[v]); found != advancing_->views.end())
            views_[v] = found->second;
    advancing_.reset();
    recorded_once_ = true;
}

Offset PartitionLife::recorded() const {
    const auto behind = [](const ViewProgress& a, const ViewProgress& b) { return a.next < b.next; };
    return std::min_element(views_.begin(), views_.end(), behind)->next;
}

TurnLook PartitionLife::turn_look(SteadyTime now) const {
    const auto reached = watermark_.reached_at(recorded());
    return {std::chrono::ceil<Duration>(now - reached.value_or(epoch_asked_)), reached.has_value(),
            std::max<std::int64_t>(0, log_end_.value - recorded().value), recorded().value};
}

std::optional<Offset> PartitionLife::next_commit(std::optional<SteadyTime> now) {
    if (recorded() == committed_) return std::nullopt;
    if (now && committed_at_ && *now - *committed_at_ < kCommitEvery) return std::nullopt;
    if (now) committed_at_ = now;
    committed_ = recorded();
    return committed_;
}

bool PartitionLife::over() const { return stopping_ && !advancing_ && frontier_.safe().next >= shipped_to_; }

}  // namespace freshet
