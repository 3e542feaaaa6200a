#include "io/kafka/embedded_broker.hpp"

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

namespace freshet {

// The host is a client without brokers: nothing it could report is of interest.
EmbeddedBroker::EmbeddedBroker() : silent_([](const Error&) {}), context_{&silent_, nullptr} {}

Result<std::unique_ptr<EmbeddedBroker>> EmbeddedBroker::start() {
    std::unique_ptr<EmbeddedBroker> broker{new EmbeddedBroker};
    auto host = make_kafka_client(KafkaClientKind::producer, KafkaConf{rd_kafka_conf_new()}, broker->context_);
    if (!host) return host.error();
    broker->host_ = std::move(*host);
    broker->cluster_ = rd_kafka_mock_cluster_new(broker->host_.get(), 1);
    if (broker->cluster_ == nullptr) {
        return Error{
            Errc::unavailable,
            "the embedded Kafka cannot listen on 127.0.0.1; name running brokers in kafka.brokers instead"};
    }
    return broker;
}

EmbeddedBroker::~EmbeddedBroker() {
    if (cluster_ != nullptr) rd_kafka_mock_cluster_destroy(cluster_);
}

std::string EmbeddedBroker::brokers() const { return rd_kafka_mock_cluster_bootstraps(cluster_); }

Result<void> EmbeddedBroker::create_topic(const std::string& name, int partitions) {
    const auto err = rd_kafka_mock_topic_create(cluster_, name.c_str(), partitions, 1);
    if (err == RD_KAFKA_RESP_ERR_NO_ERROR) return {};
    return kafka_error(err,
                       "creating the topic " + name + " with " + std::to_string(partitions) + " partitions");
}

void EmbeddedBroker::forbid_topic(const std::string& name) {
    rd_kafka_mock_topic_set_error(cluster_, name.c_str(), RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
}

}  // namespace freshet
