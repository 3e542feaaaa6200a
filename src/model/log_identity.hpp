// Which log the offsets of a record belong to. A topic that is deleted and made anew starts at offset 0 again,
// and a log that is cut gives offsets out a second time; a few remembered messages tell.
#pragma once

#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "model/ids.hpp"

namespace freshet {

// What Kafka holds of a partition.
struct LogRange {
    Offset low;  // first offset still there
    Offset end;  // one past the last
};

// A message that was read.
struct LogMark {
    Offset offset{};
    Timestamp time{};           // Kafka's
    std::uint64_t content = 0;  // hash of key and value

    friend bool operator==(const LogMark&, const LogMark&) = default;
};
LogMark mark_of(Offset offset, Timestamp time, std::string_view key, std::optional<std::string_view> value);

// What was read, from its first message to its last.
struct MarkedSpan {
    LogMark first, last;
};

constexpr std::size_t kMostMarks = 8;

struct LogIdentity {
    Generation generation{};     // origins of different generations never meet
    Offset begins{};             // no event below is of this generation
    Offset low{};                // the highest low end of the log that a life has begun with
    std::vector<LogMark> marks;  // ascending: the first message read, the newest, and a few between

    friend bool operator==(const LogIdentity&, const LogIdentity&) = default;
};

// Adds a mark behind the others; one that is not newer changes nothing. Of more than kMostMarks the one goes
// that is nearest to its elder, by its distance from the newest: the older, the sparser.
void add_mark(std::vector<LogMark>& marks, const LogMark& mark);

enum class LogVerdict {
    same,       // what was counted is still the beginning of the log, or nothing speaks against it
    made_anew,  // nothing that was counted is in this log
    truncated,  // some of what was counted is gone from its end, and its offsets may be given out again
};
// `found`: what stands at the offset of each mark; none where nothing does. `read_to`: one past the highest
// offset counted. A message gone by retention says nothing, and where it might have been the proof of a
// truncation, the verdict is truncated: it loses events, and says so, but counts none twice. Where no mark
// stands, a low end that fell tells, too.
LogVerdict judge_log(const LogIdentity& known, std::span<const std::optional<LogMark>> found, LogRange log,
                     Offset read_to);

// The marks that nothing speaks against: of what remains of a truncated log.
std::vector<LogMark> standing_marks(const LogIdentity& known, std::span<const std::optional<LogMark>> found,
                                    LogRange log);

}  // namespace freshet
