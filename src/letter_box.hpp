// A topic of dead letters, read from its beginning to the end that it had when it was opened.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "io/kafka/kafka_letter.hpp"
#include "io/kafka/kafka_queries.hpp"
#include "io/kafka/kafka_topic_reader.hpp"
#include "model/letter_ledger.hpp"

namespace freshet {

class LetterBox {
public:
    // The letter, and its record with the event's key and value. False ends the reading.
    using Sink = std::function<bool(const Letter&, const TopicRecord&)>;

    // Reads all of it once, for the ledger.
    static Result<std::unique_ptr<LetterBox>> open(const KafkaSettings& settings, const std::string& topic);

    const std::string& topic() const { return topic_; }
    const LetterLedger& ledger() const { return ledger_; }
    // Records that are neither letters nor receipts: another program's.
    std::size_t strange() const { return strange_; }

    // In the order of offsets within a partition.
    Result<void> each(const LetterFilter& filter, const Sink& sink);
    // Whether a letter stands there; the error says what does, or how far the topic reaches.
    Result<void> holds(const LetterPlace& place);

private:
    explicit LetterBox(std::string topic) : topic_(std::move(topic)) {}
    Result<void> find_ranges(const KafkaSettings& settings);
    Result<void> fill_ledger();

    const std::string topic_;
    KafkaReports reports_{[](const Error&) {}};
    std::unique_ptr<KafkaTopicReader> reader_;
    KafkaTopicReader::Ranges ranges_;
    LetterLedger ledger_;
    std::size_t strange_ = 0;
};

}  // namespace freshet
