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
};

struct Advanced {
    std::uint64_t calls = 0;
    Timestamp redis_now;
};

namespace record_rules {

// Installs a higher epoch than what stands and the claim's facts. A record of another Kafka cluster or group is
// left as it is.
TakenEpoch take_epoch(std::optional<ProgressRecord>& record, const PartitionClaim& claim, Timestamp now);

// Whether a call may go on; whoever lets it change something then adds 1 to `calls`. Null: there is no record.
Result<void> check(const ProgressRecord* record, const Fence& fence);

// Replaces the progress of the views, and the partition count. A view whose recorded `next` is higher stays as
// it is. The call has been checked.
Advanced advance(ProgressRecord& record, std::int32_t partitions, const ViewProgressMap& views, Timestamp now);

}  // namespace record_rules

}  // namespace freshet
