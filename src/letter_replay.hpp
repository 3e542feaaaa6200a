// Sends the events of dead letters to their topics again, each once: a letter and its receipt, which says that
// it was sent, become visible together or not at all.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "io/kafka/kafka_producer.hpp"
#include "letter_box.hpp"
#include "model/definition.hpp"

namespace freshet {

class LetterReplay {
public:
    // `give_up` is asked before each letter, on the thread that sends.
    //
    // Of one group only the replay that was opened last goes on; what an earlier one left half done is undone.
    // Open it before the boxes that it shall read.
    static Result<std::unique_ptr<LetterReplay>> open(const KafkaSettings& settings,
                                                      std::function<bool()> give_up);
    ~LetterReplay();

    // Sends the events of the letters at `places`; one that Kafka will never take is counted as refused, and
    // the others go on. After an error those counted by sent() are sent; of the last batch the receipts say,
    // should Kafka not have answered.
    Result<void> send(LetterBox& box, const std::set<LetterPlace>& places,
                      const std::vector<const Source*>& sources);
    std::size_t sent() const { return sent_; }
    std::size_t refused() const { return refused_; }
    const std::optional<Error>& first_refusal() const { return first_refusal_; }

private:
    struct Reports;  // of one transaction, told by the producer's threads

    explicit LetterReplay(std::function<bool()> give_up);
    struct Held {
        Letter letter;
        std::optional<std::string> key;
        std::optional<std::string> value;
    };
    using Batch = std::span<const Held>;

    void hold(const Letter& letter, const TopicRecord& record);
    Result<void> send_held(const std::string& box);
    Result<void> send_batch(const std::string& box, Batch batch);
    Result<void> try_batch(const std::string& box, Batch batch);
    Result<void> fill_transaction(const std::string& box, Batch batch);
    Result<void> send_event(const std::string& place, const Held& held);
    Result<void> deliver(const std::string& place, const ProducerRecord& record,
                         const std::function<void(Offset)>& delivered = nullptr);
    void await_receipts(const std::string& box);
    Result<std::int32_t> partitions_of(const std::string& topic);

    const std::function<bool()> give_up_;
    KafkaReports silent_{[](const Error&) {}};
    std::shared_ptr<Reports> reports_;
    std::unique_ptr<KafkaQueries> queries_;
    std::unique_ptr<KafkaProducer> producer_;
    std::map<std::string, std::int32_t> partitions_;
    std::map<std::string, const Source*> sources_;  // by their topics
    std::vector<Held> held_;                        // not sent yet
    std::size_t held_bytes_ = 0;
    bool undone_ = false;                          // the last transaction, when it failed
    std::map<PartitionId, Offset> last_receipts_;  // in the box
    std::size_t sent_ = 0;
    std::size_t refused_ = 0;
    std::optional<Error> first_refusal_;
};

}  // namespace freshet
