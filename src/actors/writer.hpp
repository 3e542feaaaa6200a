#pragma once

#include <functional>
#include <memory>

#include "actors/messages.hpp"

namespace freshet {

class Metrics;

// The connection to one Redis primary, as an actor on a thread of its own, because its calls block. Requests
// queue while a pipeline is away and leave together as the next one. What Redis could not answer is repeated
// with back-off until it can; requests of a life that ended are dropped.
WriterActor spawn_writer(caf::actor_system& system, std::unique_ptr<PartialStore> store, Metrics& metrics,
                         Thread thread = Thread::own);

}  // namespace freshet
