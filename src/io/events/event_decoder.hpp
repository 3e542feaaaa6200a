// Kafka record bytes to a typed event (docs/semantics.md, Events).
#pragma once

#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "model/dead_letter.hpp"
#include "model/definition.hpp"
#include "model/string_arena.hpp"

namespace freshet {

// One per thread. Holds the parser's buffers; a call allocates nothing in the steady state.
class EventDecoder {
public:
    explicit EventDecoder(const Source& source);
    ~EventDecoder();
    EventDecoder(EventDecoder&&) noexcept;

    // Appends one value per declared field to `values` (strings copied into `arena`) and sets `time` to the
    // event time. On a dead letter (malformed, wrong_type, overflow, no_time) `values` is as before the call.
    // Neither max_future nor max_jump is looked at here.
    std::optional<DeadLetter> decode(std::string_view payload, Timestamp kafka_time, StringArena& arena,
                                     std::vector<Value>& values, Timestamp& time);

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace freshet
