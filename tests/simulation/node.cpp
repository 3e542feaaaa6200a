#include "node.hpp"

namespace freshet::simulation {

namespace {

// Small enough to be met.
constexpr PartitionLife::Limits kLimits{kAggregators, 6, 1 << 20};
constexpr Offset kFar{1'000'000};

std::vector<ViewStart> view_starts(bool with_sums, std::optional<std::size_t> shed) {
    std::vector<ViewStart> starts;
    for (const auto& view : plan().views) {
        starts.push_back({view->id(), view->fingerprint(), view->view().clock == View::Clock::wall, Offset{0},
                          plan().source.max_future});
        for (const FeaturePlan& feature : view->features())
            if (with_sums || &feature != &view->features()[kSum])
                starts.back().features.push_back({feature.name, feature.fingerprint});
        starts.back().shed = shed && view == plan().views[*shed];
    }
    return starts;
}

// What is stored without a feature, and what is read of a feature that one does not have: no column of it.
void forget_sums(std::vector<Tile>& tiles) {
    for (Tile& tile : tiles) tile.states[kSum] = SumIntState{};
}

void forget_sums(Head& head) {
    for (ResolutionHead& r : head.resolutions) {
        forget_sums(r.tiles);
        for (Merged& merged : r.merged)
            for (AccumulatorState& state : merged.states)
                if (std::holds_alternative<SumIntState>(state)) state = SumIntState{};
    }
}

}  // namespace

void Node::crash() {
    up = false;
    paused = false;
    for (Consumer& consumer : consumers) consumer.forget();
    writer.forget();
}

// --- the consumer ---

bool Consumer::is_ours(Epoch epoch) const {
    return life_ && (epoch == life_->epoch() || node_.plant == Plant::no_epoch);
}

void Consumer::forget() {
    life_.reset();
    mailbox.clear();
    unacked.clear();
    for (Aggregator& a : aggregators) a = {};
}

void Consumer::end_life() {
    life_.reset();
    for (Aggregator& a : aggregators) a.table.reset();
}

void Consumer::begin_life() {
    ++lives_;
    asks_facts_ = false;
    epoch_asked_ = node_.now;
    wakes = false;
    life_.emplace(PartitionClaim{partition_at(partition_), node_.name, "kafka", "freshet", 1}, kLimits);
    node_.writer.take(partition_, lives_, life_->claim());
}

void Consumer::handle_next() {
    ConsumerMessage message = std::move(mailbox.front());
    mailbox.pop_front();
    if (life_) std::visit([this](auto& m) { handle(m); }, message);
}

void Consumer::handle(EpochTaken& m) {
    if (m.life != lives_) return;
    if (!m.result) return end_life();
    life_->epoch_taken(*m.result, epoch_asked_, node_.now);
    recorded_marks_.clear();
    if (m.result->before) recorded_marks_ = m.result->before->log.marks;
    asks_facts_ = true;
}

void Consumer::answer_facts() {
    asks_facts_ = false;
    const FakeLog& log = node_.logs[partition_];
    LogFacts facts{log.range(), log.committed, {}, {}};
    if (log.end() > log.low()) facts.before_starts.push_back(*log.mark_at(Offset{log.end().value - 1}));
    for (const Offset offset : life_->marked()) facts.marked.push_back(log.mark_at(offset));
    if (node_.plant == Plant::no_generation) {
        facts.marked.assign(recorded_marks_.begin(), recorded_marks_.end());
        facts.range.end = kFar;
    }
    mailbox.push_back(StartFacts{lives_, std::move(facts)});
    // Between this look and the first fetch lie milliseconds; no topic is made anew within them.
    fetcher_ = log.fetch_from(Offset{0});
}

void Consumer::handle(StartFacts& m) {
    if (m.life != lives_) return;
    shed_ = node_.sheds[partition_];
    const bool is_told = node_.plant != Plant::no_pending;
    const auto decision =
        life_->begin(m.facts, node_.now, view_starts(node_.counts_sums, is_told ? shed_ : std::nullopt));
    if (!decision) return end_life();
    if (shed_) node_.counts.met(Met::shed);
    note(*decision);
    count_from_ = decision->count_from;
    if (shed_) count_from_[*shed_] = kNever;
    clock_ = decision->clock;
    fetcher_.position = decision->from;
    for (Aggregator& a : aggregators) {
        a.table.emplace(plan().views, partition_at(partition_).id, decision->log.generation, decision->from);
        a.epoch = life_->epoch();
        a.loading = 0;
        a.awaited.clear();
        a.known.clear();
        a.read.reset();
        a.reported = {a.epoch, 0, decision->from, decision->from};
    }
    go_on();
    wakes = true;
}

void Consumer::note(const StartDecision& decision) const {
    if (!node_.trace) return;
    std::string text = "    " + node_.name + " begins partition " + std::to_string(partition_) + " from " +
                       std::to_string(decision.from.value) + ", epoch " + std::to_string(life_->epoch().value) +
                       ", generation " + std::to_string(decision.log.generation.value) + ", marks";
    for (const LogMark& mark : decision.log.marks) text += " " + std::to_string(mark.offset.value);
    if (shed_) text += ", without " + plan().views[*shed_]->id();
    for (const std::string& line : decision.notes) text += "\n    " + line;
    *node_.trace += text + "\n";
}

void Consumer::handle(Progress& m) {
    if (!is_ours(m.epoch) || !life_->begun()) return;
    life_->stored(m.aggregator, m.safe, m.counted);
    go_on();
}

void Consumer::handle(AggregatorFailed& m) {
    if (is_ours(m.epoch)) end_life();
}

void Consumer::handle(AdvanceDone& m) {
    if (!is_ours(m.epoch) || !life_->begun()) return;
    if (!m.result) return end_life();
    life_->advanced(*m.result, node_.now);
    commit(life_->next_commit(node_.now));
    go_on();
}

void Consumer::handle(DeadLetterAcked& m) {
    if (!is_ours(m.epoch) || !life_->begun()) return;
    life_->dead_letter_acked(m.offset);
    go_on();
}

void Consumer::answer_end(Offset end, SteadyTime asked) { mailbox.push_back(EndOffset{lives_, asked, end}); }

void Consumer::handle(EndOffset& m) {
    if (m.life != lives_ || !life_->begun()) return;
    const bool generations = node_.plant != Plant::no_generation;
    if (!life_->log_ended(m.asked, node_.now, generations ? m.end : kFar, 1)) return end_life();
    commit(life_->next_commit());
    go_on();
}

void Consumer::go_on() {
    if (life_->wake_due()) wakes = true;
    if (auto update = life_->next_advance()) {
        if (node_.plant == Plant::early_since) put_since_back(*update);
        node_.writer.advance(partition_, life_->epoch(), std::move(*update));
    }
    if (!life_->over()) return;
    commit(life_->next_commit());
    end_life();
}

void Consumer::put_since_back(ProgressUpdate& update) {
    for (auto& [id, view] : update.views)
        if (view.since && view.since != kSincePending) *view.since -= Duration{4'000};
}

void Consumer::commit(std::optional<Offset> next) {
    if (next && !node_.commits_are_lost) node_.logs[partition_].committed = next;
}

void Consumer::stop() {
    if (!life_) return;
    life_->stop();
    if (!life_->begun()) return end_life();
    go_on();
}

void Consumer::drain(std::size_t most) {
    wakes = false;
    if (!life_->may_drain()) return;
    const FakeLog& log = node_.logs[partition_];
    if (log.out_of_range(fetcher_) && node_.plant != Plant::no_generation) return end_life();
    auto batch = std::make_shared<EventBatch>();
    batch->touches.resize(kAggregators);
    batch->events.reserve(most);
    batch->values.reserve(most * 3);
    const Offset end = std::min(log.end(), Offset{fetcher_.position.value + static_cast<std::int64_t>(most)});
    for (; fetcher_.position < end; fetcher_.position = fetcher_.position.next())
        take_record(*batch, fetcher_.position);
    if (batch->records == 0) return;
    batch->next = fetcher_.position;
    batch->clock = clock_;
    life_->ship(*batch);
    if (node_.plant == Plant::early_record)
        for (std::size_t a = 0; a < kAggregators; ++a) life_->stored(a, batch->next, batch->next);
    for (Aggregator& a : aggregators) a.mailbox.push_back(BatchReady{life_->epoch(), batch});
    wakes = true;
    if (node_.plant == Plant::early_record) go_on();
}

void Consumer::take_record(EventBatch& batch, Offset offset) {
    const FakeEvent& event = node_.logs[partition_].at(offset);
    const LogMark mark = *node_.logs[partition_].mark_at(offset);
    batch.read = {batch.read ? batch.read->first : mark, mark};
    ++batch.records;
    if (event.is_future()) {
        life_->dead_letter_sent(offset);
        unacked.push_back({life_->epoch(), offset});
        return;
    }
    clock_ = std::max(clock_, std::optional(event.time));
    const auto& names = plan().names;
    const std::size_t first_value = batch.values.size();
    for (const std::size_t entity : event.entity) batch.values.emplace_back(std::string_view(names[entity]));
    batch.values.emplace_back(event.amount);
    batch.events.push_back(
        {event.time, offset, *clock_, std::span<const Value>(batch.values).subspan(first_value)});
    for (std::size_t v = 0; v < kViews; ++v) {
        if (offset < count_from_[v] || !event.passes(v)) continue;
        batch.touches[aggregator_of(event.entity[v])].push_back(
            {static_cast<std::uint32_t>(batch.events.size() - 1), static_cast<std::uint32_t>(v),
             names[event.entity[v]]});
    }
}

// --- the aggregator ---

bool Consumer::is_ours(const Aggregator& a, Epoch epoch) const {
    return life_ && a.table && (epoch == a.epoch || node_.plant == Plant::no_epoch);
}

void Consumer::aggregator_handles_next(std::size_t index) {
    Aggregator& a = aggregators[index];
    AggregatorMessage message = std::move(a.mailbox.front());
    a.mailbox.pop_front();
    std::visit(
        [&](auto& m) {
            if (is_ours(a, m.epoch)) handle(a, index, m);
        },
        message);
}

void Consumer::handle(Aggregator& a, std::size_t index, BatchReady& m) {
    a.table->apply(m.batch, m.batch->touches[index]);
    a.read = {a.read ? a.read->first : m.batch->read->first, m.batch->read->last};
    aggregator_goes_on(a, index);
}

void Consumer::handle(Aggregator& a, std::size_t index, Loaded& m) {
    if (a.loading > 0) --a.loading;
    if (!m.result) return aggregator_failed(a, m.result.error());
    for (std::size_t i = 0; i < m.keys->size(); ++i) {
        // What was not asked for in this life may come only where messages of former lives are taken.
        const EntityKey& key = (*m.keys)[i];
        const auto same = [&](const EntityKey& k) { return k.view == key.view && k.name == key.name; };
        if (std::erase_if(a.awaited, same) == 0) continue;
        if (!a.known.emplace(key.view, key.name).second) node_.counts.met(Met::reloaded);
        std::optional<Head>& head = (*m.result)[i];
        if (head && !node_.counts_sums) forget_sums(*head);
        a.table->loaded(key, std::move(head));
    }
    aggregator_goes_on(a, index);
}

void Consumer::handle(Aggregator& a, std::size_t index, Flushed& m) {
    if (!m.result) return aggregator_failed(a, m.result.error());
    a.table->flushed();
    aggregator_goes_on(a, index);
}

void Consumer::evict(std::size_t index, std::size_t bytes) {
    if (!life_ || !aggregators[index].table) return;
    for (std::size_t n = aggregators[index].table->evict(bytes); n > 0; --n) node_.counts.met(Met::evicted);
}

void Consumer::aggregator_failed(Aggregator& a, const Error& error) {
    mailbox.push_back(AggregatorFailed{a.epoch, error});
    a.table.reset();
}

void Consumer::aggregator_goes_on(Aggregator& a, std::size_t index) {
    if (a.loading == 0) {
        if (auto keys = a.table->take_loads(); !keys.empty()) {
            ++a.loading;
            a.awaited.insert(a.awaited.end(), keys.begin(), keys.end());
            node_.writer.load(partition_, index, a.epoch, life_->generation(), std::move(keys));
        }
    }
    if (a.table->flush_due(0, node_.now)) flush(a, index);
    const Progress progress{a.epoch, index, a.table->safe(), a.table->counted()};
    if (progress.safe == a.reported.safe && progress.counted == a.reported.counted) return;
    a.reported = progress;
    mailbox.push_back(progress);
}

// A call for each half of the entities, so that a pipeline can be cut within a flush.
void Consumer::flush(Aggregator& a, std::size_t index) {
    std::vector<std::vector<PartialWrite>> writes;
    HeadView head;
    std::vector<EntityWindows::ChunkId> changed;
    a.table->take_flush([&](std::uint32_t view, const std::string& name, EntityWindows& windows) {
        const ViewPlan& views = *plan().views[view];
        windows.flush(views, a.table->recorded_clock(), head, changed);
        auto stored = std::make_shared<Head>(testing::copy_of(views, head));
        if (!node_.counts_sums) forget_sums(*stored);
        PartialWrite write{view, entity_index(name), std::move(stored), {}, {}};
        for (const EntityWindows::ChunkId& id : changed) {
            auto chunk = std::make_shared<Chunk>(Chunk{id.resolution, id.number, {}});
            for (const ConstRow row : windows.sealed_tiles(id))
                chunk->tiles.push_back(unpack(views.resolutions()[id.resolution].rows, row));
            if (!node_.counts_sums) forget_sums(chunk->tiles);
            write.changed[id] = chunk->tiles.empty() ? nullptr : std::move(chunk);
        }
        if (views.view().clock == View::Clock::wall) write.expire_at = windows.newest() + views.longest_kept();
        if (writes.empty() || writes.back().size() == 2) writes.emplace_back();
        writes.back().push_back(std::move(write));
    });
    std::vector<WriteCall> calls;
    for (auto& some : writes)
        calls.push_back({{}, std::make_shared<const std::vector<PartialWrite>>(std::move(some)), a.read});
    node_.writer.flush(partition_, index, a.epoch, std::move(calls));
}

}  // namespace freshet::simulation
