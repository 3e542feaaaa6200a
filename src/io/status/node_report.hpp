// What a node says of itself at one moment, and whether it can serve.
#pragma once

#include <chrono>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "io/config/config.hpp"
#include "io/lookup/lookup_server.hpp"
#include "io/node_status.hpp"
#include "model/activity.hpp"

namespace freshet {

struct NodeReport {
    enum class Phase : std::uint8_t { starting, running, stopping };

    Timestamp now{};
    Phase phase = Phase::starting;
    std::string node;  // its name in progress records
    std::string version;
    std::chrono::seconds uptime{};
    Roles roles;
    std::optional<LookupReport> lookups;  // none: it does not serve, or not yet
    std::map<Partition, PartitionReport> partitions;
    std::set<std::string> shed_views;  // ids of those that it leaves out, for others of their source
    std::deque<ActivitySample> activity;
};

// Why a node cannot serve within its SLAs, each for people; empty: it can. A node that does not serve is ready
// when it counts.
std::vector<std::string> obstacles(const NodeReport& report);

}  // namespace freshet
