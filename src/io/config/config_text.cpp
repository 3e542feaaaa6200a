#include "io/config/config_text.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <span>

#include "model/characters.hpp"

namespace freshet {
namespace {

struct Unit {
    std::string_view name;
    std::int64_t factor;
};

constexpr Unit kDurations[] = {{"d", 86'400'000}, {"h", 3'600'000}, {"m", 60'000}, {"s", 1000}, {"ms", 1}};
constexpr Unit kSizes[] = {{"GiB", 1LL << 30}, {"MiB", 1LL << 20}, {"KiB", 1LL << 10}, {"", 1}};

Error bad(std::string message) { return {Errc::invalid_argument, std::move(message)}; }

std::size_t digits_at_start(std::string_view text) {
    return static_cast<std::size_t>(std::ranges::find_if_not(text, is_digit) - text.begin());
}

std::optional<std::int64_t> whole(std::string_view digits) {
    std::int64_t value = 0;
    const char* end = digits.data() + digits.size();
    const auto [stop, error] = std::from_chars(digits.data(), end, value);
    if (digits.empty() || error != std::errc{} || stop != end) return std::nullopt;
    return value;
}

// `5m` or `64KiB` as a number of the smallest unit; nothing where the unit is unknown or the number too large.
std::optional<std::int64_t> scaled(std::string_view text, std::span<const Unit> units) {
    const std::size_t digits = digits_at_start(text);
    const auto number = whole(text.substr(0, digits));
    const auto unit = std::ranges::find(units, text.substr(digits), &Unit::name);
    if (!number || unit == units.end()) return std::nullopt;
    if (*number > std::numeric_limits<std::int64_t>::max() / unit->factor) return std::nullopt;
    return *number * unit->factor;
}

}  // namespace

std::string in_quotes(std::string_view text) { return '"' + std::string{text} + '"'; }

Result<Duration> parse_duration(std::string_view text) {
    if (const auto value = scaled(text, kDurations)) return Duration{*value};
    const std::size_t digits = digits_at_start(text);
    if (digits > 0 && digits == text.size()) {
        return bad(in_quotes(text) + " has no unit; write " + std::string{text} +
                   "s for seconds, or ms, m, h, d");
    }
    return bad(in_quotes(text) +
               " is not a duration; write a whole number and one unit, such as 500ms, 30s, 5m, 1h or 7d");
}

std::string duration_text(Duration duration) {
    for (const Unit& unit : kDurations) {
        if (duration.count() != 0 && duration.count() % unit.factor == 0) {
            return std::to_string(duration.count() / unit.factor) + std::string{unit.name};
        }
    }
    return "0s";
}

Result<std::int64_t> parse_integer(std::string_view text) {
    const bool negative = text.starts_with('-');
    const std::string_view digits = text.substr(negative ? 1 : 0);
    const bool plain = !digits.empty() && digits_at_start(digits) == digits.size();
    if (!plain) return bad(in_quotes(text) + " is not a whole number; write it in plain decimal digits");
    if (digits.size() > 1 && digits.front() == '0') {
        const std::size_t significant = std::min(digits.find_first_not_of('0'), digits.size() - 1);
        return bad(in_quotes(text) + " has a leading zero, which some read as octal; write " +
                   (negative ? "-" : "") + std::string{digits.substr(significant)});
    }
    const auto value = whole(text);
    if (!value) return bad(in_quotes(text) + " is out of range; write a number of at most 18 digits");
    return *value;
}

Result<std::int64_t> parse_bytes(std::string_view text) {
    const std::size_t digits = digits_at_start(text);
    if (const auto number = parse_integer(text.substr(0, digits)); digits > 0 && !number) return number.error();
    if (const auto value = scaled(text, kSizes)) return *value;
    return bad(in_quotes(text) +
               " is not a size; write a number of bytes, or one with a unit such as 64KiB, 1MiB or 2GiB");
}

Result<Endpoint> parse_endpoint(std::string_view text, int lowest_port) {
    const auto malformed = [&](const std::string& why) {
        return bad(in_quotes(text) + " is not an address: " + why +
                   "; write host:port, such as 127.0.0.1:7600");
    };
    const std::size_t colon = text.rfind(':');
    if (colon == std::string_view::npos) return malformed("it has no port");
    std::string_view host = text.substr(0, colon);
    const bool bracketed = host.size() >= 2 && host.front() == '[' && host.back() == ']';
    if (bracketed) host = host.substr(1, host.size() - 2);
    const auto in_host = [&](char c) {
        return is_letter(c) || is_digit(c) || c == '.' || c == '-' || c == '_' ||
               (bracketed && (c == ':' || c == '%'));
    };
    if (host.empty()) return malformed("it has no host (0.0.0.0 is every IPv4 address of this machine)");
    if (!bracketed && host.find(':') != std::string_view::npos) {
        return malformed("an IPv6 host stands in brackets, as in [::1]:7600");
    }
    if (!std::ranges::all_of(host, in_host)) return malformed("the host has a character that no host has");

    const auto port = parse_integer(text.substr(colon + 1));
    if (!port || *port < lowest_port || *port > 65'535) {
        return malformed("the port is not a number from " + std::to_string(lowest_port) + " to 65535");
    }
    return Endpoint{std::string{host}, static_cast<std::uint16_t>(*port)};
}

namespace {

// Reads RFC 3339 from left to right; after the first mismatch every further step fails.
class TimeText {
public:
    explicit TimeText(std::string_view text) : rest_(text) {}

    int number(std::size_t digits) {
        if (digits_at_start(rest_) < digits) ok_ = false;
        const auto value = ok_ ? whole(rest_.substr(0, digits)) : std::nullopt;
        if (ok_) rest_.remove_prefix(digits);
        return static_cast<int>(value.value_or(0));
    }
    // One of `accepted`, or the NUL character.
    char any_of(std::string_view accepted) {
        if (!ok_ || rest_.empty() || accepted.find(rest_.front()) == std::string_view::npos) return '\0';
        const char c = rest_.front();
        rest_.remove_prefix(1);
        return c;
    }
    void need(std::string_view accepted) {
        if (any_of(accepted) == '\0') ok_ = false;
    }
    Duration fraction() {
        const std::size_t digits = digits_at_start(rest_);
        if (digits == 0) ok_ = false;
        std::string milliseconds{rest_.substr(0, std::min<std::size_t>(digits, 3))};
        milliseconds.resize(3, '0');
        rest_.remove_prefix(digits);
        return Duration{whole(milliseconds).value_or(0)};
    }
    bool complete() const { return ok_ && rest_.empty(); }

private:
    std::string_view rest_;
    bool ok_ = true;
};

}  // namespace

std::optional<Timestamp> parse_rfc3339(std::string_view text) {
    namespace chr = std::chrono;
    TimeText in{text};
    const int year = in.number(4);
    in.need("-");
    const int month = in.number(2);
    in.need("-");
    const int day = in.number(2);
    in.need("Tt ");
    const int hour = in.number(2);
    in.need(":");
    const int minute = in.number(2);
    in.need(":");
    const int second = in.number(2);
    Duration time = chr::hours{hour} + chr::minutes{minute} + chr::seconds{second};
    if (in.any_of(".") != '\0') time += in.fraction();
    if (const char sign = in.any_of("+-"); sign != '\0') {
        const int zone_hour = in.number(2);
        in.need(":");
        const int zone_minute = in.number(2);
        if (zone_hour > 23 || zone_minute > 59) return std::nullopt;
        const Duration zone = chr::hours{zone_hour} + chr::minutes{zone_minute};
        time += sign == '+' ? -zone : zone;
    } else {
        in.need("Zz");
    }
    const chr::year_month_day date{chr::year{year}, chr::month{static_cast<unsigned>(month)},
                                   chr::day{static_cast<unsigned>(day)}};
    if (!in.complete() || !date.ok() || hour > 23 || minute > 59 || second > 59) return std::nullopt;
    const Timestamp result = chr::sys_days{date} + time;
    if (unix_ms(result) < 0) return std::nullopt;
    return result;
}

bool is_name(std::string_view text) {
    const auto letter = [](char c) { return c >= 'a' && c <= 'z'; };
    if (text.empty() || text.size() > 64 || !letter(text.front())) return false;
    return std::ranges::all_of(text, [&](char c) { return letter(c) || is_digit(c) || c == '_'; });
}

bool is_owner(std::string_view text) {
    std::string name(text);
    std::ranges::replace(name, '-', '_');
    return is_name(name);
}

bool is_topic(std::string_view text) {
    if (text.empty() || text.size() > 249 || text == "." || text == "..") return false;
    return std::ranges::all_of(
        text, [](char c) { return is_letter(c) || is_digit(c) || c == '.' || c == '_' || c == '-'; });
}

}  // namespace freshet
