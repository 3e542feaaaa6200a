#include "model/progress.hpp"

#include <algorithm>

#include "model/view_plan.hpp"

namespace freshet {

namespace {

std::string in_quotes(const std::string& text) { return "\"" + text + "\""; }

Result<void> check_owner(const PartitionClaim& claim, const ProgressRecord& record) {
    const auto differs = [&](const char* what, const std::string& theirs, const std::string& ours) {
        return Error{Errc::refused, claim.partition.text() + " is already recorded in this Redis for " + what +
                                        " " + in_quotes(theirs) + ", not " + in_quotes(ours) +
                                        "; use another redis.prefix for a second deployment"};
    };
    if (record.kafka_cluster != claim.kafka_cluster)
        return differs("the Kafka cluster", record.kafka_cluster, claim.kafka_cluster);
    if (record.group != claim.group) return differs("the consumer group", record.group, claim.group);
    return {};
}

ViewProgress begin_at(const ViewStart& view, Offset next, bool all_events, Timestamp redis_now) {
    ViewProgress progress;
    progress.next = next;
    progress.fingerprint = view.fingerprint;
    if (!all_events) progress.since = view.wall_clock ? redis_now : kSincePending;
    return progress;
}

std::optional<Timestamp> clock_at(Offset from, const std::vector<ViewProgress>& views) {
    std::optional<Timestamp> clock;
    for (const ViewProgress& view : views)
        if (view.next == from && view.clock) clock = std::min(clock.value_or(*view.clock), *view.clock);
    return clock;
}

}  // namespace

Epoch next_epoch(std::optional<Epoch> standing, Timestamp now) {
    const auto by_clock = static_cast<std::uint64_t>(std::max<std::int64_t>(0, unix_ms(now)));
    return Epoch{standing ? std::max(standing->value + 1, by_clock) : by_clock};
}

Result<StartDecision> decide_start(const PartitionClaim& claim, const std::optional<ProgressRecord>& record,
                                   std::optional<Offset> committed, LogRange log,
                                   std::span<const ViewStart> views, Timestamp redis_now) {
    StartDecision decision;
    decision.from = log.end;
    if (record) {
        if (auto owner = check_owner(claim, *record); !owner) return owner.error();
    }
    const bool emptied = !record && committed;
    if (emptied)
        decision.notes.push_back("the store holds no record of " + claim.partition.text() +
                                 " although the group has committed offset " +
                                 std::to_string(committed->value) + ": rebuilding from offset " +
                                 std::to_string(log.low.value));
    for (const ViewStart& view : views) {
        ViewProgress progress;
        const auto known = record ? record->views.find(view.id) : decltype(record->views.find(view.id)){};
        if (record && known != record->views.end()) {
            progress = known->second;
            if (progress.fingerprint != view.fingerprint)
                return Error{Errc::refused, "view " + view.id +
                                                " is recorded with another definition; raise its "
                                                "`version:` or restore the definition"};
            if (progress.next > log.end)
                return Error{Errc::refused,
                             claim.partition.text() + " ends at offset " + std::to_string(log.end.value) +
                                 " but " + view.id + " has counted up to " +
                                 std::to_string(progress.next.value) +
                                 "; the topic was truncated or made anew: raise the view's `version:`"};
            if (progress.next < log.low) {
                decision.notes.push_back(
                    view.id + " lost offsets " + std::to_string(progress.next.value) + " to " +
                    std::to_string(log.low.value - 1) + " of " + claim.partition.text() +
                    " to Kafka's retention; its values are incomplete until its windows have passed");
                progress.next = log.low;
                progress.since = view.wall_clock ? redis_now : kSincePending;
            }
        } else {
            const Offset start = emptied ? log.low : std::clamp(view.start, log.low, log.end);
            progress = begin_at(view, start, start.value == 0, redis_now);
        }
        decision.from = std::min(decision.from, progress.next);
        decision.views.push_back(progress);
    }
    decision.clock = clock_at(decision.from, decision.views);
    return decision;
}

bool is_complete(std::optional<Timestamp> since, std::optional<Duration> window, Duration hop, Timestamp t) {
    if (!since) return true;
    if (*since == kSincePending || !window) return false;
    return tile_of(t - *window, hop) > tile_of(*since, hop);
}

}  // namespace freshet
