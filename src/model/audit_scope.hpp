// What of a view can be recounted from the log without doubt: a feature that may have counted other events than
// those that are still in the log is left out, for a false alarm is worse than a miss (docs/audit.md).
#pragma once

#include <array>
#include <functional>
#include <string_view>
#include <vector>

#include "model/log_identity.hpp"
#include "model/progress.hpp"
#include "model/view_plan.hpp"

namespace freshet {

// Why features of a partition are passed over in a round.
enum class AuditSkip : std::uint8_t {
    incomplete,   // events before counting began may lie in the window
    retention,    // the log may have lost events of the window
    too_long,     // the window holds more events than a round may read
    clock,        // which events jumped, or which were late, cannot be told from here
    definition,   // the owner counts another definition, or not this
    compacted,    // the topic keeps the last record of a key only, or does not say that it keeps all
    changed,      // what was counted, or the log, was replaced meanwhile
    unavailable,  // Kafka or Redis did not answer
};
constexpr std::size_t kAuditSkips = 8;
std::string_view name_of(AuditSkip reason);

// How many features, by reason.
using AuditSkipped = std::array<std::size_t, kAuditSkips>;

// As of which times a view is read: `newest` is as of now, `oldest` lies back as far as one may ask, or at the
// clock of the partition. Both are the same for `clock: event`. None: nothing was counted.
struct AuditMoments {
    Timestamp oldest;
    Timestamp newest;
};
std::optional<AuditMoments> audit_moments(const ViewPlan& plan, std::optional<Timestamp> clock,
                                          Timestamp redis_now);

// The partition, as the auditor knows it.
struct AuditGround {
    LogRange log;
    Offset begins;                 // of the generation that is counted
    Offset end;                    // the recount goes up to here at least
    std::int64_t most_events = 0;  // that a round may read
    bool jumps_refused = false;  // the source has `max_jump`: only from the log's beginning the clock is known
    // The first record at or after a Kafka timestamp.
    std::function<Result<Offset>(Timestamp)> offset_at;
    // From which offset on all events were counted for sure by whoever counts since then.
    std::function<Offset(Timestamp since)> counted_from;
};

struct AuditScope {
    std::vector<std::size_t> features;  // that can be compared; indices into the plan
    bool presence = false;              // whether an entity is missing can be
    Offset from{};                      // where their events begin
    AuditSkipped skipped{};
};

// `progress` as recorded. Fails where the ground cannot be asked.
Result<AuditScope> audit_scope(const ViewPlan& plan, Duration max_future, const ViewProgress& progress,
                               const AuditMoments& moments, const AuditGround& ground);

}  // namespace freshet
