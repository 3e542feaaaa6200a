#include "io/status/node_report.hpp"

namespace freshet {

namespace {

// A reader looks once a second; one that has not for so long is stuck.
constexpr Duration kLooksWithin{5'000};

void add_obstacles(const ViewReport& view, std::vector<std::string>& all) {
    const std::string what =
        view.feature.empty() ? "view " + view.view : "feature " + view.view + "." + view.feature;
    if (view.state == ViewReport::State::not_known)
        all.push_back(what + ": its staleness is not known yet" +
                      (view.reason.empty() ? "" : "; " + view.reason));
    if (view.state != ViewReport::State::in_breach) return;
    all.push_back(
        what + " is in breach: " +
        (view.staleness ? std::to_string(view.staleness->count()) + " ms behind" : "staleness not known") +
        ", may be " + std::to_string(view.max_staleness->count()) + " ms; " + view.reason);
}

void add_obstacles(const FreshnessReport& freshness, Timestamp now, std::vector<std::string>& all) {
    if (!freshness.looked_at) {
        all.emplace_back("how fresh the views are has not been looked at yet");
        return;
    }
    if (now - *freshness.looked_at > kLooksWithin)
        all.push_back("look-ups are stuck: nobody has looked at the views for " +
                      std::to_string((now - *freshness.looked_at).count() / 1000) + " s");
    if (!freshness.store.connected) all.push_back(freshness.store.connection);
    for (const ViewReport& view : freshness.views) add_obstacles(view, all);
}

}  // namespace

std::vector<std::string> obstacles(const NodeReport& report) {
    if (report.phase == NodeReport::Phase::starting)
        return {"the node is starting; it may be waiting for Redis or Kafka, as its log tells"};
    if (report.phase == NodeReport::Phase::stopping) return {"the node is stopping"};
    std::vector<std::string> all;
    if (report.lookups) {
        add_obstacles(report.lookups->freshness, report.now, all);
        return all;
    }
    for (const auto& [partition, one] : report.partitions)
        if (one.state == PartitionReport::State::failed)
            all.push_back("partition " + partition.text() + " failed: " + one.error);
    return all;
}

}  // namespace freshet
