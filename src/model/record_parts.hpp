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
    std::optional<ProgressRecord> record = {};
    std::size_t primary = 0;  // that serves the slot
    // Since whoever asks saw it last. It cannot tell when it has not, or when others owned the partition since.
    enum class Kept { unknown, all, less } kept = Kept::unknown;
};

// The slots that the records name. Each was once recorded in, after all that are named with it: one that has no
// record any more, or one without views, has lost it.
std::vector<RecordSlot> named_slots(std::span<const RecordPart> parts);

// Whether a record may be older than what stood there once.
bool may_have_fallen_back(std::span<const RecordPart> parts);

// Whether one may have fallen back, is gone, or says that what is gone is counted again: it must be known then
// what each primary serves.
bool need_current_map(std::span<const RecordPart> parts);

// Whether it vouches for all that its primary serves.
bool covers_all(const RecordPart& part, std::span<const SlotRanges> served);

// The record to begin a life from: every view as far as it has come at the primary that is furthest behind, the
// newest generation of the log, and `lost_part` if one has lost its record, or if one may have fallen back and
// some primary serves more than it covers: what came since the copy was made is lost, and so may be what left
// since. Otherwise, slots that are not covered have come since with all they hold, and a part that no other
// names and that has no views is of a primary that is new: it holds nothing yet, or what came with its first
// slots. A record of another cluster or group comes first. None: there is no record at all. `served`: the slots
// of each primary.
std::optional<ProgressRecord> whole_record(const PartitionClaim& claim, std::span<const RecordPart> parts,
                                           std::span<const SlotRanges> served);

}  // namespace freshet
