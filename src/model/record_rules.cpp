#include "model/record_rules.hpp"

#include <algorithm>
#include <utility>

namespace freshet::record_rules {

TakenEpoch take_epoch(std::optional<ProgressRecord>& record, const PartitionClaim& claim, Timestamp now) {
    TakenEpoch taken;
    taken.redis_now = now;
    taken.before = record;
    if (record && (record->kafka_cluster != claim.kafka_cluster || record->group != claim.group)) {
        taken.epoch = record->epoch;
        taken.calls = record->calls;
        return taken;
    }
    if (!record) record.emplace();
    record->epoch =
        claim.epoch.value_or(next_epoch(taken.before ? std::optional(taken.before->epoch) : std::nullopt, now));
    record->node = claim.node;
    record->kafka_cluster = claim.kafka_cluster;
    record->group = claim.group;
    record->partitions = std::max(record->partitions, claim.partitions);
    taken.epoch = record->epoch;
    taken.calls = ++record->calls;
    return taken;
}

Result<void> check(const ProgressRecord* record, const Fence& fence) {
    const auto refused = [&](Errc code, const std::string& why) {
        return Error{code, fence.partition.text() + ": " + why};
    };
    if (!record) return refused(Errc::lost_writes, "its record is gone");
    if (record->epoch > fence.epoch)
        return refused(Errc::fenced, "node " + record->node + " holds a later epoch");
    if (record->epoch < fence.epoch || record->calls < fence.acked_calls)
        return refused(Errc::lost_writes, "its record has fallen back");
    return {};
}

Advanced advance(ProgressRecord& record, const ProgressUpdate& update, Timestamp now) {
    const auto newest = [](const LogIdentity& log) {
        return std::pair(log.generation, log.marks.empty() ? Offset{-1} : log.marks.back().offset);
    };
    if (newest(record.log) <= newest(update.log)) record.log = update.log;
    bool none_further = true;
    for (const auto& [id, progress] : update.views) {
        const auto known = record.views.find(id);
        const auto place = [](const ViewProgress& view) { return std::pair(view.generation, view.next); };
        const bool further =
            !update.anew && known != record.views.end() && place(known->second) > place(progress);
        if (!further) record.views[id] = progress;
        none_further &= !further;
    }
    for (const auto& [id, layouts] : update.layouts) record.layouts[id] = layouts;
    if (!update.slots.empty()) {
        record.slots = update.slots;
        record.rebuilds = update.rebuilds && !none_further;
    }
    if (!update.slots.empty()) {
        if (none_further) record.advance = update.advance;
        record.covers = none_further ? update.covers : common_slots(record.covers, update.covers);
    }
    record.partitions = update.partitions;
    return {++record.calls, now};
}

void note_read(ProgressRecord& record, const MarkedSpan& read) {
    add_mark(record.log.marks, read.first);
    add_mark(record.log.marks, read.last);
}

}  // namespace freshet::record_rules
