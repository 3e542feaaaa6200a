// The small notations inside a configuration's values: durations, sizes, addresses, times. Errors say what is
// wrong and how to write it, without a place.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "io/config/config.hpp"
#include "model/ids.hpp"
#include "model/result.hpp"

namespace freshet {

constexpr Duration kTenYears = std::chrono::days{3650};

// 500ms, 30s, 5m, 1h, 7d; no sign, no fraction, one unit.
Result<Duration> parse_duration(std::string_view text);

// The shortest notation that parse_duration reads back: 90m, not 5400s.
std::string duration_text(Duration duration);

// A plain decimal: no leading zeros, no `+`, no fraction.
Result<std::int64_t> parse_integer(std::string_view text);

// A plain number of bytes, or one followed by KiB, MiB or GiB.
Result<std::int64_t> parse_bytes(std::string_view text);

// host:port, [ipv6]:port. `lowest_port` is 0 where the system may choose one.
Result<Endpoint> parse_endpoint(std::string_view text, int lowest_port);

// RFC 3339 with a zone designator, from 1970 on. Fractions beyond milliseconds are cut off.
std::optional<Timestamp> parse_rfc3339(std::string_view text);

// [a-z][a-z0-9_]{0,63}: sources, fields, views, features and services.
bool is_name(std::string_view text);
// Of who owns a view: as a name, with - too.
bool is_owner(std::string_view text);

// What Kafka accepts as a topic's name: 1 to 249 of [A-Za-z0-9._-], not `.` or `..`.
bool is_topic(std::string_view text);

std::string in_quotes(std::string_view text);

}  // namespace freshet
