// Sends the events of dead letters to their topics again, each once: a letter and its receipt, which says that
// it was sent, become visible together or not at all.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>

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

    // Sends the events of the letters at `places`. After an error those counted by sent() are sent; of the last
    // batch the receipts say, should Kafka not have answered.
    Result<void> send(LetterBox& box, const std::set<LetterPlace>& places,
                      const std::vector<const Source*>& sources);
    std::size_t sent() const { return sent_; }

private:
    struct Failures;  // told by the producer's threads

    explicit LetterReplay(std::function<bool()> give_up);
    Result<void> send_letter(const std::string& box, const Letter& letter, const TopicRecord& record);
    Result<void> deliver(const std::string& place, const ProducerRecord& record);
    Result<void> commit();
    Result<std::int32_t> partitions_of(const std::string& topic);

    const std::function<bool()> give_up_;
    KafkaReports reports_{[](const Error&) {}};
    std::shared_ptr<Failures> failures_;
    std::unique_ptr<KafkaQueries> queries_;
    std::unique_ptr<KafkaProducer> producer_;
    std::map<std::string, std::int32_t> partitions_;
    std::map<std::string, const Source*> sources_;  // by their topics
    std::size_t sent_ = 0;
    std::size_t pending_ = 0;  // of the transaction that is open, if it is not 0
    std::size_t pending_bytes_ = 0;
};

}  // namespace freshet
