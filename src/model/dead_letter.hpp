// Why an event is not counted, and what the dead-letter topic is told about it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace freshet {

enum class DeadLetterReason : std::uint8_t {
    malformed,   // not JSON to its last byte, not UTF-8, not an object, a number out of range
    wrong_type,  // a declared field has another type
    overflow,    // an int field outside int64
    no_time,     // the time is absent or unreadable
    future,      // more than max_future ahead of the Kafka timestamp
    jump,        // more than max_jump ahead of the partition's clock
    no_entity,   // a view's entity is null
};
constexpr std::size_t kDeadLetterReasons = 7;

constexpr std::string_view name_of(DeadLetterReason reason) {
    constexpr std::string_view names[kDeadLetterReasons] = {"malformed", "wrong_type", "overflow", "no_time",
                                                            "future",    "jump",       "no_entity"};
    return names[static_cast<std::size_t>(reason)];
}

struct DeadLetter {
    DeadLetterReason reason;
    std::string message;  // names the field
};

}  // namespace freshet
