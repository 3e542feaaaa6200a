// The world of a schedule: Kafka, Redis, two nodes and what lies between them. Each step is drawn from the seed
// and its own number, so that a schedule without some of its steps is a schedule too, and can be shrunk.
#pragma once

#include <deque>
#include <optional>
#include <string>

#include "check.hpp"
#include "fake_log.hpp"
#include "fake_store.hpp"
#include "node.hpp"

namespace freshet::simulation {

class World {
public:
    World(std::uint64_t seed, Plant plant, bool trace);

    void step(std::uint64_t number);
    // Ends all faults, lets the nodes catch up, and compares every entity with the events.
    void heal_and_compare();

    // The first thing that went wrong.
    const std::optional<std::string>& failure() const { return check_.failure(); }
    const std::string& trace() const { return trace_; }
    const Counts& counts() const { return counts_; }

private:
    struct Connection {
        std::deque<Call> pending;
        std::vector<Reply> replies;
        std::size_t calls = 0;
    };
    struct Action {
        std::size_t weight;
        const char* name;
        void (World::*run)();
        bool is_fault = false;
    };
    static const std::vector<Action>& actions();

    // events
    void produce();
    void leap();
    // the nodes' turns
    void consumer_turn();
    void aggregator_turn();
    void drain();
    void evict();
    void send();
    void begin_life();
    void watch();
    void ack_dead_letter();
    void pump();
    // the network
    void deliver();
    void answer();
    void time_out();
    void deliver_late();
    // the group
    void take_over();
    void hand_over();
    void hear();
    // faults of nodes
    void crash();
    void boot();
    void pause();
    void resume();
    void fail_life();
    void lose_commits();
    // what a node leaves out
    void shed();
    void resume_view();
    void end_for_another(Consumer& consumer);
    // faults of the store
    void take_snapshot();
    void roll_back();
    void empty_store();
    void run_out_of_memory();
    void get_memory();
    // faults of the log
    void retain();
    void truncate();
    void make_anew();

    Timestamp redis_now() const { return from_unix_ms(1'700'000'000'000) + clock_; }
    Timestamp kafka_now() const { return redis_now(); }
    void tick(Duration time);
    Node& any_node() { return nodes_[dice_.below(kNodes)]; }
    std::size_t any_partition() { return dice_.below(partitions_); }
    std::size_t index_of(const Node& node) const { return static_cast<std::size_t>(&node - nodes_.data()); }
    static bool runs(const Node& node) { return node.up && !node.paused; }
    Reply run_in_store(const Call& call);
    void send_pipeline(Node& node);
    void deliver_calls(Connection& connection, std::size_t most);
    void deliver_answer(Node& node);
    void abandon(Node& node, std::size_t replies);
    bool run_all_turns(Node& node);
    bool run_turns(Node& node, std::size_t partition);
    bool caught_up() const;
    void end_all_faults();
    void note(const std::string& what);
    void note_records();

    const std::uint64_t seed_;
    Dice dice_;
    const bool tracing_;
    std::string trace_;
    Counts counts_;
    Duration clock_{0};
    SteadyTime steady_{};
    std::array<FakeLog, kMostPartitions> logs_;
    FakeStore store_;
    std::array<Node, kNodes> nodes_;
    std::array<std::optional<Connection>, kNodes> connections_;
    std::vector<std::deque<Call>> late_;  // pipelines whose sender has given up
    std::array<std::size_t, kMostPartitions> owner_{};
    std::array<bool, kMostPartitions> handing_over_{};
    std::size_t partitions_;
    std::size_t fault_percent_;  // of the faults drawn, how many happen
    Check check_;
};

}  // namespace freshet::simulation
