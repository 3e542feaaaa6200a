#include "io/kafka/kafka_queries.hpp"

#include <librdkafka/rdkafka.h>

namespace freshet {
namespace {

constexpr Duration kIdle{10};

rd_kafka_resp_err_t error_of(const KafkaPartitions& list, rd_kafka_resp_err_t err) {
    return err != RD_KAFKA_RESP_ERR_NO_ERROR ? err : list->elems[0].err;
}

}  // namespace

KafkaQueries::KafkaQueries(std::string brokers, KafkaReports& reports)
    : brokers_(std::move(brokers)), context_{&reports, nullptr} {}

Result<std::unique_ptr<KafkaQueries>> KafkaQueries::open(const KafkaSettings& settings, KafkaReports& reports) {
    auto conf = kafka_conf(settings, KafkaRole::query);
    if (!conf) return conf.error();
    std::unique_ptr<KafkaQueries> queries{new KafkaQueries(settings.brokers, reports)};
    auto client = make_kafka_client(KafkaClientKind::consumer, std::move(*conf), queries->context_);
    if (!client) return client.error();
    queries->client_ = std::move(*client);
    return queries;
}

Error KafkaQueries::failed(int code, const std::string& what, Duration timeout) const {
    switch (code) {
        case RD_KAFKA_RESP_ERR__TIMED_OUT:
        case RD_KAFKA_RESP_ERR__TRANSPORT:
        case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN:
        case RD_KAFKA_RESP_ERR__RESOLVE:
            return {Errc::unavailable,
                    what + ": no answer from the Kafka brokers " + brokers_ + " within " +
                        std::to_string(timeout.count()) +
                        " ms; check kafka.brokers, and that they run and can be reached from here"};
        default:
            return kafka_error(code, what);
    }
}

Result<LogRange> KafkaQueries::range(const Partition& partition, Duration timeout) {
    LogRange range{};
    const auto err =
        rd_kafka_query_watermark_offsets(client_.get(), partition.topic.c_str(), partition.id.value,
                                         &range.low.value, &range.end.value, kafka_ms(timeout));
    if (err != RD_KAFKA_RESP_ERR_NO_ERROR)
        return failed(err, "asking for the offsets of " + partition.text(), timeout);
    return range;
}

Result<Offset> KafkaQueries::offset_at(const Partition& partition, Timestamp time, Duration timeout) {
    const KafkaPartitions list = kafka_partitions(partition, unix_ms(time));
    const auto err = error_of(list, rd_kafka_offsets_for_times(client_.get(), list.get(), kafka_ms(timeout)));
    if (err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return failed(err, "asking for the offset at a time of " + partition.text(), timeout);
    }
    if (list->elems[0].offset >= 0) return Offset{list->elems[0].offset};
    const auto all = range(partition, timeout);
    if (!all) return all.error();
    return all->end;
}

Result<std::optional<Offset>> KafkaQueries::committed(const Partition& partition, Duration timeout) {
    const KafkaPartitions list = kafka_partitions(partition, RD_KAFKA_OFFSET_INVALID);
    const auto err = error_of(list, rd_kafka_committed(client_.get(), list.get(), kafka_ms(timeout)));
    if (err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return failed(err, "asking for the committed offset of " + partition.text(), timeout);
    }
    if (list->elems[0].offset < 0) return std::optional<Offset>{};
    return std::optional{Offset{list->elems[0].offset}};
}

Result<std::vector<std::optional<LogMark>>> KafkaQueries::marks_at(const Partition& partition,
                                                                   const std::vector<Offset>& offsets,
                                                                   Duration timeout) {
    std::vector<std::optional<LogMark>> marks;
    if (offsets.empty()) return marks;
    const auto all = range(partition, timeout);
    if (!all) return all.error();
    const std::lock_guard lock(fetching_);
    const KafkaTopic topic{rd_kafka_topic_new(client_.get(), partition.topic.c_str(), nullptr)};
    if (topic == nullptr)
        return kafka_error(rd_kafka_last_error(), "reading marked messages of " + partition.text());
    for (const Offset offset : offsets) {
        if (offset < all->low || offset >= all->end) {
            marks.emplace_back();
            continue;
        }
        auto mark = mark_at(topic.get(), partition, offset, timeout);
        if (!mark) return mark.error();
        marks.push_back(*mark);
    }
    return marks;
}

// A connection that is idle looks only once a second at what it shall fetch, unless another question wakes it.
KafkaQueries::KafkaMessage KafkaQueries::consume_one(rd_kafka_topic_s* topic, const Partition& partition,
                                                     Duration timeout) {
    const auto deadline = std::chrono::steady_clock::now() + timeout;
    for (;;) {
        KafkaMessage message(rd_kafka_consume(topic, partition.id.value, kafka_ms(kIdle)),
                             &rd_kafka_message_destroy);
        const auto left = std::chrono::floor<Duration>(deadline - std::chrono::steady_clock::now());
        if (message != nullptr || left <= Duration{0}) return message;
        (void)range(partition, left);
    }
}

Result<std::optional<LogMark>> KafkaQueries::mark_at(rd_kafka_topic_s* topic, const Partition& partition,
                                                     Offset offset, Duration timeout) {
    const std::string what = "reading offset " + std::to_string(offset.value) + " of " + partition.text();
    if (rd_kafka_consume_start(topic, partition.id.value, offset.value) != 0)
        return kafka_error(rd_kafka_last_error(), what);
    const KafkaMessage message = consume_one(topic, partition, timeout);
    rd_kafka_consume_stop(topic, partition.id.value);
    if (message == nullptr) return failed(RD_KAFKA_RESP_ERR__TIMED_OUT, what, timeout);
    if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF ||
        message->err == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET)
        return std::optional<LogMark>{};
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) return failed(message->err, what, timeout);
    if (message->offset != offset.value) return std::optional<LogMark>{};
    const auto text = [](const void* bytes, std::size_t size) {
        return std::string_view(static_cast<const char*>(bytes), size);
    };
    std::optional<std::string_view> value;
    if (message->payload != nullptr) value = text(message->payload, message->len);
    return std::optional(mark_of(offset, from_unix_ms(rd_kafka_message_timestamp(message.get(), nullptr)),
                                 text(message->key, message->key_len), value));
}

Result<std::int32_t> KafkaQueries::partition_count(const std::string& topic, Duration timeout) {
    const std::string what = "asking for the partitions of " + topic;
    const KafkaTopic handle{rd_kafka_topic_new(client_.get(), topic.c_str(), nullptr)};
    if (handle == nullptr) return kafka_error(rd_kafka_last_error(), what);
    const rd_kafka_metadata_t* metadata = nullptr;
    const auto err = rd_kafka_metadata(client_.get(), 0, handle.get(), &metadata, kafka_ms(timeout));
    if (err != RD_KAFKA_RESP_ERR_NO_ERROR) return failed(err, what, timeout);
    const std::unique_ptr<const rd_kafka_metadata_t, decltype(&rd_kafka_metadata_destroy)> owner(
        metadata, &rd_kafka_metadata_destroy);
    if (metadata->topic_cnt != 1) return kafka_error(RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC, what);
    if (metadata->topics[0].err != RD_KAFKA_RESP_ERR_NO_ERROR)
        return failed(metadata->topics[0].err, what, timeout);
    return metadata->topics[0].partition_cnt;
}

Result<std::map<std::string, std::int32_t>> KafkaQueries::partition_counts(
    const std::vector<std::string>& topics, Duration timeout) {
    std::map<std::string, std::int32_t> counts;
    std::string missing;
    for (const std::string& topic : topics) {
        const auto count = partition_count(topic, timeout);
        if (count) {
            counts[topic] = *count;
        } else if (count.error().code == Errc::not_found) {
            missing += (missing.empty() ? "" : ", ") + topic;
        } else {
            return count.error();
        }
    }
    if (missing.empty()) return counts;
    return Error{Errc::not_found,
                 "no such Kafka topic at " + brokers_ + ": " + missing +
                     "; create it (kafka-topics.sh --create --topic NAME --partitions N), or correct "
                     "`topic:` of the source"};
}

Result<std::string> KafkaQueries::cluster_id(Duration timeout) {
    const std::unique_ptr<char, void (*)(char*)> id(rd_kafka_clusterid(client_.get(), kafka_ms(timeout)),
                                                    [](char* text) { rd_kafka_mem_free(nullptr, text); });
    if (id == nullptr)
        return failed(RD_KAFKA_RESP_ERR__TIMED_OUT, "asking for the id of the Kafka cluster", timeout);
    return std::string(id.get());
}

Result<std::string> KafkaQueries::topic_setting(const std::string& topic, const std::string& name,
                                                Duration timeout) {
    const std::string what = "asking for " + name + " of " + topic;
    const std::unique_ptr<rd_kafka_AdminOptions_t, decltype(&rd_kafka_AdminOptions_destroy)> options(
        rd_kafka_AdminOptions_new(client_.get(), RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS),
        &rd_kafka_AdminOptions_destroy);
    char reason[256];
    rd_kafka_AdminOptions_set_request_timeout(options.get(), kafka_ms(timeout), reason, sizeof reason);
    const std::unique_ptr<rd_kafka_ConfigResource_t, decltype(&rd_kafka_ConfigResource_destroy)> asked(
        rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic.c_str()), &rd_kafka_ConfigResource_destroy);
    const std::unique_ptr<rd_kafka_queue_t, decltype(&rd_kafka_queue_destroy)> queue(
        rd_kafka_queue_new(client_.get()), &rd_kafka_queue_destroy);
    rd_kafka_ConfigResource_t* all[] = {asked.get()};
    rd_kafka_DescribeConfigs(client_.get(), all, 1, options.get(), queue.get());
    const std::unique_ptr<rd_kafka_event_t, decltype(&rd_kafka_event_destroy)> event(
        rd_kafka_queue_poll(queue.get(), kafka_ms(timeout)), &rd_kafka_event_destroy);
    if (event == nullptr) return failed(RD_KAFKA_RESP_ERR__TIMED_OUT, what, timeout);
    if (const auto err = rd_kafka_event_error(event.get()); err != RD_KAFKA_RESP_ERR_NO_ERROR)
        return failed(err, what, timeout);
    std::size_t count = 0;
    const auto* answers =
        rd_kafka_DescribeConfigs_result_resources(rd_kafka_event_DescribeConfigs_result(event.get()), &count);
    if (count != 1) return failed(RD_KAFKA_RESP_ERR__TIMED_OUT, what, timeout);
    if (const auto err = rd_kafka_ConfigResource_error(answers[0]); err != RD_KAFKA_RESP_ERR_NO_ERROR)
        return failed(err, what, timeout);
    const auto* entries = rd_kafka_ConfigResource_configs(answers[0], &count);
    for (std::size_t i = 0; i < count; ++i)
        if (const char* value = rd_kafka_ConfigEntry_value(entries[i]);
            value && name == rd_kafka_ConfigEntry_name(entries[i]))
            return std::string(value);
    return Error{Errc::refused, what + ": Kafka does not know of it"};
}

}  // namespace freshet
