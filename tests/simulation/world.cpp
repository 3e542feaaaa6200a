#include "world.hpp"

#include <algorithm>

namespace freshet::simulation {

using namespace std::chrono_literals;

World::World(std::uint64_t seed, Plant plant, bool trace)
    : seed_(seed),
      dice_(seed, ~std::uint64_t{0}),
      tracing_(trace),
      store_(plant, counts_),
      nodes_{Node("n0", plant, logs_, steady_, counts_), Node("n1", plant, logs_, steady_, counts_)},
      partitions_(1 + dice_.below(kMostPartitions)),
      fault_percent_(std::array<std::size_t, 4>{10, 30, 60, 100}[dice_.below(4)]),
      check_(logs_, counts_) {
    if (tracing_)
        for (Node& node : nodes_) node.trace = &trace_;
    for (std::size_t p = 0; p < partitions_; ++p) {
        owner_[p] = dice_.below(kNodes);
        nodes_[owner_[p]].owns[p] = true;
    }
}

const std::vector<World::Action>& World::actions() {
    static const std::vector<Action> kActions = {
        {150, "produce", &World::produce},
        {8, "leap", &World::leap},
        {140, "consumer turn", &World::consumer_turn},
        {140, "aggregator turn", &World::aggregator_turn},
        {80, "drain", &World::drain},
        {60, "evict", &World::evict},
        {100, "send", &World::send},
        {90, "deliver", &World::deliver},
        {90, "answer", &World::answer},
        {40, "begin life", &World::begin_life},
        {50, "watch", &World::watch},
        {15, "ack dead letter", &World::ack_dead_letter},
        {50, "pump", &World::pump},
        {15, "late delivery", &World::deliver_late},
        {20, "hear", &World::hear},
        {10, "boot", &World::boot},
        {8, "resume", &World::resume},
        {6, "get memory", &World::get_memory},
        {10, "snapshot", &World::take_snapshot},
        {6, "shed", &World::shed},
        {10, "count again", &World::resume_view},
        {30, "time out", &World::time_out, true},
        {8, "take over", &World::take_over, true},
        {5, "hand over", &World::hand_over, true},
        {6, "crash", &World::crash, true},
        {6, "pause", &World::pause, true},
        {9, "fail life", &World::fail_life, true},
        {3, "lose commits", &World::lose_commits, true},
        {7, "roll back", &World::roll_back, true},
        {2, "empty store", &World::empty_store, true},
        {3, "out of memory", &World::run_out_of_memory, true},
        {4, "retain", &World::retain, true},
        {3, "truncate", &World::truncate, true},
        {3, "make anew", &World::make_anew, true},
    };
    return kActions;
}

void World::step(std::uint64_t number) {
    static const std::size_t kTotal = [] {
        std::size_t total = 0;
        for (const Action& action : actions()) total += action.weight;
        return total;
    }();
    dice_ = Dice(seed_, number);
    tick(Duration{dice_.between(1, dice_.percent(20) ? 600 : 40)});
    std::size_t drawn = dice_.below(kTotal);
    const bool fault = dice_.percent(fault_percent_);
    for (const Action& action : actions()) {
        if (drawn >= action.weight) {
            drawn -= action.weight;
            continue;
        }
        if (action.is_fault && !fault) return;
        if (tracing_) note(std::to_string(number) + " " + action.name);
        return (this->*action.run)();
    }
}

void World::note(const std::string& what) {
    if (tracing_) trace_ += what + "\n";
}

void World::note_records() {
    if (!tracing_) return;
    const auto text = [](std::optional<Timestamp> t) {
        return !t ? "-" : t == kSincePending ? "pending" : std::to_string(unix_ms(*t));
    };
    for (std::size_t p = 0; p < partitions_; ++p) {
        const auto& record = store_.state.records[p];
        note("partition " + std::to_string(p) + ": log " + std::to_string(logs_[p].low().value) + " to " +
             std::to_string(logs_[p].end().value) + (record ? "" : ", no record"));
        if (!record) continue;
        for (const auto& [id, view] : record->views)
            note("    " + id + " generation " + std::to_string(view.generation.value) + " next " +
                 std::to_string(view.next.value) + " clock " + text(view.clock) + " since " + text(view.since));
    }
}

void World::tick(Duration time) {
    clock_ += time;
    steady_ += time;
}

// --- events ---

void World::produce() {
    for (std::int64_t n = dice_.between(1, 4); n > 0; --n) {
        const std::size_t p = any_partition();
        FakeEvent event{};
        event.arrived = kafka_now();
        event.time = kafka_now() - Duration{dice_.between(0, 1500)};
        if (dice_.percent(10)) event.time = kafka_now() - Duration{dice_.between(0, 30'000)};
        if (dice_.percent(8)) event.time = kafka_now() + Duration{dice_.between(0, 2'500)};
        for (std::size_t& entity : event.entity) entity = dice_.below(kEntities);
        event.amount = dice_.between(1, 9);
        if (tracing_)
            note("    offset " + std::to_string(logs_[p].end().value) + " of " + std::to_string(p) + ": " +
                 plan().names[event.entity[0]] + " " + plan().names[event.entity[1]] +
                 " n=" + std::to_string(event.amount) + " at " + std::to_string(unix_ms(event.time)));
        logs_[p].append(event);
        for (Node& node : nodes_) node.consumers[p].wakes = true;
    }
}

void World::leap() { tick(Duration{dice_.between(500, 6'000)}); }

// --- the nodes' turns ---

void World::consumer_turn() {
    Node& node = any_node();
    Consumer& consumer = node.consumers[any_partition()];
    for (std::size_t n = 1 + dice_.below(3); n > 0 && runs(node) && !consumer.mailbox.empty(); --n)
        consumer.handle_next();
}

void World::aggregator_turn() {
    Node& node = any_node();
    Consumer& consumer = node.consumers[any_partition()];
    const std::size_t a = dice_.below(kAggregators);
    for (std::size_t n = 1 + dice_.below(3); n > 0 && runs(node) && !consumer.aggregators[a].mailbox.empty();
         --n)
        consumer.aggregator_handles_next(a);
}

void World::drain() {
    Node& node = any_node();
    Consumer& consumer = node.consumers[any_partition()];
    if (runs(node) && consumer.living() && consumer.wakes) consumer.drain(1 + dice_.below(4));
}

// One that rests, or all that do.
void World::evict() {
    Node& node = any_node();
    const std::size_t bytes = dice_.percent(50) ? 1 : std::size_t{1} << 20;
    if (runs(node)) node.consumers[any_partition()].evict(dice_.below(kAggregators), bytes);
}

void World::send() {
    Node& node = any_node();
    if (runs(node)) send_pipeline(node);
}

void World::send_pipeline(Node& node) {
    if (node.writer.away()) return;
    std::vector<Call> calls = node.writer.next_pipeline();
    if (calls.empty()) return;
    Connection& connection = connections_[index_of(node)].emplace(Connection{});
    connection.calls = calls.size();
    connection.pending.assign(std::make_move_iterator(calls.begin()), std::make_move_iterator(calls.end()));
}

void World::begin_life() {
    Node& node = any_node();
    const std::size_t p = any_partition();
    if (runs(node) && node.owns[p] && !node.consumers[p].living()) node.consumers[p].begin_life();
}

void World::watch() {
    Node& node = any_node();
    const std::size_t p = any_partition();
    Consumer& consumer = node.consumers[p];
    if (!runs(node) || !consumer.living()) return;
    if (consumer.waits_for_facts()) return consumer.answer_facts();
    consumer.answer_end(logs_[p].end(), steady_);
}

void World::ack_dead_letter() {
    Node& node = any_node();
    Consumer& consumer = node.consumers[any_partition()];
    if (!runs(node) || consumer.unacked.empty()) return;
    const auto which =
        consumer.unacked.begin() + static_cast<std::ptrdiff_t>(dice_.below(consumer.unacked.size()));
    consumer.mailbox.push_back(*which);
    consumer.unacked.erase(which);
}

bool World::run_turns(Node& node, std::size_t p) {
    Consumer& consumer = node.consumers[p];
    bool did = false;
    if (node.owns[p] && !consumer.living()) {
        consumer.begin_life();
        did = true;
    }
    if (consumer.waits_for_facts()) {
        consumer.answer_facts();
        did = true;
    }
    for (; !consumer.mailbox.empty(); did = true) consumer.handle_next();
    if (consumer.living() && consumer.wakes) {
        consumer.drain(4);
        did = true;
    }
    for (std::size_t a = 0; a < kAggregators; ++a)
        for (; !consumer.aggregators[a].mailbox.empty(); did = true) consumer.aggregator_handles_next(a);
    return did;
}

// Whether anything was done.
bool World::run_all_turns(Node& node) {
    bool did = false;
    for (std::size_t p = 0; p < partitions_; ++p) did = run_turns(node, p) || did;
    send_pipeline(node);
    auto& connection = connections_[index_of(node)];
    if (!connection) return did;
    deliver_calls(*connection, connection->calls);
    deliver_answer(node);
    return true;
}

void World::pump() {
    Node& node = any_node();
    for (std::size_t n = 1 + dice_.below(8); n > 0 && runs(node); --n)
        if (!run_all_turns(node)) return;
}

// --- the network ---

Reply World::run_in_store(const Call& call) {
    const auto* advance = std::get_if<AdvanceCall>(&call);
    const auto partition = advance ? static_cast<std::size_t>(advance->fence.partition.id.value) : 0;
    std::optional<ProgressRecord> before;
    if (advance) before = store_.state.records[partition];
    if (std::holds_alternative<TakeCall>(call)) tick(1ms);
    Reply reply = store_.run(call, redis_now());
    const auto* written = std::get_if<Result<std::uint64_t>>(&reply);
    if (written && *written) check_.written(store_.state, std::get<WriteCall>(call));
    const auto* advanced = std::get_if<Result<Advanced>>(&reply);
    if (advanced && *advanced) check_.advanced(before, store_.state, partition, redis_now());
    return reply;
}

void World::deliver_calls(Connection& connection, std::size_t most) {
    for (; most > 0 && !connection.pending.empty(); --most) {
        connection.replies.push_back(run_in_store(connection.pending.front()));
        connection.pending.pop_front();
    }
}

void World::deliver() {
    auto& connection = connections_[dice_.below(kNodes)];
    if (connection) deliver_calls(*connection, 1 + dice_.below(3));
}

void World::deliver_answer(Node& node) {
    auto& connection = connections_[index_of(node)];
    std::vector<Reply> replies = std::move(connection->replies);
    const std::size_t calls = connection->calls;
    connection.reset();
    node.writer.answered(std::move(replies), calls);
}

void World::answer() {
    Node& node = any_node();
    const auto& connection = connections_[index_of(node)];
    if (runs(node) && connection && connection->pending.empty()) deliver_answer(node);
}

// The sender gives a connection up; what it sent may still arrive, after anything that it sends from now on.
void World::abandon(Node& node, std::size_t replies) {
    auto& connection = connections_[index_of(node)];
    if (dice_.percent(85) && !connection->pending.empty()) late_.push_back(std::move(connection->pending));
    connection->replies.erase(connection->replies.begin() + static_cast<std::ptrdiff_t>(replies),
                              connection->replies.end());
    connection->pending.clear();
}

void World::time_out() {
    Node& node = any_node();
    auto& connection = connections_[index_of(node)];
    if (!runs(node) || !connection) return;
    abandon(node, dice_.below(connection->replies.size() + 1));
    deliver_answer(node);
}

void World::deliver_late() {
    if (late_.empty()) return;
    const std::size_t which = dice_.below(late_.size());
    auto& calls = late_[which];
    for (std::size_t n = 1 + dice_.below(3); n > 0 && !calls.empty(); --n) {
        (void)run_in_store(calls.front());
        counts_.met(Met::late);
        calls.pop_front();
    }
    if (calls.empty() || dice_.percent(10)) late_.erase(late_.begin() + static_cast<std::ptrdiff_t>(which));
}

// --- the end ---

void World::end_all_faults() {
    store_.out_of_memory = false;
    for (std::size_t p = 0; p < partitions_; ++p) {
        nodes_[owner_[p]].up = true;
        handing_over_[p] = false;
    }
    for (Node& node : nodes_) {
        node.paused = false;
        node.commits_are_lost = false;
        node.sheds = {};
        for (std::size_t p = 0; p < partitions_; ++p) {
            node.owns[p] = node.up && owner_[p] == index_of(node);
            if (!node.owns[p]) node.consumers[p].end_life();
            if (node.consumers[p].shed()) node.consumers[p].stop();
            node.consumers[p].wakes = true;
        }
    }
}

bool World::caught_up() const {
    for (std::size_t p = 0; p < partitions_; ++p) {
        const auto& record = store_.state.records[p];
        if (!record || record->views.size() < kViews || !nodes_[owner_[p]].consumers[p].living()) return false;
        for (const auto& [id, view] : record->views)
            if (view.next != logs_[p].end() || view.generation != record->log.generation) return false;
    }
    return late_.empty();
}

void World::heal_and_compare() {
    constexpr int kMostRounds = 600;
    end_all_faults();
    int quiet = 0;
    for (int round = 0; quiet < 3; ++round) {
        if (round == kMostRounds) {
            note_records();
            return check_.fail("the nodes do not catch up");
        }
        tick(2ms);
        deliver_late();
        bool did = false;
        for (Node& node : nodes_) did = (node.up && run_all_turns(node)) || did;
        if (did) continue;
        quiet = caught_up() ? quiet + 1 : 0;
        for (std::size_t p = 0; p < partitions_; ++p) {
            Consumer& consumer = nodes_[owner_[p]].consumers[p];
            for (; !consumer.unacked.empty(); consumer.unacked.pop_front())
                consumer.mailbox.push_back(consumer.unacked.front());
            if (consumer.living()) consumer.answer_end(logs_[p].end(), steady_);
        }
    }
    store_.expire(redis_now());
    note_records();
    check_.compare_all(store_.state, partitions_, redis_now());
}

}  // namespace freshet::simulation
