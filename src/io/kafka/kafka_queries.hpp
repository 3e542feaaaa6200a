// Questions to the brokers on a connection that fetches nothing, so that no held fetch delays an answer.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "io/kafka/kafka_client.hpp"
#include "io/kafka/kafka_settings.hpp"
#include "model/progress.hpp"

struct rd_kafka_message_s;

namespace freshet {

// Any thread may ask; each call blocks up to its timeout.
class KafkaQueries {
public:
    static Result<std::unique_ptr<KafkaQueries>> open(const KafkaSettings& settings, KafkaReports& reports);

    Result<LogRange> range(const Partition& partition, Duration timeout);
    Result<Offset> offset_at(const Partition& partition, Timestamp time, Duration timeout);
    Result<std::optional<Offset>> committed(const Partition& partition, Duration timeout);
    // Fetches each message alone, one call at a time.
    Result<std::vector<std::optional<LogMark>>> marks_at(const Partition& partition,
                                                         const std::vector<Offset>& offsets, Duration timeout);
    // not_found names the topics that do not exist and how to make them.
    Result<std::map<std::string, std::int32_t>> partition_counts(const std::vector<std::string>& topics,
                                                                 Duration timeout);
    Result<std::string> cluster_id(Duration timeout);
    // Such as `cleanup.policy`. Errc::refused where this client may not ask.
    Result<std::string> topic_setting(const std::string& topic, const std::string& name, Duration timeout);

private:
    using KafkaMessage = std::unique_ptr<rd_kafka_message_s, void (*)(rd_kafka_message_s*)>;

    KafkaQueries(std::string brokers, KafkaReports& reports);
    // None within the timeout.
    KafkaMessage consume_one(rd_kafka_topic_s* topic, const Partition& partition, Duration timeout);
    Result<std::optional<LogMark>> mark_at(rd_kafka_topic_s* topic, const Partition& partition, Offset offset,
                                           Duration timeout);
    Result<std::int32_t> partition_count(const std::string& topic, Duration timeout);
    Error failed(int code, const std::string& what, Duration timeout) const;

    const std::string brokers_;
    KafkaContext context_;
    KafkaClient client_;
    std::mutex fetching_;
};

}  // namespace freshet
