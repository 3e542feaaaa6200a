// Audits the partitions of this node on a thread of its own, one after the other, round after round
// (docs/audit.md). Nothing waits for it.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <thread>

#include "io/audit/audit_history.hpp"
#include "io/audit/audit_pace.hpp"
#include "io/audit/audit_round.hpp"
#include "io/config/config.hpp"
#include "io/events/event_intake.hpp"
#include "io/kafka/kafka_settings.hpp"
#include "io/metrics.hpp"
#include "io/node_status.hpp"

namespace freshet {

class Auditor {
public:
    struct Parts {
        AuditConfig config;
        KafkaSettings kafka;
        bool embedded_log = false;
        RedisConfig redis;
        std::shared_ptr<ClusterTopology> cluster;                          // null: a single server, or
        std::shared_ptr<SentinelWatch> sentinels;                          // the one that these name
        std::map<std::string, std::shared_ptr<const SourcePlan>> sources;  // by topic
        std::shared_ptr<NodeStatus> status;
        Metrics* metrics = nullptr;
    };

    explicit Auditor(Parts parts);
    ~Auditor();
    // Returns at once; the thread ends soon.
    void stop() { pace_.stop(); }

private:
    struct Figures {
        std::size_t partials = 0;
        std::size_t values = 0;
        std::size_t mismatches = 0;

        void add(const Figures& others);
        std::string text() const;
    };
    // Of all partitions.
    struct Round {
        std::size_t partitions = 0;
        Figures found;
        std::uint64_t one_in = 1;
        AuditSkipped skipped{};
        std::string reason;  // why something was passed over
    };

    void run();
    Result<void> open();
    Round run_round();
    void take(const SourcePlan& source, const AuditOutcome& outcome, Round& round);
    void tell(const Round& round, Duration took);

    const Parts parts_;
    AuditPace pace_;
    KafkaReports reports_;
    AuditHistory history_;
    AuditStore store_;
    std::unique_ptr<KafkaQueries> queries_;
    std::unique_ptr<KafkaTopicReader> reader_;
    std::uint64_t rounds_ = 0;
    Figures all_;
    std::thread thread_;
};

}  // namespace freshet
