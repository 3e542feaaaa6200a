#include "io/events/event_time.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>

#include "model/characters.hpp"

namespace freshet {
namespace {

using std::chrono::sys_days;
using std::chrono::year;

constexpr Timestamp kFirst = sys_days{year{1} / 1 / 1};
constexpr Timestamp kEnd = sys_days{year{10'000} / 1 / 1};

std::optional<Timestamp> within_years(Timestamp time) {
    if (time < kFirst || time >= kEnd) return std::nullopt;
    return time;
}

// A date and a time of day, as written.
struct Civil {
    int year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0;

    bool exists() const {
        const std::chrono::year_month_day date{std::chrono::year{year},
                                               std::chrono::month{static_cast<unsigned>(month)},
                                               std::chrono::day{static_cast<unsigned>(day)}};
        return year >= 1 && year <= 9999 && date.ok() && hour <= 23 && minute <= 59 && second <= 59;
    }

    Timestamp in_utc() const {
        const sys_days date = std::chrono::year{year} / month / day;
        return date + std::chrono::hours{hour} + std::chrono::minutes{minute} + std::chrono::seconds{second};
    }
};

// Reads exactly `digits` digits at `from`; the caller knows that they are there.
bool read_digits(std::string_view text, std::size_t from, std::size_t digits, int& number) {
    number = 0;
    for (std::size_t i = from; i < from + digits; ++i) {
        if (!is_digit(text[i])) return false;
        number = number * 10 + (text[i] - '0');
    }
    return true;
}

// Takes `.` and digits, if they are next.
bool take_fraction(std::string_view& text, std::chrono::milliseconds& fraction) {
    if (!text.starts_with('.')) return true;
    text.remove_prefix(1);
    int unit = 100;
    const std::size_t before = text.size();
    for (; !text.empty() && is_digit(text[0]); text.remove_prefix(1), unit /= 10) {
        fraction += std::chrono::milliseconds{(text[0] - '0') * unit};
    }
    return text.size() < before;
}

bool read_zone_designator(std::string_view text, std::chrono::minutes& offset) {
    if (text == "Z" || text == "z") return true;
    int hours = 0, minutes = 0;
    if (text.size() != 6 || (text[0] != '+' && text[0] != '-') || text[3] != ':') return false;
    if (!read_digits(text, 1, 2, hours) || !read_digits(text, 4, 2, minutes)) return false;
    offset = std::chrono::minutes{(hours * 60 + minutes) * (text[0] == '-' ? -1 : 1)};
    return hours <= 23 && minutes <= 59;
}

// The zone database opens files by name, so a name that is not one of its own must not reach it.
bool is_zone_name(const std::string& name) {
    const auto allowed = [](char c) {
        return is_letter(c) || is_digit(c) || c == '_' || c == '+' || c == '-' || c == '/';
    };
    return !name.empty() && name[0] != '/' && name != "localtime" &&
           std::all_of(name.begin(), name.end(), allowed);
}

Error bad_pattern(const std::string& pattern, const std::string& why) {
    return {Errc::invalid_argument, "time pattern '" + pattern + "' " + why};
}

}  // namespace

std::optional<Timestamp> time_from_unix_ms(std::int64_t ms) { return within_years(from_unix_ms(ms)); }

std::optional<Timestamp> time_from_unix_seconds(std::int64_t seconds) {
    constexpr std::int64_t first = unix_ms(kFirst) / 1000;
    constexpr std::int64_t end = unix_ms(kEnd) / 1000;
    if (seconds < first || seconds >= end) return std::nullopt;
    return from_unix_ms(seconds * 1000);
}

std::optional<Timestamp> time_from_unix_seconds(double seconds) {
    constexpr double first = static_cast<double>(unix_ms(kFirst)) / 1000;
    constexpr double end = static_cast<double>(unix_ms(kEnd)) / 1000;
    if (!(seconds >= first && seconds < end)) return std::nullopt;
    // If a whole number of milliseconds reads as this double, it is the shortest decimal that does.
    const double nearest = std::nearbyint(seconds * 1000);
    if (nearest / 1000 == seconds) return from_unix_ms(static_cast<std::int64_t>(nearest));
    const double whole = std::floor(seconds);
    const auto fraction = std::min<std::int64_t>(999, static_cast<std::int64_t>((seconds - whole) * 1000));
    return from_unix_ms(static_cast<std::int64_t>(whole) * 1000 + fraction);
}

std::optional<Timestamp> time_from_rfc3339(std::string_view text) {
    constexpr std::size_t kSeconds = sizeof("2024-05-01T10:00:00") - 1;
    if (text.size() <= kSeconds) return std::nullopt;
    Civil civil;
    const bool punctuated = text[4] == '-' && text[7] == '-' && (text[10] == 'T' || text[10] == 't') &&
                            text[13] == ':' && text[16] == ':';
    const bool read = punctuated && read_digits(text, 0, 4, civil.year) &&
                      read_digits(text, 5, 2, civil.month) && read_digits(text, 8, 2, civil.day) &&
                      read_digits(text, 11, 2, civil.hour) && read_digits(text, 14, 2, civil.minute) &&
                      read_digits(text, 17, 2, civil.second);
    if (!read || !civil.exists()) return std::nullopt;
    std::chrono::milliseconds fraction{0};
    std::chrono::minutes offset{0};
    text.remove_prefix(kSeconds);
    if (!take_fraction(text, fraction) || !read_zone_designator(text, offset)) return std::nullopt;
    return within_years(civil.in_utc() + fraction - offset);
}

Result<TimePattern> TimePattern::make(std::string pattern, const std::string& zone) {
    TimePattern out;
    for (std::size_t i = 0; i < pattern.size(); ++i) {
        if (pattern[i] != '%') {
            out.shape_ += pattern[i];
            continue;
        }
        const std::size_t which = ++i < pattern.size() ? kDirectives.find(pattern[i]) : kDirectives.npos;
        if (which == kDirectives.npos) return bad_pattern(pattern, "may only have %Y %m %d %H %M %S");
        if (out.present_[which]) return bad_pattern(pattern, std::string("has %") + pattern[i] + " twice");
        out.present_[which] = true;
        out.places_[which] = out.shape_.size();
        out.shape_.append(which == 0 ? 4 : 2, '\0');
    }
    if (!out.present_[0]) return bad_pattern(pattern, "has no year (%Y)");
    if (!is_zone_name(zone) || !absl::LoadTimeZone(zone, &out.zone_)) {
        return Error{Errc::invalid_argument,
                     "unknown time zone '" + zone + "': an IANA name such as Europe/Berlin"};
    }
    out.utc_ = out.zone_ == absl::UTCTimeZone();
    return out;
}

std::optional<Timestamp> TimePattern::read(std::string_view text) const {
    if (text.size() != shape_.size()) return std::nullopt;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (shape_[i] != '\0' && shape_[i] != text[i]) return std::nullopt;
    }
    Civil civil;
    int* const parts[] = {&civil.year, &civil.month, &civil.day, &civil.hour, &civil.minute, &civil.second};
    for (std::size_t i = 0; i < present_.size(); ++i) {
        if (present_[i] && !read_digits(text, places_[i], i == 0 ? 4 : 2, *parts[i])) return std::nullopt;
    }
    if (!civil.exists()) return std::nullopt;
    if (utc_) return civil.in_utc();
    const absl::CivilSecond local(civil.year, civil.month, civil.day, civil.hour, civil.minute, civil.second);
    return within_years(from_unix_ms(absl::ToUnixMillis(zone_.At(local).pre)));
}

}  // namespace freshet
