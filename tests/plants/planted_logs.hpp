// Faults of the log that no service outside can cause, for tests of the freshness contract.
#pragma once

#include <filesystem>
#include <memory>

#include "io/event_log.hpp"

namespace freshet {

// The rule that Freshet does not have: a partition counts as read to its end when a poll returns nothing.
// Whoever asks where a log that is being read ends is told how far it was read, as soon as a poll would return
// nothing. Kafka is not asked.
std::shared_ptr<EventLog> log_by_the_last_empty_poll(std::shared_ptr<EventLog> log);

// While `stuck` exists, whoever drains partition 0 does not come back.
std::shared_ptr<EventLog> log_that_holds_a_consumer(std::shared_ptr<EventLog> log, std::filesystem::path stuck);

}  // namespace freshet
