#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "actors/messages.hpp"
#include "actors/partition_consumer.hpp"
#include "actors/watchdog.hpp"
#include "io/node_status.hpp"

namespace freshet {

struct SupervisorSpec {
    std::map<std::string, std::shared_ptr<const SourcePlan>> sources;  // by topic
    std::map<std::string, std::int32_t> partitions;                    // by topic, when the node started
    std::shared_ptr<const IngestParts> parts;
    std::shared_ptr<NodeStatus> status;
    // Called once when going on would be wrong (a changed definition, another deployment's Redis): the node is
    // to end.
    std::function<void(const Error&)> refuse;
};

// Keeps one life running for every partition the group assigns to this node, and begins a new one, after a
// back-off, when a life fails or dies.
SupervisorActor spawn_supervisor(caf::actor_system& system, SupervisorSpec spec, WriterActor writer,
                                 LogWatchActor watch);

// The group's calls as messages to the supervisor. revoked() waits until the partitions are released. A
// rebalance that does not end is a case for the watchdog: it would hold up the whole group.
std::unique_ptr<GroupListener> make_group_listener(caf::actor_system& system, SupervisorActor supervisor,
                                                   Watchdog& watchdog);

}  // namespace freshet
