#include "io/kafka/kafka_partition.hpp"

#include <librdkafka/rdkafka.h>

#include <thread>

namespace freshet {
namespace {

constexpr int kSeekTimeoutMs = 2000;
// How long librdkafka may need to begin with a partition that was added to the assignment.
constexpr auto kBeginTimeout = std::chrono::milliseconds{300};

// The wakes of a queue are called with its lock held.
void on_queue_filled(rd_kafka_t*, void* opaque) { (*static_cast<std::function<void()>*>(opaque))(); }

Result<void> result_of(rd_kafka_error_t* error, const std::string& what) {
    if (error == nullptr) return {};
    const Error ours{Errc::unavailable, what + ": " + rd_kafka_error_string(error)};
    rd_kafka_error_destroy(error);
    return ours;
}

bool ends_consumption(rd_kafka_resp_err_t err) {
    switch (err) {
        case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
        case RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE:
        case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
        case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
        case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
        case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
            return true;
        default:
            return false;
    }
}

}  // namespace

void KafkaPartition::QueueDeleter::operator()(rd_kafka_queue_s* queue) const { rd_kafka_queue_destroy(queue); }

KafkaPartition::KafkaPartition(rd_kafka_s* client, Partition id, KafkaReports& reports)
    : client_(client),
      id_(std::move(id)),
      reports_(reports),
      topic_(rd_kafka_topic_new(client, id_.topic.c_str(), nullptr)),
      queue_(rd_kafka_queue_get_partition(client, id_.topic.c_str(), id_.id.value)) {
    rd_kafka_queue_forward(queue_.get(), nullptr);
}

Result<void> KafkaPartition::start(Offset from, std::function<void()> wake) {
    {
        const std::lock_guard lock(mutex_);
        if (left_ || refusing_) {
            return Error{Errc::unavailable, id_.text() + " is no longer assigned to this node"};
        }
        silence();
        if (auto done = reposition(from); !done) return done;
        next_ = from;
        failed_ = false;
        wake_ = wake;
        rd_kafka_queue_cb_event_enable(queue_.get(), on_queue_filled, &wake_);
    }
    // What stood in the queue before hides the coming records from the edge that wakes.
    wake();
    return {};
}

Result<void> KafkaPartition::reposition(Offset from) {
    if (!assigned_) return add_to_assignment(from);
    if (auto done = failed_ ? assign_anew(from) : seek(from); !done) return done;
    if (paused_) {
        rd_kafka_resume_partitions(client_, kafka_partitions(id_, RD_KAFKA_OFFSET_INVALID).get());
        paused_ = false;
    }
    return {};
}

Result<void> KafkaPartition::seek(Offset from) {
    const auto deadline = std::chrono::steady_clock::now() + kBeginTimeout;
    for (;;) {
        const auto err = rd_kafka_seek(topic_.get(), id_.id.value, from.value, kSeekTimeoutMs);
        if (err == RD_KAFKA_RESP_ERR_NO_ERROR) return {};
        if (err != RD_KAFKA_RESP_ERR__STATE && err != RD_KAFKA_RESP_ERR__PREV_IN_PROGRESS) {
            return kafka_error(err, "positioning " + id_.text());
        }
        // Not begun yet, since librdkafka waits for commits first; or ended by an error nobody drained.
        if (std::chrono::steady_clock::now() > deadline) return assign_anew(from);
        std::this_thread::sleep_for(std::chrono::milliseconds{2});
    }
}

// The one way out of an error that ended consumption: a seek is refused then. Rare.
Result<void> KafkaPartition::assign_anew(Offset from) {
    const KafkaPartitions list = kafka_partitions(id_, RD_KAFKA_OFFSET_INVALID);
    if (auto done = result_of(rd_kafka_incremental_unassign(client_, list.get()), "positioning " + id_.text());
        !done) {
        return done;
    }
    assigned_ = false;
    discard();
    return add_to_assignment(from);
}

Result<void> KafkaPartition::add_to_assignment(Offset from) {
    const KafkaPartitions list = kafka_partitions(id_, from.value);
    auto done = result_of(rd_kafka_incremental_assign(client_, list.get()), "starting " + id_.text());
    assigned_ = static_cast<bool>(done);
    return done;
}

// By callback: librdkafka hands out one record at a time and forgets none. A batch that is being gathered while
// librdkafka pauses the partition (which it does at every rebalance) loses its first records for good in 2.0.2.
Drained KafkaPartition::drain(DrainLimit max, const std::function<void(const LogRecord&)>& sink) {
    const std::lock_guard lock(mutex_);
    Draining draining{*this, max, sink, {}, {}};
    if (!assigned_ || left_ || failed_ || wake_ == nullptr) return draining.drained;
    const auto take = [](rd_kafka_message_t* message, void* opaque) {
        Draining& to = *static_cast<Draining*>(opaque);
        to.partition.take_one(*message, to);
    };
    while (!failed_ && !draining.drained.more && !draining.thrown)
        if (rd_kafka_consume_callback_queue(queue_.get(), 0, take, &draining) < 1) break;
    if (draining.thrown) std::rethrow_exception(draining.thrown);
    return draining.drained;
}

// What stands behind the record at which this yields goes back to the queue.
void KafkaPartition::take_one(const rd_kafka_message_s& message, Draining& to) {
    const Offset at{message.offset};
    if (message.err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        const char* text = static_cast<const char*>(message.payload);
        take_error(message.err, at, text == nullptr ? "" : text, to.drained);
    } else if (at >= next_) {  // else fetched twice around a pause
        try {
            hand_out(message, to);
        } catch (...) {  // not through librdkafka
            to.thrown = std::current_exception();
        }
    }
    if (failed_ || to.drained.more || to.thrown) rd_kafka_yield(client_);
}

void KafkaPartition::hand_out(const rd_kafka_message_s& message, Draining& to) {
    LogRecord record{Offset{message.offset}, {}, {}, {}};
    record.timestamp = from_unix_ms(rd_kafka_message_timestamp(&message, nullptr));
    record.key = {static_cast<const char*>(message.key), message.key_len};
    if (message.payload != nullptr) record.value = {static_cast<const char*>(message.payload), message.len};
    Drained& drained = to.drained;
    drained.next = next_ = record.offset.next();
    ++drained.records;
    drained.bytes += message.key_len + message.len;
    drained.more = to.max.reached(drained.records, drained.bytes);
    to.sink(record);
}

void KafkaPartition::take_error(int code, Offset at, const char* text, Drained& drained) {
    const auto err = static_cast<rd_kafka_resp_err_t>(code);
    if (err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
        if (at >= next_) drained.next = next_ = at;
        return;
    }
    const Error error = kafka_error(code, id_.text() + " at offset " + std::to_string(at.value) + ": " + text);
    if (ends_consumption(err)) {
        failed_ = true;
        drained.failed = error;
    } else {
        reports_.report(id_.text() + rd_kafka_err2name(err), error);
    }
}

void KafkaPartition::stop() {
    const std::lock_guard lock(mutex_);
    if (left_ || !assigned_) return;
    silence();
    if (paused_) return;
    rd_kafka_pause_partitions(client_, kafka_partitions(id_, RD_KAFKA_OFFSET_INVALID).get());
    paused_ = true;
    if (!failed_) discard();
}

void KafkaPartition::refuse_starts() {
    const std::lock_guard lock(mutex_);
    refusing_ = true;
}

bool KafkaPartition::leave() {
    const std::lock_guard lock(mutex_);
    if (left_) return false;
    left_ = true;
    silence();
    // Or it would still be paused when it comes back to this node.
    if (paused_) rd_kafka_resume_partitions(client_, kafka_partitions(id_, RD_KAFKA_OFFSET_INVALID).get());
    return std::exchange(assigned_, false);
}

void KafkaPartition::release() {
    const std::lock_guard lock(mutex_);
    discard();
    queue_.reset();
    topic_.reset();
}

void KafkaPartition::silence() {
    rd_kafka_queue_cb_event_enable(queue_.get(), nullptr, nullptr);
    wake_ = nullptr;
}

void KafkaPartition::discard() {
    rd_kafka_message_t* messages[256];
    for (;;) {
        const auto count = rd_kafka_consume_batch_queue(queue_.get(), 0, messages, std::size(messages));
        for (ssize_t i = 0; i < count; ++i) rd_kafka_message_destroy(messages[i]);
        if (count <= 0) return;
    }
}

}  // namespace freshet
