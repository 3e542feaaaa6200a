// A progress record as the fields of a Redis hash (docs/storage.md). Fields that are not named here are left
// alone.
#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "model/progress.hpp"
#include "model/result.hpp"

namespace freshet {

namespace record_field {
constexpr std::string_view kEpoch = "epoch";
constexpr std::string_view kNode = "node";
constexpr std::string_view kGeneration = "generation";
constexpr std::string_view kBegins = "begins";  // "begins low"
constexpr std::string_view kMarks = "marks";    // "offset:time:content", one behind the other, blanks between
constexpr std::string_view kRead = "read";      // the first and the last message that may be stored, likewise
constexpr std::string_view kCalls = "calls";
constexpr std::string_view kPartitions = "partitions";
constexpr std::string_view kCluster = "cluster";
constexpr std::string_view kGroup = "group";
// In a cluster:
constexpr std::string_view kSlots = "slots";        // of all records of the partition; blanks between
constexpr std::string_view kCovers = "covers";      // "first-last", of the slots it vouches for; blanks between
constexpr std::string_view kAdvance = "advance";    // the number of the advance that wrote those
constexpr std::string_view kRebuilds = "rebuilds";  // "1" while what another primary lost is counted again
std::string position(std::string_view view_id);     // "next clock watermark generation"; "-" for none
// "fingerprint since retain features"; fingerprints in hexadecimal, since may be "-" or "pending". A feature is
// "name:fingerprint", with ":since" behind it where there is one; commas between.
std::string definition(std::string_view view_id);
std::string layouts(std::string_view view_id);  // StoredLayout::text() of each, blanks between
}  // namespace record_field

std::string encode_position(const ViewProgress& progress);
std::string encode_definition(const ViewProgress& progress);
std::string encode_begins(const LogIdentity& log);
std::string encode_marks(std::span<const LogMark> marks);
std::string encode_slots(std::span<const RecordSlot> slots);
std::string encode_covers(const SlotRanges& ranges);
// None of a list that does not decode.
std::vector<RecordSlot> decode_slots(std::string_view text);
SlotRanges decode_covers(std::string_view text);
Result<ViewProgress> decode_view(std::string_view position, std::string_view definition);
// The parts of it; the other part stays as it is.
Result<void> decode_position(std::string_view position, ViewProgress& progress);
Result<void> decode_definition(std::string_view definition, ViewProgress& progress);

using RecordFields = std::vector<std::pair<std::string, std::string>>;
RecordFields encode_record(const ProgressRecord& record);

// Of the answer to HGETALL: name, value, name, value ...
Result<ProgressRecord> decode_record(std::span<const std::string_view> names_and_values);

}  // namespace freshet
