// The progress record of a partition, and what follows from it when a partition is taken: where to start, what
// is incomplete, and when to refuse. Decisions only; the record is kept in Redis by the partial store.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "model/definition.hpp"
#include "model/ids.hpp"
#include "model/log_identity.hpp"
#include "model/result.hpp"

namespace freshet {

// How far one view has got in one partition.
struct ViewProgress {
    Offset next{};                   // the lowest offset not yet flushed and acked (or skipped)
    std::optional<Timestamp> clock;  // newest event time below `next`; none before the first event
    std::optional<Timestamp>
        watermark;                  // Redis time: all that was in Kafka then is counted; none: not known yet
    std::uint64_t fingerprint = 0;  // of the view's definition
    // When counting began, if events before it are missing: event time for `clock: event` views, else Redis
    // time. kSincePending until the first event tells.
    std::optional<Timestamp> since;
    Generation generation{};  // of the log that `next` counts in

    friend bool operator==(const ViewProgress&, const ViewProgress&) = default;
};
constexpr Timestamp kSincePending = Timestamp::max();
using ViewProgressMap = std::map<std::string, ViewProgress>;  // by ViewPlan::id()

struct ProgressRecord {
    Epoch epoch{};
    std::string node;
    LogIdentity log;
    std::uint64_t calls = 0;      // fenced calls accepted; never falls while the primary keeps its data
    std::int32_t partitions = 0;  // of the topic
    std::string kafka_cluster;    // id of the Kafka cluster
    std::string group;            // consumer group
    ViewProgressMap views;

    friend bool operator==(const ProgressRecord&, const ProgressRecord&) = default;
};

// Who asks, and about which views.
struct PartitionClaim {
    Partition partition;
    std::string node;
    std::string kafka_cluster;
    std::string group;
    std::int32_t partitions = 0;
};

// The epoch to take when `standing` is the record's, by a clock of the taker's.
Epoch next_epoch(std::optional<Epoch> standing, Timestamp now);

// What Kafka says when a life begins.
struct LogFacts {
    LogRange range;
    std::optional<Offset> committed;             // the group's
    std::vector<std::optional<LogMark>> marked;  // what stands at the offsets of the record's marks
    // What stands before offsets where a view may begin: if it is cut, what comes after is not what was
    // skipped.
    std::vector<LogMark> before_starts;
};

struct ViewStart {
    std::string id;
    std::uint64_t fingerprint;
    bool wall_clock;
    // Where the definition says to start when nothing is recorded: resolved to an offset by the caller.
    Offset start;
    Duration max_future{};  // how far ahead of its arrival an event may lie
};

struct StartDecision {
    LogIdentity log;                  // what is consumed, and counted under which generation
    Offset from;                      // where to begin consuming: the lowest of the views' offsets
    std::vector<ViewProgress> views;  // in the order asked
    std::optional<Timestamp> clock;   // the partition's as of `from`: of the views that go on there
    std::vector<std::string> notes;   // to be logged: what was lost or is incomplete, and why
};

// `record`: as it stood before the epoch was taken, if there was one. Refuses when another cluster or group
// writes here, or when a view changed under its version. A log that is not the one that was counted begins a
// new generation; its views are incomplete, since nobody knows what they missed.
Result<StartDecision> decide_start(const PartitionClaim& claim, const std::optional<ProgressRecord>& record,
                                   const LogFacts& facts, std::span<const ViewStart> views,
                                   Timestamp redis_now);

// Whether a feature over `window` at hop `hop` has seen all its events at `t`.
bool is_complete(std::optional<Timestamp> since, std::optional<Duration> window, Duration hop, Timestamp t);

}  // namespace freshet
