#include "io/kafka/kafka_log.hpp"

#include "io/kafka/kafka_member.hpp"
#include "io/kafka/kafka_queries.hpp"

namespace freshet {
namespace {

constexpr Duration kSubscribeTimeout{10'000};
constexpr Duration kCloseTimeout{5'000};

}  // namespace

KafkaLog::KafkaLog(KafkaSettings settings)
    : settings_(std::move(settings)), member_(std::make_shared<KafkaMember>()) {}

KafkaLog::~KafkaLog() { close(); }

Result<std::unique_ptr<KafkaLog>> KafkaLog::open(KafkaSettings settings) {
    std::unique_ptr<KafkaLog> log{new KafkaLog(std::move(settings))};
    auto queries = KafkaQueries::open(log->settings_, log->member_->reports());
    if (!queries) return queries.error();
    log->queries_ = std::move(*queries);
    return log;
}

Result<void> KafkaLog::subscribe(const std::vector<std::string>& topics, GroupListener& listener) {
    if (member_->joined())
        return Error{Errc::invalid_argument, "already a member of the group " + settings_.group};
    // librdkafka 2.0.2 may crash on a subscription to a topic that does not exist.
    const auto counts = partition_counts(topics, kSubscribeTimeout);
    if (!counts) return counts.error();
    KafkaSettings settings = settings_;
    if (settings.queued_bytes > 0 && !sets_queues(settings.properties)) {
        // All of them may be assigned to this node.
        std::size_t partitions = 0;
        for (const auto& [topic, count] : *counts) partitions += static_cast<std::size_t>(count);
        const QueueLimits limits = QueueLimits::of(settings.queued_bytes, partitions);
        settings.properties["queued.min.messages"] = std::to_string(limits.messages);
        settings.properties["queued.max.messages.kbytes"] = std::to_string(limits.kbytes);
    }
    auto conf = kafka_conf(settings, KafkaRole::member);
    if (!conf) return conf.error();
    return member_->join(std::move(*conf), topics, listener);
}

void KafkaLog::close() {
    if (member_->joined()) member_->leave(kCloseTimeout);
}

Result<void> KafkaLog::start(const Partition& partition, Offset from, std::function<void()> wake) {
    if (const auto held = member_->find(partition)) return held->start(from, std::move(wake));
    return Error{Errc::unavailable, partition.text() + " is not assigned to this node"};
}

Drained KafkaLog::drain(const Partition& partition, DrainLimit max,
                        const std::function<void(const LogRecord&)>& sink) {
    const auto held = member_->find(partition);
    return held == nullptr ? Drained{} : held->drain(max, sink);
}

void KafkaLog::stop(const Partition& partition) {
    if (const auto held = member_->find(partition)) held->stop();
}

void KafkaLog::commit(const Partition& partition, Offset next) { member_->commit(partition, next); }

Result<std::optional<Offset>> KafkaLog::committed(const Partition& partition, Duration timeout) {
    return queries_->committed(partition, timeout);
}

Result<LogRange> KafkaLog::range(const Partition& partition, Duration timeout) {
    return queries_->range(partition, timeout);
}

Result<Offset> KafkaLog::offset_at(const Partition& partition, Timestamp time, Duration timeout) {
    return queries_->offset_at(partition, time, timeout);
}

Result<std::vector<std::optional<LogMark>>> KafkaLog::marks_at(const Partition& partition,
                                                               const std::vector<Offset>& offsets,
                                                               Duration timeout) {
    return queries_->marks_at(partition, offsets, timeout);
}

Result<std::map<std::string, std::int32_t>> KafkaLog::partition_counts(const std::vector<std::string>& topics,
                                                                       Duration timeout) {
    return queries_->partition_counts(topics, timeout);
}

Result<std::string> KafkaLog::cluster_id(Duration timeout) { return queries_->cluster_id(timeout); }

}  // namespace freshet
