#include "io/kafka/kafka_dead_letters.hpp"

#include <algorithm>

#include "io/kafka/kafka_letter.hpp"

namespace freshet {
namespace {

constexpr Duration kFirstPause{100};
constexpr Duration kLongestPause{10'000};
constexpr Duration kSendTimeout{100};

ProducerRecord letter_of(const DeadLetterRecord& record) {
    ProducerRecord letter;
    letter.topic = record.topic;
    if (!record.key.empty()) letter.key = record.key;
    if (record.value) letter.value = *record.value;
    letter.headers = letter_headers(record);
    return letter;
}

Error with_mend(const std::string& topic, const Error& error) {
    if (error.code != Errc::not_found) return error.within("a dead letter");
    return {Errc::not_found,
            "the topic of dead letters " + topic +
                " does not exist; create it (kafka-topics.sh --create --topic " + topic +
                "), or name another as kafka.dead_letter_topic: until then nothing behind the event "
                "counts as done"};
}

}  // namespace

KafkaDeadLetters::KafkaDeadLetters(KafkaReports::Sink errors) : reports_(std::move(errors)) {}

Result<std::unique_ptr<KafkaDeadLetters>> KafkaDeadLetters::open(const KafkaSettings& settings,
                                                                 KafkaReports::Sink errors) {
    std::unique_ptr<KafkaDeadLetters> letters{new KafkaDeadLetters(std::move(errors))};
    auto* self = letters.get();
    auto producer = KafkaProducer::open(settings, KafkaRole::courier, [self](const Error& error) {
        // Of a missing topic retry() says more.
        if (error.code != Errc::not_found) self->reports_.report("producer", error);
    });
    if (!producer) return producer.error();
    letters->producer_ = std::move(*producer);
    letters->thread_ = std::thread([self] { self->serve(); });
    return letters;
}

KafkaDeadLetters::~KafkaDeadLetters() {
    {
        const std::lock_guard lock(mutex_);
        closing_ = true;
    }
    changed_.notify_all();
    if (thread_.joinable()) thread_.join();
    producer_.reset();  // its last reports still find the queue
}

void KafkaDeadLetters::send(DeadLetterRecord record, std::function<void()> acked) {
    auto letter = std::make_shared<Letter>(Letter{std::move(record), std::move(acked), kFirstPause});
    {
        const std::lock_guard lock(mutex_);
        waiting_.emplace(Clock::now(), std::move(letter));
    }
    changed_.notify_all();
}

void KafkaDeadLetters::serve() {
    std::unique_lock lock(mutex_);
    while (!closing_) {
        if (waiting_.empty()) {
            changed_.wait(lock);
        } else if (const auto due = waiting_.begin()->first; due > Clock::now()) {
            changed_.wait_until(lock, due);
        } else {
            auto next = waiting_.extract(waiting_.begin());
            lock.unlock();
            deliver(std::move(next.mapped()));
            lock.lock();
        }
    }
}

void KafkaDeadLetters::deliver(std::shared_ptr<Letter> letter) {
    const auto sent =
        producer_->send(letter_of(letter->record), kSendTimeout, [this, letter](const Result<Offset>& done) {
            if (done) {
                letter->acked();
            } else {
                retry(letter, done.error());
            }
        });
    if (!sent) retry(std::move(letter), sent.error());
}

void KafkaDeadLetters::retry(std::shared_ptr<Letter> letter, const Error& error) {
    const std::string topic = letter->record.topic;
    {
        const std::lock_guard lock(mutex_);
        if (closing_) return;
        const auto due = Clock::now() + letter->pause;
        letter->pause = std::min(letter->pause * 2, kLongestPause);
        waiting_.emplace(due, std::move(letter));
    }
    changed_.notify_all();
    reports_.report(topic, with_mend(topic, error));
}

}  // namespace freshet
