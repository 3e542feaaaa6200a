// A small Kafka inside the program, librdkafka's mock cluster: for trying out and for tests. It listens on
// 127.0.0.1, on a port of its own choice, and keeps 5 MiB a partition (as stored, compressed or not) and
// nothing across a restart. Topics that a client asks for come to be by themselves, with four partitions.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "io/kafka/kafka_client.hpp"
#include "model/result.hpp"

struct rd_kafka_mock_cluster_s;

namespace freshet {

class EmbeddedBroker {
public:
    static Result<std::unique_ptr<EmbeddedBroker>> start();
    ~EmbeddedBroker();

    std::string brokers() const;  // what `kafka.brokers` would say
    Result<void> create_topic(const std::string& name, int partitions);
    // From now on the topic does not exist, nor comes to be when it is asked for; create_topic() does not mend
    // that.
    void forbid_topic(const std::string& name);

    // What clients of it should set besides: it answers a fetch only when the wait is over, never as records
    // come.
    static std::map<std::string, std::string> properties() { return {{"fetch.wait.max.ms", "10"}}; }

private:
    EmbeddedBroker();

    KafkaReports silent_;
    KafkaContext context_;
    KafkaClient host_;
    rd_kafka_mock_cluster_s* cluster_ = nullptr;
};

}  // namespace freshet
