// The formats of a source's time field (docs/semantics.md, Events). No function throws or allocates, makers
// aside; every reader returns nothing for what it cannot read and for a time outside the years 1 to 9999.
#pragma once

#include <absl/time/time.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "model/ids.hpp"
#include "model/result.hpp"

namespace freshet {

std::optional<Timestamp> time_from_unix_ms(std::int64_t ms);
std::optional<Timestamp> time_from_unix_seconds(std::int64_t seconds);

// Rounds down to a millisecond the shortest decimal that reads as `seconds`: 1714557600.001 is not a
// millisecond less because its double is.
std::optional<Timestamp> time_from_unix_seconds(double seconds);

// RFC 3339, e.g. 2024-05-01T10:00:00.250Z or 2024-05-01T12:00:00+02:00; digits below a millisecond are cut off.
// Leap seconds (:60) are not read.
std::optional<Timestamp> time_from_rfc3339(std::string_view text);

// A pattern of %Y %m %d %H %M %S and literal characters, read in a zone. Immutable; cheap to copy.
class TimePattern {
public:
    // `pattern` has each of the six at most once, and %Y; a month or day it lacks is 1, an hour, minute or
    // second 0. `zone` is an IANA name that this machine knows.
    static Result<TimePattern> make(std::string pattern, const std::string& zone);

    // Exactly 4 digits for %Y and 2 for the others, and no other character than the pattern's. A local time
    // that occurs twice is the first; one that a clock change leaves out is read by the offset before the
    // change.
    std::optional<Timestamp> read(std::string_view text) const;

private:
    static constexpr std::string_view kDirectives = "YmdHMS";

    TimePattern() = default;

    std::string shape_;  // the pattern with a \0 for every digit: as long as the texts it reads
    std::array<std::size_t, 6> places_{};  // of kDirectives in shape_
    std::array<bool, 6> present_{};        //
    bool utc_ = true;
    absl::TimeZone zone_;
};

}  // namespace freshet
