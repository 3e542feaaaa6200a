// How a dead letter, and the receipt of one that was sent again, stand in the topic of dead letters: what is
// known of them is in headers, the key and value of a letter are the event's. docs/dead-letters.md shows both.
#pragma once

#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "io/event_log.hpp"
#include "io/kafka/kafka_topic_reader.hpp"
#include "model/letter_ledger.hpp"
#include "model/result.hpp"

namespace freshet {

using KafkaHeaders = std::vector<std::pair<std::string, std::string>>;

// Names the place of the letter in an event that was sent again.
constexpr const char* kReplayedHeader = "freshet-replayed";

KafkaHeaders letter_headers(const DeadLetterRecord& record);
// Keyed by the event, so that it holds after the letter is gone.
KafkaHeaders receipt_headers(const std::string& topic, const Letter& letter);

// Written beside the letters when one was sent again.
struct LetterReceipt {
    LetterEvent event;
};
using LetterOrReceipt = std::variant<Letter, LetterReceipt>;
// Errc::corrupt: what stands there is neither.
Result<LetterOrReceipt> read_letter(const TopicRecord& record);

}  // namespace freshet
