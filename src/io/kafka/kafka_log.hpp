// The event log in Kafka: a member of the consumer group whose partitions each have a queue of their own.
#pragma once

#include <memory>

#include "io/event_log.hpp"
#include "io/kafka/kafka_settings.hpp"

namespace freshet {

class KafkaMember;
class KafkaQueries;
class KafkaReports;

// One thread of its own serves the group: rebalances, results of commits, errors. Any thread may call; a call
// for a partition waits for a drain of the same partition, and never for a rebalance.
//
// Against librdkafka's mock cluster offset_at() answers with the end, whatever the time.
class KafkaLog final : public EventLog {
public:
    // Connects to nothing yet. Fails when a property is wrong.
    static Result<std::unique_ptr<KafkaLog>> open(KafkaSettings settings);
    ~KafkaLog() override;

    // Once. Blocks until the brokers have said that the topics exist, or up to 10 s.
    Result<void> subscribe(const std::vector<std::string>& topics, GroupListener& listener) override;
    // Up to 5 s, `revoked` of the listener included. What is not closed by then is left behind, which the
    // listener is told: the process should end soon, and the listener outlive it.
    void close() override;

    Result<void> start(const Partition& partition, Offset from, std::function<void()> wake) override;
    Drained drain(const Partition& partition, DrainLimit max,
                  const std::function<void(const LogRecord&)>& sink) override;
    void stop(const Partition& partition) override;

    // Goes out with what else came, some two times a second and at a revocation.
    void commit(const Partition& partition, Offset next) override;
    Result<std::optional<Offset>> committed(const Partition& partition, Duration timeout) override;

    Result<LogRange> range(const Partition& partition, Duration timeout) override;
    Result<Offset> offset_at(const Partition& partition, Timestamp time, Duration timeout) override;
    Result<std::vector<std::optional<LogMark>>> marks_at(const Partition& partition,
                                                         const std::vector<Offset>& offsets,
                                                         Duration timeout) override;
    Result<std::map<std::string, std::int32_t>> partition_counts(const std::vector<std::string>& topics,
                                                                 Duration timeout) override;
    Result<std::string> cluster_id(Duration timeout) override;

private:
    explicit KafkaLog(KafkaSettings settings);

    const KafkaSettings settings_;
    std::shared_ptr<KafkaMember> member_;  // outlives this when it cannot be closed
    std::unique_ptr<KafkaQueries> queries_;
};

}  // namespace freshet
