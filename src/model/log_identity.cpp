#include "model/log_identity.hpp"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <limits>

namespace freshet {

LogMark mark_of(Offset offset, Timestamp time, std::string_view key, std::optional<std::string_view> value) {
    const std::uint64_t seed = XXH3_64bits(key.data(), key.size()) + (value ? 1 : 0);
    const std::string_view bytes = value.value_or(std::string_view{});
    return {offset, time, XXH3_64bits_withSeed(bytes.data(), bytes.size(), seed)};
}

void add_mark(std::vector<LogMark>& marks, const LogMark& mark) {
    if (!marks.empty() && marks.back().offset >= mark.offset) return;
    marks.push_back(mark);
    if (marks.size() <= kMostMarks) return;
    std::size_t nearest = 1;
    double least = std::numeric_limits<double>::max();
    for (std::size_t i = 1; i + 1 < marks.size(); ++i) {
        const auto gap = static_cast<double>(marks[i].offset.value - marks[i - 1].offset.value);
        const auto age = static_cast<double>(mark.offset.value - marks[i].offset.value);
        if (gap / age >= least) continue;
        least = gap / age;
        nearest = i;
    }
    marks.erase(marks.begin() + static_cast<std::ptrdiff_t>(nearest));
}

LogVerdict judge_log(std::span<const LogMark> marks, std::span<const std::optional<LogMark>> found,
                     LogRange log, Offset read_to) {
    bool differs = read_to > log.end;
    bool may_remain = marks.empty();
    for (std::size_t i = 0; i < marks.size(); ++i) {
        const bool beyond_end = marks[i].offset >= log.end;
        const bool gone = !beyond_end && !found[i];
        differs = differs || (!gone && found[i] != marks[i]);
        may_remain = may_remain || gone || found[i] == marks[i];
    }
    if (!differs) return LogVerdict::same;
    return may_remain ? LogVerdict::truncated : LogVerdict::made_anew;
}

}  // namespace freshet
