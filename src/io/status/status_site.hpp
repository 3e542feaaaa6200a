// The site of a node: its status page, the API behind it, health checks and metrics, by HTTP
// (docs/status-page.md).
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "io/config/config.hpp"
#include "io/metrics.hpp"
#include "io/status/node_report.hpp"

namespace freshet {

class StatusSite {
public:
    // `node`: its name in progress records. `config` is read here and not kept; the others outlive the site.
    StatusSite(const Config& config, std::string node, Metrics& metrics, const NodeStatus& partitions);
    ~StatusSite();

    // Listens from now on, and says that the node is starting. The port that was taken is returned.
    Result<std::uint16_t> start();
    void set(NodeReport::Phase phase);
    // Look-ups are asked there from now on; null: nowhere. Asks nothing of the former when it returns.
    void look_up_in(LookupServer* lookups);
    // Reads the files of metrics.tls again; on failure the former ones stay.
    Result<void> reload_certificates();
    void stop();

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace freshet
