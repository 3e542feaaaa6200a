// Reads a topic to its end: every record that is committed, with its headers.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "io/kafka/kafka_client.hpp"
#include "io/kafka/kafka_settings.hpp"
#include "model/log_identity.hpp"

struct rd_kafka_message_s;

namespace freshet {

// Valid during the call that hands it out.
struct TopicRecord {
    PartitionId partition;
    Offset offset;
    Timestamp timestamp;
    std::optional<std::string_view> key;
    std::optional<std::string_view> value;
    std::vector<std::pair<std::string, std::string>> headers;
};

// One thread. Joins no group and commits nothing.
class KafkaTopicReader {
public:
    // Of each partition; `end` is the first offset that is not read.
    using Ranges = std::map<PartitionId, LogRange>;
    // False ends the reading.
    using Sink = std::function<bool(const TopicRecord&)>;

    static Result<std::unique_ptr<KafkaTopicReader>> open(const KafkaSettings& settings, KafkaReports& reports);

    // In the order of offsets within a partition. Fails when nothing comes for `patience`.
    Result<void> read(const std::string& topic, const Ranges& ranges, Duration patience, const Sink& sink);

private:
    explicit KafkaTopicReader(KafkaReports& reports);
    Result<bool> take(const std::string& topic, const rd_kafka_message_s& message, const Sink& sink);
    void advance(PartitionId partition, Offset next);

    KafkaContext context_;
    KafkaClient client_;
    Ranges left_;  // of the reading under way: partitions that are not at their end
};

}  // namespace freshet
