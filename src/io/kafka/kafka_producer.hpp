// Writes records to Kafka: compressed, in large batches, held back when Kafka cannot follow.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "io/kafka/kafka_client.hpp"
#include "io/kafka/kafka_settings.hpp"
#include "model/ids.hpp"
#include "model/result.hpp"

namespace freshet {

// Copied by the call it is given to.
struct ProducerRecord {
    std::string_view topic;
    std::optional<PartitionId> partition;  // none: by the key's hash, as Java clients do
    std::optional<std::string_view> key;
    std::optional<std::string_view> value;  // none: a tombstone
    std::optional<Timestamp> timestamp;     // none: now
    std::vector<std::pair<std::string, std::string>> headers;
};

// Any thread may send.
class KafkaProducer {
public:
    // Where the record went, or why it did not. Called once, from a thread of the producer's or within flush().
    using Delivered = std::function<void(const Result<Offset>&)>;

    struct Counts {
        std::uint64_t sent = 0;
        std::uint64_t delivered = 0;
        std::uint64_t failed = 0;
    };

    // `role`: producer, courier or transactor.
    static Result<std::unique_ptr<KafkaProducer>> open(const KafkaSettings& settings, KafkaRole role,
                                                       KafkaReports::Sink errors);
    // Gives up what is not delivered by then; flush() first.
    ~KafkaProducer();

    // Takes the record, waiting while the queue is full; up to `timeout`, then Errc::unavailable. An error
    // means that `delivered` will not be called.
    Result<void> send(const ProducerRecord& record, Duration timeout, Delivered delivered = nullptr);
    // Waits until everything sent before is delivered or failed.
    Result<void> flush(Duration timeout);

    // Of a transactor. claim(), once and first: ends what its name left open, and no other of that name goes on
    // (they get Errc::fenced). Between begin() and commit() stand the records that readers of committed ones
    // see all or none; commit() waits for their delivery. After an error of it, or of a record, only abandon().
    Result<void> claim(Duration timeout);
    Result<void> begin();
    Result<void> commit(Duration timeout);
    Result<void> abandon(Duration timeout);
    // What nothing after it can mend, such as another claim.
    std::optional<Error> fatal() const;

    Counts counts() const;

    // From librdkafka.
    void on_delivery(int code, const std::string& topic, Offset offset, Delivered* delivered);

private:
    explicit KafkaProducer(KafkaReports::Sink errors);
    int try_send(const ProducerRecord& record, Delivered* delivered);

    KafkaReports reports_;
    KafkaContext context_;
    KafkaClient client_;
    std::atomic<std::uint64_t> sent_ = 0;
    std::atomic<std::uint64_t> delivered_ = 0;
    std::atomic<std::uint64_t> failed_ = 0;
    std::atomic<bool> closing_ = false;
    std::thread poller_;
};

}  // namespace freshet
