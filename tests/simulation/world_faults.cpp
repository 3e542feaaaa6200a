// What goes wrong: in the group, in the nodes, in the store and in the log.
#include "world.hpp"

namespace freshet::simulation {

// --- the group ---

void World::take_over() {
    const std::size_t p = any_partition();
    owner_[p] = 1 - owner_[p];
    handing_over_[p] = false;
    nodes_[owner_[p]].owns[p] = nodes_[owner_[p]].up;
}

void World::hand_over() {
    const std::size_t p = any_partition();
    Node& node = nodes_[owner_[p]];
    if (!runs(node) || !node.owns[p]) return;
    node.owns[p] = false;
    node.consumers[p].stop();
    handing_over_[p] = true;
}

// The group's word reaches a node: what it has lost, and what it has got.
void World::hear() {
    Node& node = any_node();
    if (!runs(node)) return;
    for (std::size_t p = 0; p < partitions_; ++p) {
        Consumer& consumer = node.consumers[p];
        if (handing_over_[p] && &node == &nodes_[owner_[p]]) {
            if (consumer.living() && dice_.percent(70)) continue;  // still flushing
            handing_over_[p] = false;
            owner_[p] = 1 - owner_[p];
        }
        node.owns[p] = owner_[p] == index_of(node) && !handing_over_[p];
        if (!node.owns[p]) consumer.end_life();
    }
}

// --- faults of nodes ---

void World::crash() {
    Node& node = any_node();
    if (!node.up) return;
    if (connections_[index_of(node)]) abandon(node, 0);
    connections_[index_of(node)].reset();
    node.owns = {};
    node.crash();
}

void World::boot() {
    Node& node = any_node();
    if (node.up) return;
    node.up = true;
    // With the same configuration or the other one.
    if (dice_.below(2) == 0) node.counts_sums = !node.counts_sums;
    for (std::size_t p = 0; p < partitions_; ++p) node.owns[p] = owner_[p] == index_of(node);
}

void World::pause() { any_node().paused = true; }
void World::resume() { any_node().paused = false; }

void World::fail_life() {
    Node& node = any_node();
    if (runs(node)) node.consumers[any_partition()].end_life();
}

void World::lose_commits() {
    Node& node = any_node();
    node.commits_are_lost = !node.commits_are_lost;
}

// --- what a node leaves out ---

// From the next life on, which may begin at once, by an end in order or not.
void World::shed() {
    Node& node = any_node();
    const std::size_t p = any_partition();
    if (!runs(node) || node.sheds[p]) return;
    node.sheds[p] = dice_.below(kViews);
    check_.may_shed(*node.sheds[p]);
    end_for_another(node.consumers[p]);
}

void World::resume_view() {
    Node& node = any_node();
    const std::size_t p = any_partition();
    if (!runs(node) || !node.sheds[p]) return;
    node.sheds[p].reset();
    end_for_another(node.consumers[p]);
}

void World::end_for_another(Consumer& consumer) {
    if (dice_.percent(80)) {
        consumer.stop();
    } else if (dice_.percent(50)) {
        consumer.end_life();
    }
}

// --- faults of the store ---

void World::take_snapshot() { store_.snapshot = store_.state; }
// By a restart, which ends all connections, or in place. What was answered before may still be read.
void World::roll_back() {
    if (!store_.snapshot) return;
    store_.state = *store_.snapshot;
    late_.clear();
    if (dice_.percent(30)) return;
    for (auto& connection : connections_)
        if (connection) connection->pending.clear();
}
void World::empty_store() { store_.state = {}; }
void World::run_out_of_memory() { store_.out_of_memory = true; }
void World::get_memory() { store_.out_of_memory = false; }

// --- faults of the log ---

void World::retain() {
    FakeLog& log = logs_[any_partition()];
    log.drop_below(Offset{dice_.between(log.low().value, log.end().value)});
}
void World::truncate() {
    FakeLog& log = logs_[any_partition()];
    if (log.end() > log.low()) log.truncate(Offset{dice_.between(log.low().value, log.end().value - 1)});
}
void World::make_anew() { logs_[any_partition()].make_anew(); }

}  // namespace freshet::simulation
