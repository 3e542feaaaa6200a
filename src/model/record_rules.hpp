// What a primary does with the progress record of a partition: the rules that the scripts in Redis follow, as
// plain code for the stores that live in memory.
#pragma once

#include <optional>

#include "model/fence.hpp"
#include "model/progress.hpp"

namespace freshet {

struct TakenEpoch {
    Epoch epoch;
    std::uint64_t calls = 0;               // the record's after the call
    std::optional<ProgressRecord> before;  // as it stood
    Timestamp redis_now;
    Duration clocks_apart{0};  // of several primaries: redis_now is of the one that is furthest behind
};

struct Advanced {
    std::uint64_t calls = 0;
    Timestamp redis_now;
};

// What an owner records: once at the beginning of a life, and whenever more has become safe.
struct ProgressUpdate {
    std::int32_t partitions = 0;  // of the topic
    LogIdentity log;
    ViewProgressMap views;
    std::map<std::string, std::string> layouts = {};  // by view, of those named
    // In a cluster, as they stand in ProgressRecord.
    std::vector<RecordSlot> slots = {};
    SlotRanges covers = {};
    std::uint64_t advance = 0;
    bool rebuilds = false;
    bool anew = false;  // what is recorded of the views counts no more, however far it is
};

namespace record_rules {

// Installs a higher epoch than what stands, or the claim's, and the claim's facts. A record of another Kafka
// cluster or group is left as it is. Requires that the claim's epoch, if it names one, is above what stands.
TakenEpoch take_epoch(std::optional<ProgressRecord>& record, const PartitionClaim& claim, Timestamp now);

// Whether a call may go on; whoever lets it change something then adds 1 to `calls`. Null: there is no record.
Result<void> check(const ProgressRecord* record, const Fence& fence);

// Replaces what is recorded of the log and the views. What is further stays as it is, since this is a late copy
// of an older call then, or of a life that went back: a higher generation; in one generation a newer mark, a
// view's higher `next`; and if that of any view, what the record covers, but for slots
// that have left. The call has been checked.
Advanced advance(ProgressRecord& record, const ProgressUpdate& update, Timestamp now);

// A write may include all events of what its life has read, so that is marked in the same step: the log may be
// cut before the next advance.
void note_read(ProgressRecord& record, const MarkedSpan& read);

}  // namespace record_rules

}  // namespace freshet
