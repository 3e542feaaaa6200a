// How Freshet talks to Kafka: the settings that are ours, those that are advice, and the user's own.
#pragma once

#include <map>
#include <string>

#include "io/kafka/kafka_client.hpp"
#include "model/ids.hpp"
#include "model/result.hpp"

namespace freshet {

struct KafkaSettings {
    std::string brokers;  // host:port, separated by commas
    std::string group;
    std::string client_id = "freshet";  // what brokers' logs show; a unique end is added for each client
    std::string instance;               // of a static member of the group; empty: a dynamic one
    // librdkafka's names and values. They override our advice; reserved_property() says which are refused.
    std::map<std::string, std::string> properties;
    // What the member's queues should hold at most, all partitions of its topics together; 0: librdkafka's
    // settings alone decide.
    std::size_t queued_bytes = 0;
    // How long the partitions of a dead node stand still. Only tests change it.
    Duration session_timeout{6000};
    // Of a transactor: of two with one name only the later goes on.
    std::string transactional_id{};
};

enum class KafkaRole {
    member,      // of the consumer group: fetches, and commits by hand
    query,       // asks for offsets and metadata; joins nothing, fetches nothing
    producer,    // never loses or doubles a record within its life; keeps the order
    courier,     // never loses a record, may send it twice
    reader,      // of whole topics: joins nothing
    transactor,  // a producer whose records count all or none
};

// Of each partition's queue, what is fetched and not yet drained: fetching goes on below both.
struct QueueLimits {
    std::size_t messages;
    std::size_t kbytes;

    // The least that goes well.
    static constexpr std::size_t kLeastMessages = 2000;
    static constexpr std::size_t kLeastKbytes = 1024;
    // With what librdkafka needs for a message beside its bytes, which is counted in neither.
    static constexpr std::size_t kMessageBytes = 512;

    // So that `partitions` queues stay at `bytes` together, or at the least if that is more.
    static QueueLimits of(std::size_t bytes, std::size_t partitions);
    static constexpr QueueLimits least() { return {kLeastMessages, kLeastKbytes}; }
    constexpr std::size_t bytes() const { return messages * kMessageBytes + kbytes * 1024; }
};
// Whether `properties` say how much a queue holds, so that QueueLimits do not.
bool sets_queues(const std::map<std::string, std::string>& properties);

Result<KafkaConf> kafka_conf(const KafkaSettings& settings, KafkaRole role);

}  // namespace freshet
