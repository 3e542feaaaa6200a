// A partition whose values are spread over several primaries has a progress record at each: how far the values
// that stand there have come. What they say together, when a life begins.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "model/progress.hpp"

namespace freshet {

// Where a record was looked for, and what was found.
struct RecordPart {
    RecordSlot slot = kFirstRecordSlot;
    std::optional<ProgressRecord> record;
};

// The slots that the records name. Each was once recorded in, after all that are named with it: one that has no
// record any more, or one without views, has lost it.
std::vector<RecordSlot> named_slots(std::span<const RecordPart> parts);

// The record to begin a life from: every view as far as it has come at the primary that is furthest behind, the
// newest generation of the log, and `lost_part` if one has lost its record. A part that no other names and that
// has no views is of a primary that is new: it holds nothing yet. A record of another cluster or group comes
// first. None: there is no record at all.
std::optional<ProgressRecord> whole_record(const PartitionClaim& claim, std::span<const RecordPart> parts);

}  // namespace freshet
