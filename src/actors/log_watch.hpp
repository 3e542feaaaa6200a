#pragma once

#include "actors/messages.hpp"
#include "actors/watchdog.hpp"
#include "io/event_log.hpp"

namespace freshet {

// Asks the brokers what a life needs to begin, and once a second for the end of every watched partition. Its
// questions block, hence a thread of its own; it never touches the fetching connection. Each is over within
// seconds, whatever Kafka does: one that is not is a case for the watchdog.
LogWatchActor spawn_log_watch(caf::actor_system& system, std::shared_ptr<EventLog> log, Watchdog& watchdog,
                              Thread thread = Thread::own);

}  // namespace freshet
