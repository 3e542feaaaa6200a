// Dead letters in Kafka: key and value as they came (an empty key as none), and why they could not be counted
// in headers.
#pragma once

#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <thread>

#include "io/event_log.hpp"
#include "io/kafka/kafka_producer.hpp"

namespace freshet {

// A letter that Kafka does not take is sent again, at first after 100 ms and in the end every 10 s, for as long
// as this lives. The topic of dead letters is the user's to create: while it is missing, `errors` is told how.
class KafkaDeadLetters final : public DeadLetterSink {
public:
    static Result<std::unique_ptr<KafkaDeadLetters>> open(const KafkaSettings& settings,
                                                          KafkaReports::Sink errors);
    // What is not acked by then stays unacked.
    ~KafkaDeadLetters() override;

    void send(DeadLetterRecord record, std::function<void()> acked) override;

private:
    using Clock = std::chrono::steady_clock;
    struct Letter {
        DeadLetterRecord record;
        std::function<void()> acked;
        Duration pause;  // before the next attempt
    };
    using Letters = std::multimap<Clock::time_point, std::shared_ptr<Letter>>;

    explicit KafkaDeadLetters(KafkaReports::Sink errors);
    void serve();
    void deliver(std::shared_ptr<Letter> letter);
    void retry(std::shared_ptr<Letter> letter, const Error& error);

    KafkaReports reports_;
    std::mutex mutex_;
    std::condition_variable changed_;
    Letters waiting_;  // by when to send them
    bool closing_ = false;
    std::unique_ptr<KafkaProducer> producer_;
    std::thread thread_;
};

}  // namespace freshet
