#include "model/progress.hpp"

#include <algorithm>
#include <utility>

#include "model/view_plan.hpp"

namespace freshet {

namespace {

std::string in_quotes(const std::string& text) { return "\"" + text + "\""; }

std::string text_of(Duration duration) {
    const std::int64_t ms = duration.count();
    return ms % 1000 == 0 ? std::to_string(ms / 1000) + "s" : std::to_string(ms) + "ms";
}

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

// From when on a view counts everything that arrives.
Timestamp since_now(const ViewStart& view, Timestamp redis_now) {
    return view.wall_clock ? redis_now + view.max_future : kSincePending;
}

Offset read_to(const ProgressRecord& record) {
    Offset highest = record.log.begins;
    for (const auto& [id, view] : record.views)
        if (view.generation == record.log.generation) highest = std::max(highest, view.next);
    return highest;
}

// The log as it is now, from the record's view of it.
LogIdentity identify(const PartitionClaim& claim, const ProgressRecord& record, const LogFacts& facts,
                     std::vector<std::string>& notes) {
    const Offset counted = read_to(record);
    const auto verdict = judge_log(record.log, facts.marked, facts.range, counted);
    if (verdict == LogVerdict::same) {
        LogIdentity same = record.log;
        same.low = std::max(same.low, facts.range.low);
        return same;
    }
    const bool anew = verdict == LogVerdict::made_anew;
    const Offset begins = anew ? facts.range.low : facts.range.end;
    notes.push_back(claim.partition.text() + " had been counted up to offset " + std::to_string(counted.value) +
                    " and was " + (anew ? "made anew" : "truncated") + " since: counting from offset " +
                    std::to_string(begins.value) +
                    " beside what was counted before; values are incomplete until their windows have passed");
    // Of a truncated log the beginning remains, and with it the proof of what was counted in it.
    return {record.log.generation.next(), begins, facts.range.low,
            standing_marks(record.log, facts.marked, facts.range)};
}

// What keeps a view from going on under its version.
std::optional<Error> changed(const ViewStart& view, const ViewProgress& known) {
    const auto refused = [&](const std::string& what, const std::string& mend) {
        return Error{Errc::refused, "view " + view.id + ": " + what + " than is recorded; " + mend +
                                        "raise the view's `version:` to count anew, or restore the definition"};
    };
    if (known.fingerprint != view.fingerprint) return refused("another source, entity, clock or `where`", "");
    for (const FeatureStart& feature : view.features) {
        const auto recorded = known.features.find(feature.name);
        if (recorded != known.features.end() && recorded->second.fingerprint != feature.fingerprint)
            return refused("feature " + feature.name + " has another definition",
                           "give the changed feature another name, ");
    }
    // Tiles that were dropped do not come back.
    if (known.retain < view.retain)
        return refused("a longer `retain` (" + text_of(view.retain) + ")",
                       "write `retain: " + text_of(known.retain) + "`, ");
    return std::nullopt;
}

// From when on a feature counts that events were counted without: these were all there, and all those that a
// former owner may have stored beyond `next` lie at or before `read_to`.
std::optional<Timestamp> since_added(const ViewStart& view, const ViewProgress& progress, Offset read_to,
                                     Timestamp redis_now) {
    const bool all_recorded = progress.next > read_to;
    if (all_recorded && !progress.clock) return std::nullopt;
    if (view.wall_clock) return redis_now + view.max_future;
    return all_recorded ? progress.clock : kSincePending;
}

void update_features(const PartitionClaim& claim, const ViewStart& view, ViewProgress& progress, Offset read_to,
                     Timestamp redis_now, std::vector<std::string>& notes) {
    const auto known = std::exchange(progress.features, {});
    std::string added, gone;
    const auto list = [](std::string& names, const std::string& name) {
        names += (names.empty() ? "" : ", ") + name;
    };
    for (const FeatureStart& feature : view.features) {
        const auto recorded = known.find(feature.name);
        if (recorded != known.end()) {
            progress.features.insert(*recorded);
            continue;
        }
        const auto since = since_added(view, progress, read_to, redis_now);
        progress.features[feature.name] = {feature.fingerprint, since};
        if (since) list(added, feature.name);
    }
    for (const auto& [name, feature] : known)
        if (!progress.features.contains(name)) list(gone, name);
    const std::string where = " in " + claim.partition.text();
    if (!added.empty())
        notes.push_back(view.id + " counts " + added + where +
                        " from now on; incomplete until their windows have passed");
    if (!gone.empty()) notes.push_back(view.id + " counts " + gone + where + " no more");
}

// Where a view that the record knows goes on.
ViewProgress go_on(const PartitionClaim& claim, const ViewStart& view, ViewProgress progress,
                   const LogIdentity& log, LogRange range, Timestamp redis_now,
                   std::vector<std::string>& notes) {
    progress.retain = view.retain;
    // What was left out had arrived by now.
    if (progress.since == kSincePending) progress.since = since_now(view, redis_now);
    const bool other_log = progress.generation != log.generation;
    if (!other_log && progress.next >= range.low) return progress;
    if (!other_log)
        notes.push_back(view.id + " lost offsets " + std::to_string(progress.next.value) + " to " +
                        std::to_string(range.low.value - 1) + " of " + claim.partition.text() +
                        " to Kafka's retention; its values are incomplete until its windows have passed");
    progress.next = other_log ? std::max(log.begins, range.low) : range.low;
    progress.generation = log.generation;
    progress.since = since_now(view, redis_now);
    return progress;
}

ViewProgress begin(const ViewStart& view, const LogIdentity& log, LogRange range, bool rebuild,
                   Timestamp redis_now) {
    ViewProgress progress;
    progress.next = rebuild ? range.low : std::clamp(view.start, range.low, range.end);
    progress.fingerprint = view.fingerprint;
    progress.generation = log.generation;
    progress.retain = view.retain;
    for (const FeatureStart& feature : view.features)
        progress.features[feature.name] = {feature.fingerprint, std::nullopt};
    if (progress.next.value > 0) progress.since = since_now(view, redis_now);
    return progress;
}

// Everything is counted again, but for what values beyond the record say that they hold: what these lack, they
// go on lacking.
ViewProgress rebuild(const ViewStart& view, const ViewProgress& known, const LogIdentity& log, LogRange range,
                     Timestamp redis_now) {
    ViewProgress progress = begin(view, log, range, true, redis_now);
    const auto since = known.since == kSincePending ? since_now(view, redis_now) : known.since;
    progress.since = std::max(progress.since, since);
    for (auto& [name, feature] : progress.features)
        if (const auto counted = known.features.find(name); counted != known.features.end())
            feature.since = counted->second.since;
    return progress;
}

// Views that are shed go on with the others. What they lack is in the record from the first advance on, which
// is before anything is left out.
void leave_out_shed(std::span<const ViewStart> views, StartDecision& decision) {
    for (std::size_t v = 0; v < views.size(); ++v) {
        ViewProgress& progress = decision.views[v];
        decision.count_from.push_back(views[v].shed ? kNever : progress.next);
        if (!views[v].shed) continue;
        progress.since = kSincePending;
        if (progress.next >= decision.from) continue;
        progress.next = decision.from;
        progress.clock = std::max(progress.clock, decision.clock);
    }
}

std::string layouts_of(const std::optional<ProgressRecord>& record, const ViewStart& view) {
    std::string list;
    if (record)
        if (const auto known = record->layouts.find(view.id); known != record->layouts.end())
            list = known->second;
    if ((" " + list + " ").find(" " + view.layout + " ") != std::string::npos) return list;
    return list.empty() ? view.layout : list + " " + view.layout;
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
                                   const LogFacts& facts, std::span<const ViewStart> views,
                                   Timestamp redis_now) {
    StartDecision decision;
    decision.log.low = facts.range.low;
    if (record) {
        if (auto owner = check_owner(claim, *record); !owner) return owner.error();
        decision.log = identify(claim, *record, facts, decision.notes);
    }
    // A record without views is of a life that ended before it had recorded anything.
    const bool emptied = (!record || record->views.empty()) && facts.committed;
    if (record && record->lost_part)
        decision.notes.push_back("a primary has lost what it held of " + claim.partition.text() +
                                 ": rebuilding from offset " + std::to_string(facts.range.low.value));
    if (emptied)
        decision.notes.push_back("the store holds no record of " + claim.partition.text() +
                                 " although the group has committed offset " +
                                 std::to_string(facts.committed->value) + ": rebuilding from offset " +
                                 std::to_string(facts.range.low.value));
    decision.from = facts.range.end;
    for (const ViewStart& view : views) {
        const auto known = record ? record->views.find(view.id) : ViewProgressMap::const_iterator{};
        if (!record || known == record->views.end()) {
            decision.views.push_back(begin(view, decision.log, facts.range, emptied, redis_now));
        } else if (auto refused = changed(view, known->second)) {
            return *refused;
        } else if (record->lost_part) {
            decision.views.push_back(rebuild(view, known->second, decision.log, facts.range, redis_now));
        } else {
            ViewProgress progress = known->second;
            update_features(claim, view, progress, last_read(*record), redis_now, decision.notes);
            decision.views.push_back(
                go_on(claim, view, std::move(progress), decision.log, facts.range, redis_now, decision.notes));
        }
        decision.layouts.push_back(layouts_of(record, view));
        if (!view.shed) decision.from = std::min(decision.from, decision.views.back().next);
    }
    for (const LogMark& mark : facts.before_starts)
        if (mark.offset.next() == decision.from) add_mark(decision.log.marks, mark);
    decision.clock = clock_at(decision.from, decision.views);
    leave_out_shed(views, decision);
    return decision;
}

Offset last_read(const ProgressRecord& record) {
    return record.log.marks.empty() ? Offset{-1} : record.log.marks.back().offset;
}

bool is_complete(std::optional<Timestamp> since, std::optional<Duration> window, Duration hop, Timestamp t) {
    if (!since) return true;
    if (*since == kSincePending || !window) return false;
    return tile_of(t - *window, hop) > tile_of(*since, hop);
}

}  // namespace freshet
