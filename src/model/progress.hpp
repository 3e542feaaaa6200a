// The progress record of a partition, and what follows from it when a partition is taken: where to start, what
// is incomplete, and when to refuse. Decisions only; the record is kept in Redis by the partial store.
#pragma once

#include <limits>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "model/definition.hpp"
#include "model/ids.hpp"
#include "model/log_identity.hpp"
#include "model/result.hpp"
#include "model/slot_ranges.hpp"

namespace freshet {

// A feature that is counted. One that the record does not list is not.
struct FeatureProgress {
    std::uint64_t fingerprint = 0;
    std::optional<Timestamp> since;  // when it was added, if events were counted before without it

    friend bool operator==(const FeatureProgress&, const FeatureProgress&) = default;
};

// How far one view has got in one partition.
struct ViewProgress {
    Offset next{};                   // the lowest offset not yet flushed and acked (or skipped)
    std::optional<Timestamp> clock;  // newest event time below `next`; none before the first event
    std::optional<Timestamp>
        watermark;                  // Redis time: all that was in Kafka then is counted; none: not known yet
    std::uint64_t fingerprint = 0;  // of the view's definition, but for its features
    // When counting began, if events before it are missing: event time for `clock: event` views, else Redis
    // time. kSincePending until the first event tells, and while the view is shed.
    std::optional<Timestamp> since;
    Generation generation{};  // of the log that `next` counts in
    Duration retain{};        // how far back of the clock tiles are kept for reads
    std::map<std::string, FeatureProgress, std::less<>> features = {};

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
    // By view: a description of each layout that the partition's values are stored in, blanks between.
    std::map<std::string, std::string> layouts = {};
    // In a cluster: of all records of the partition, one a primary.
    std::vector<RecordSlot> slots = {};
    // Likewise: what it vouches for. Of an entity in these slots, all that was counted below `next` stood at
    // this primary when the record was advanced. A life that goes back behind `next` only takes away from this
    // what has left the primary, until it has come there again.
    SlotRanges covers = {};
    // Likewise: of the advance that wrote `covers`, through all lives. A lower one than another record's: that
    // has not come here, or the record has fallen back.
    std::uint64_t advance = 0;
    // Likewise: what another primary has lost is counted again, and not yet up to `next`.
    bool rebuilds = false;
    // Of a record that stands for several: a primary has lost what it held, all of it or some slots.
    bool lost_part = false;

    friend bool operator==(const ProgressRecord&, const ProgressRecord&) = default;
};

// Who asks, and about which views.
struct PartitionClaim {
    Partition partition;
    std::string node;
    std::string kafka_cluster;
    std::string group;
    std::int32_t partitions = 0;
    // Of one record among several:
    RecordSlot slot = kFirstRecordSlot;
    bool only_if_there = false;       // where there is no record, none is made
    std::optional<Epoch> epoch = {};  // to install if it is above what stands; none: any that is
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

struct FeatureStart {
    std::string name;
    std::uint64_t fingerprint;
};

struct ViewStart {
    std::string id;
    std::uint64_t fingerprint;
    bool wall_clock;
    // Where the definition says to start when nothing is recorded: resolved to an offset by the caller.
    Offset start;
    Duration max_future{};  // how far ahead of its arrival an event may lie
    Duration retain{};
    std::vector<FeatureStart> features{};
    std::string layout{};  // what the writes of this life are stored in
    bool shed = false;     // none of its events are counted in this life
};

constexpr Offset kNever{std::numeric_limits<std::int64_t>::max()};

struct StartDecision {
    LogIdentity log;                  // what is consumed, and counted under which generation
    Offset from;                      // where to begin consuming: the lowest offset of the views not shed
    std::vector<ViewProgress> views;  // in the order asked
    std::vector<Offset> count_from;  // likewise: events below it are not counted for the view; kNever: none are
    std::vector<std::string> layouts;  // likewise: those recorded, and that of this life
    std::optional<Timestamp> clock;    // the partition's as of `from`: of the views that go on there
    std::vector<std::string> notes;    // to be logged: what was lost or is incomplete, and why
};

// `record`: as it stood before the epoch was taken, if there was one. Refuses when another cluster or group
// writes here, or when a view or a feature of it changed under the view's version; features that were added
// are counted from now on, and those that are gone no more. A log that is not the one that was counted begins a
// new generation; its views are incomplete, since nobody knows what they missed. A view that is shed goes on
// with the others, incomplete from the beginning; a life that does not shed it counts it from where it stands
// then.
Result<StartDecision> decide_start(const PartitionClaim& claim, const std::optional<ProgressRecord>& record,
                                   const LogFacts& facts, std::span<const ViewStart> views,
                                   Timestamp redis_now);

// The highest offset that a write to the store may have included; -1 when there is none.
Offset last_read(const ProgressRecord& record);

// Whether a feature over `window` at hop `hop` has seen all its events at `t`.
bool is_complete(std::optional<Timestamp> since, std::optional<Duration> window, Duration hop, Timestamp t);

}  // namespace freshet
