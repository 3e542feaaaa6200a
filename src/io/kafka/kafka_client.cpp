#include "io/kafka/kafka_client.hpp"

#include <librdkafka/rdkafka.h>
#include <syslog.h>

namespace freshet {
namespace {

KafkaContext& context_of(void* opaque) { return *static_cast<KafkaContext*>(opaque); }

// Warnings tell of sessions and requests that timed out; CONFWARN of properties that are another client's.
void on_log(const rd_kafka_t* client, int level, const char* facility, const char* text) {
    if (level > LOG_WARNING || std::string_view(facility) == "CONFWARN") return;
    context_of(rd_kafka_opaque(client))
        .reports->report(facility, {Errc::unavailable, std::string("kafka: ") + text});
}

void on_error(rd_kafka_t* client, int code, const char* reason, void* opaque) {
    char fatal[512];
    if (code == RD_KAFKA_RESP_ERR__FATAL) {
        code = rd_kafka_fatal_error(client, fatal, sizeof fatal);
        reason = fatal;
    }
    const auto err = static_cast<rd_kafka_resp_err_t>(code);
    context_of(opaque).reports->report(rd_kafka_err2name(err),
                                       kafka_error(code, std::string("kafka: ") + reason));
}

}  // namespace

void KafkaDeleter::operator()(rd_kafka_s* client) const { rd_kafka_destroy(client); }
void KafkaDeleter::operator()(rd_kafka_conf_s* conf) const { rd_kafka_conf_destroy(conf); }
void KafkaDeleter::operator()(rd_kafka_topic_s* topic) const { rd_kafka_topic_destroy(topic); }
void KafkaDeleter::operator()(rd_kafka_topic_partition_list_s* list) const {
    rd_kafka_topic_partition_list_destroy(list);
}

KafkaPartitions kafka_partitions() { return KafkaPartitions{rd_kafka_topic_partition_list_new(8)}; }

KafkaPartitions kafka_partitions(const Partition& partition, std::int64_t offset) {
    KafkaPartitions list = kafka_partitions();
    rd_kafka_topic_partition_list_add(list.get(), partition.topic.c_str(), partition.id.value)->offset = offset;
    return list;
}

Error kafka_error(int code, const std::string& what) {
    const auto err = static_cast<rd_kafka_resp_err_t>(code);
    const std::string message = what + ": " + rd_kafka_err2str(err);
    switch (err) {
        case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
        case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
        case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
        case RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE:
        case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
            return {Errc::not_found, message};
        case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
        case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
        case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
        case RD_KAFKA_RESP_ERR__AUTHENTICATION:
        case RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED:
            return {Errc::refused, message};
        case RD_KAFKA_RESP_ERR__INVALID_ARG:
        case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
        case RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION:
            return {Errc::invalid_argument, message};
        default:
            return {Errc::unavailable, message};
    }
}

KafkaReports::KafkaReports(Sink sink, Duration every) : sink_(std::move(sink)), every_(every) {}

void KafkaReports::report(std::string_view kind, const Error& error) {
    std::uint64_t left_out = 0;
    {
        const std::lock_guard lock(mutex_);
        const auto now = std::chrono::steady_clock::now();
        const auto [it, is_new] = kinds_.try_emplace(std::string(kind));
        if (!is_new && now - it->second.last < every_) {
            ++it->second.left_out;
            return;
        }
        left_out = std::exchange(it->second.left_out, 0);
        it->second.last = now;
    }
    if (left_out == 0) {
        sink_(error);
    } else {
        sink_({error.code, error.message + " (and " + std::to_string(left_out) + " more since)"});
    }
}

Result<KafkaClient> make_kafka_client(KafkaClientKind kind, KafkaConf conf, KafkaContext& context) {
    rd_kafka_conf_set_opaque(conf.get(), &context);
    rd_kafka_conf_set_log_cb(conf.get(), on_log);
    rd_kafka_conf_set_error_cb(conf.get(), on_error);
    char reason[512];
    const auto type = kind == KafkaClientKind::consumer ? RD_KAFKA_CONSUMER : RD_KAFKA_PRODUCER;
    KafkaClient client{rd_kafka_new(type, conf.get(), reason, sizeof reason)};
    if (client == nullptr) return Error{Errc::invalid_argument, std::string("kafka.properties: ") + reason};
    (void)conf.release();  // the client's now
    return client;
}

}  // namespace freshet
