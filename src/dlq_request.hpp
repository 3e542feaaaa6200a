// What the commands of dead letters share: their options, looked up in the configuration.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "commands.hpp"
#include "io/config/config.hpp"
#include "io/kafka/kafka_settings.hpp"
#include "letter_box.hpp"
#include "model/letter_ledger.hpp"
#include "model/result.hpp"

namespace freshet {

// Stays where it is made: it points into itself.
struct DlqRequest {
    DlqRequest() = default;
    DlqRequest(const DlqRequest&) = delete;
    DlqRequest& operator=(const DlqRequest&) = delete;

    // Topics of dead letters, each once: sources may share one.
    std::vector<std::string> boxes() const;
    // The source that reads a topic; empty: none does.
    std::string source_of(const std::string& topic) const;

    Config config;
    KafkaSettings kafka;
    std::vector<const Source*> sources;  // whose letters are wanted
    LetterFilter filter;
};

Result<std::unique_ptr<DlqRequest>> dlq_request(const DlqOptions& options);

// The exit status for an error of Kafka's, or of the command line's.
int dlq_status(const Error& error);
// That a topic of dead letters holds something else, on standard error.
void warn_of_strange(const LetterBox& box);

}  // namespace freshet
