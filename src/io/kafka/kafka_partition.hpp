// One assigned partition: its own queue of librdkafka's, from the position it is started at to its revocation.
//
// Re-positioning is a seek: it leaves the state of the group alone, whereas taking a partition out of
// librdkafka's assignment and putting it back, while a rebalance waits for our answer, is taken for that
// answer.
#pragma once

#include <exception>
#include <functional>
#include <mutex>

#include "io/event_log.hpp"
#include "io/kafka/kafka_client.hpp"

struct rd_kafka_message_s;
struct rd_kafka_queue_s;

namespace freshet {

class KafkaPartition {
public:
    // Takes the partition's records off the client's main queue. librdkafka fetches nothing until start().
    KafkaPartition(rd_kafka_s* client, Partition id, KafkaReports& reports);
    KafkaPartition(const KafkaPartition&) = delete;
    KafkaPartition& operator=(const KafkaPartition&) = delete;

    // As EventLog says. Any thread; they exclude each other.
    Result<void> start(Offset from, std::function<void()> wake);
    Drained drain(DrainLimit max, const std::function<void(const LogRecord&)>& sink);
    void stop();

    // From here on start() refuses.
    void refuse_starts();
    // Nothing is handed out any more. True: it is in librdkafka's assignment and must be taken out.
    bool leave();
    // After that: lets go of what librdkafka keeps for it.
    void release();

private:
    struct QueueDeleter {
        void operator()(rd_kafka_queue_s* queue) const;
    };
    struct Draining {
        KafkaPartition& partition;
        DrainLimit max;
        const std::function<void(const LogRecord&)>& sink;
        Drained drained;
        std::exception_ptr thrown;  // by the sink
    };

    Result<void> reposition(Offset from);
    Result<void> seek(Offset from);
    Result<void> assign_anew(Offset from);
    Result<void> add_to_assignment(Offset from);
    void silence();
    void discard();
    void take_one(const rd_kafka_message_s& message, Draining& to);
    void hand_out(const rd_kafka_message_s& message, Draining& to);
    void take_error(int code, Offset at, const char* text, Drained& drained);

    rd_kafka_s* const client_;
    const Partition id_;
    KafkaReports& reports_;

    std::mutex mutex_;  // held while records are handed out
    KafkaTopic topic_;
    std::unique_ptr<rd_kafka_queue_s, QueueDeleter> queue_;
    std::function<void()> wake_;
    Offset next_{};          // nothing below it is handed out
    bool assigned_ = false;  // in librdkafka's assignment
    bool paused_ = false;
    bool failed_ = false;  // until the next start
    bool refusing_ = false;
    bool left_ = false;
};

}  // namespace freshet
