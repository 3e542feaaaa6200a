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

namespace {

enum class Witness { stands, gone, differs };

Witness ask(const LogMark& mark, const std::optional<LogMark>& found, LogRange log) {
    if (found == mark) return Witness::stands;
    return found || mark.offset >= log.end ? Witness::differs : Witness::gone;
}

}  // namespace

LogVerdict judge_log(const LogIdentity& known, std::span<const std::optional<LogMark>> found, LogRange log,
                     Offset read_to) {
    std::size_t stand = 0, differ = 0;
    for (std::size_t i = 0; i < known.marks.size(); ++i) {
        const Witness witness = ask(known.marks[i], found[i], log);
        stand += witness == Witness::stands;
        differ += witness == Witness::differs;
    }
    const bool low_fell = log.low < known.low && stand == 0;
    if (differ == 0 && !low_fell && read_to <= log.end) return LogVerdict::same;
    const bool nothing_remains = known.marks.empty() ? low_fell : differ == known.marks.size();
    return nothing_remains ? LogVerdict::made_anew : LogVerdict::truncated;
}

std::vector<LogMark> standing_marks(const LogIdentity& known, std::span<const std::optional<LogMark>> found,
                                    LogRange log) {
    std::vector<LogMark> standing;
    for (std::size_t i = 0; i < known.marks.size(); ++i)
        if (ask(known.marks[i], found[i], log) != Witness::differs) standing.push_back(known.marks[i]);
    return standing;
}

}  // namespace freshet
