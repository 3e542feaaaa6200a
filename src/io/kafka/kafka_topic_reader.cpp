#include "io/kafka/kafka_topic_reader.hpp"

#include <librdkafka/rdkafka.h>

#include <chrono>

namespace freshet {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kReadPollMs = 100;

struct MessageDeleter {
    void operator()(rd_kafka_message_t* message) const { rd_kafka_message_destroy(message); }
};
using Message = std::unique_ptr<rd_kafka_message_t, MessageDeleter>;

std::optional<std::string_view> bytes(const void* at, std::size_t size) {
    if (at == nullptr) return std::nullopt;
    return std::string_view(static_cast<const char*>(at), size);
}

std::vector<std::pair<std::string, std::string>> headers_of(const rd_kafka_message_t& message) {
    std::vector<std::pair<std::string, std::string>> all;
    rd_kafka_headers_t* headers = nullptr;
    if (rd_kafka_message_headers(&message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR) return all;
    const char* name = nullptr;
    const void* value = nullptr;
    std::size_t size = 0;
    for (std::size_t i = 0;
         rd_kafka_header_get_all(headers, i, &name, &value, &size) == RD_KAFKA_RESP_ERR_NO_ERROR; ++i)
        all.emplace_back(name, std::string(bytes(value, size).value_or("")));
    return all;
}

}  // namespace

KafkaTopicReader::KafkaTopicReader(KafkaReports& reports) : context_{&reports, nullptr} {}

Result<std::unique_ptr<KafkaTopicReader>> KafkaTopicReader::open(const KafkaSettings& settings,
                                                                 KafkaReports& reports) {
    auto conf = kafka_conf(settings, KafkaRole::reader);
    if (!conf) return conf.error();
    std::unique_ptr<KafkaTopicReader> reader{new KafkaTopicReader(reports)};
    auto client = make_kafka_client(KafkaClientKind::consumer, std::move(*conf), reader->context_);
    if (!client) return client.error();
    reader->client_ = std::move(*client);
    rd_kafka_poll_set_consumer(reader->client_.get());
    return reader;
}

Result<void> KafkaTopicReader::read(const std::string& topic, const Ranges& ranges, Duration patience,
                                    const Sink& sink) {
    const KafkaPartitions list = kafka_partitions();
    left_.clear();
    for (const auto& [partition, range] : ranges) {
        if (range.low >= range.end) continue;
        left_[partition] = range;
        rd_kafka_topic_partition_list_add(list.get(), topic.c_str(), partition.value)->offset = range.low.value;
    }
    if (left_.empty()) return {};
    if (const auto err = rd_kafka_assign(client_.get(), list.get()); err != RD_KAFKA_RESP_ERR_NO_ERROR)
        return kafka_error(err, "reading " + topic);
    auto deadline = Clock::now() + patience;
    Result<bool> more = true;
    while (more && *more && !left_.empty()) {
        const Message message{rd_kafka_consumer_poll(client_.get(), kReadPollMs)};
        if (message != nullptr) {
            more = take(topic, *message, sink);
            deadline = Clock::now() + patience;
        } else if (Clock::now() > deadline) {
            more = Error{Errc::unavailable, "reading " + topic + ": Kafka sent nothing for " +
                                                std::to_string(patience.count()) +
                                                " ms; see whether its brokers are well, and try again"};
        }
    }
    rd_kafka_assign(client_.get(), nullptr);
    if (!more) return more.error();
    return {};
}

// Whether to go on.
Result<bool> KafkaTopicReader::take(const std::string& topic, const rd_kafka_message_s& message,
                                    const Sink& sink) {
    const PartitionId partition{message.partition};
    const Offset at{message.offset};
    if (message.err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
        advance(partition, at);
        return true;
    }
    if (message.err != RD_KAFKA_RESP_ERR_NO_ERROR)
        return kafka_error(message.err, "reading " + Partition{topic, partition}.text() + " at offset " +
                                            std::to_string(at.value));
    const auto left = left_.find(partition);
    if (left == left_.end()) return true;
    if (at < left->second.end) {
        TopicRecord record{partition, at, {}, {}, {}, {}};
        record.timestamp = from_unix_ms(rd_kafka_message_timestamp(&message, nullptr));
        record.key = bytes(message.key, message.key_len);
        record.value = bytes(message.payload, message.len);
        record.headers = headers_of(message);
        if (!sink(record)) return false;
    }
    advance(partition, at.next());
    return true;
}

void KafkaTopicReader::advance(PartitionId partition, Offset next) {
    const auto left = left_.find(partition);
    if (left != left_.end() && next >= left->second.end) left_.erase(left);
}

}  // namespace freshet
