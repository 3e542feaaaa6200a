#include "model/record_parts.hpp"

#include <algorithm>
#include <functional>
#include <iterator>
#include <utility>

namespace freshet {

namespace {

using Records = std::vector<const ProgressRecord*>;

const ProgressRecord* foreign_one(const PartitionClaim& claim, const Records& records) {
    for (const ProgressRecord* record : records)
        if (record->kafka_cluster != claim.kafka_cluster || record->group != claim.group) return record;
    return nullptr;
}

bool has_lost_a_record(std::span<const RecordPart> parts) {
    const bool forgot = std::ranges::any_of(
        parts, [](const RecordPart& part) { return part.kept == RecordPart::Kept::less && !part.record; });
    return forgot || std::ranges::any_of(named_slots(parts), [&](RecordSlot slot) {
               const auto part = std::ranges::find(parts, slot, &RecordPart::slot);
               return part == parts.end() || !part->record || part->record->views.empty();
           });
}

// Every record that has views, and one at each primary.
bool all_is_covered(std::span<const RecordPart> parts, std::span<const SlotRanges> served) {
    std::vector<bool> has_one(served.size());
    for (const RecordPart& part : parts) {
        if (!part.record || part.record->views.empty() || part.primary >= served.size()) continue;
        if (!covers_all(part, served)) return false;
        has_one[part.primary] = true;
    }
    return std::ranges::all_of(has_one, std::identity{});
}

// All that was marked in the newest generation.
LogIdentity newest_log(const Records& records) {
    const auto generation = [](const ProgressRecord* record) { return record->log.generation; };
    LogIdentity log = (*std::ranges::max_element(records, {}, generation))->log;
    std::vector<LogMark> marks;
    for (const ProgressRecord* record : records) {
        if (record->log.generation != log.generation) continue;
        log.low = std::max(log.low, record->log.low);
        marks.insert(marks.end(), record->log.marks.begin(), record->log.marks.end());
    }
    std::ranges::sort(marks, {}, &LogMark::offset);
    log.marks.clear();
    for (const LogMark& mark : marks) add_mark(log.marks, mark);
    return log;
}

// What both count, and since the later time.
void keep_common(std::map<std::string, FeatureProgress, std::less<>>& features, const ViewProgress& other) {
    std::erase_if(features, [&](const auto& feature) { return !other.features.contains(feature.first); });
    for (auto& [name, feature] : features)
        feature.since = std::max(feature.since, other.features.find(name)->second.since);
}

ViewProgress lower(const ViewProgress& a, const ViewProgress& b) {
    const auto place = [](const ViewProgress& view) { return std::pair(view.generation, view.next); };
    ViewProgress low = place(b) < place(a) ? b : a;
    if (place(a) == place(b)) low.clock = std::min(a.clock, b.clock);
    low.watermark = std::min(a.watermark, b.watermark);
    low.since = std::max(a.since, b.since);
    low.retain = std::min(a.retain, b.retain);
    keep_common(low.features, place(b) < place(a) ? a : b);
    return low;
}

ViewProgressMap common_views(const Records& records) {
    ViewProgressMap common = records.front()->views;
    for (const ProgressRecord* record : records) {
        std::erase_if(common, [&](const auto& view) { return !record->views.contains(view.first); });
        for (auto& [id, view] : common) view = lower(view, record->views.at(id));
    }
    return common;
}

void add_layouts(std::string& list, const std::string& more) {
    for (std::size_t at = 0; at < more.size();) {
        const std::size_t end = std::min(more.find(' ', at), more.size());
        const std::string layout = more.substr(at, end - at);
        if ((" " + list + " ").find(" " + layout + " ") == std::string::npos)
            list += (list.empty() ? "" : " ") + layout;
        at = end + 1;
    }
}

}  // namespace

std::vector<RecordSlot> named_slots(std::span<const RecordPart> parts) {
    std::vector<RecordSlot> named;
    for (const RecordPart& part : parts)
        if (part.record) named.insert(named.end(), part.record->slots.begin(), part.record->slots.end());
    std::ranges::sort(named);
    named.erase(std::unique(named.begin(), named.end()), named.end());
    return named;
}

bool may_have_fallen_back(std::span<const RecordPart> parts) {
    std::uint64_t newest = 0;
    for (const RecordPart& part : parts)
        if (part.record) newest = std::max(newest, part.record->advance);
    return std::ranges::any_of(parts, [&](const RecordPart& part) {
        if (!part.record || part.record->views.empty()) return false;
        return part.kept == RecordPart::Kept::less ||
               (part.kept == RecordPart::Kept::unknown && part.record->advance < newest);
    });
}

bool need_current_map(std::span<const RecordPart> parts) {
    return may_have_fallen_back(parts) || has_lost_a_record(parts) ||
           std::ranges::any_of(parts,
                               [](const RecordPart& part) { return part.record && part.record->rebuilds; });
}

bool covers_all(const RecordPart& part, std::span<const SlotRanges> served) {
    return part.record && contains_all(part.record->covers, served[part.primary]);
}

std::optional<ProgressRecord> whole_record(const PartitionClaim& claim, std::span<const RecordPart> parts,
                                           std::span<const SlotRanges> served) {
    Records all, with_views;
    for (const RecordPart& part : parts) {
        if (!part.record) continue;
        all.push_back(&*part.record);
        if (!part.record->views.empty()) with_views.push_back(&*part.record);
    }
    if (all.empty()) return std::nullopt;
    if (const ProgressRecord* foreign = foreign_one(claim, all)) return *foreign;

    ProgressRecord whole =
        **std::ranges::max_element(all, {}, [](const ProgressRecord* r) { return r->epoch; });
    for (const ProgressRecord* record : all) {
        whole.partitions = std::max(whole.partitions, record->partitions);
        whole.advance = std::max(whole.advance, record->advance);
        for (const auto& [id, layouts] : record->layouts) add_layouts(whole.layouts[id], layouts);
    }
    whole.slots = named_slots(parts);
    whole.covers.clear();
    whole.log = newest_log(with_views.empty() ? all : with_views);
    whole.views = with_views.empty() ? ViewProgressMap{} : common_views(with_views);
    whole.rebuilds = std::ranges::any_of(with_views, &ProgressRecord::rebuilds);
    whole.lost_part = !with_views.empty() && (whole.rebuilds || has_lost_a_record(parts) ||
                                              (may_have_fallen_back(parts) && !all_is_covered(parts, served)));
    return whole;
}

}  // namespace freshet
