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
    // How long the partitions of a dead node stand still. Only tests change it.
    Duration session_timeout{6000};
};

enum class KafkaRole {
    member,    // of the consumer group: fetches, and commits by hand
    query,     // asks for offsets and metadata; joins nothing, fetches nothing
    producer,  // never loses or doubles a record within its life; keeps the order
    courier,   // never loses a record, may send it twice
};

Result<KafkaConf> kafka_conf(const KafkaSettings& settings, KafkaRole role);

}  // namespace freshet
