// How old what is served may be, and how old it is. All times are of one clock, Redis's.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/ids.hpp"

namespace freshet {

// How far several partitions have got together: the lowest of their visibility watermarks, and none when one of
// them has none, since a missing event may be on its way in any of them.
class LowestWatermark {
public:
    void add(std::optional<Timestamp> watermark);
    std::optional<Timestamp> get() const { return known_ ? lowest_ : std::nullopt; }

private:
    bool known_ = true;
    std::optional<Timestamp> lowest_;
};

// `now` minus the watermark, at least 0. None: not known.
std::optional<Duration> staleness(std::optional<Timestamp> watermark, Timestamp now);
// Whether the staleness is known and at most `max_staleness`.
bool is_fresh(std::optional<Duration> staleness, Duration max_staleness);

// Staleness by name, of features and of whole views: all that is counted together is equally stale.
class FreshnessTracker {
public:
    // `name` is of what is counted as `view`, a number of the caller's.
    void track(std::string name, std::size_t view);
    // Everything that was in all partitions at `watermark` is counted and visible. None: that is not known, or
    // no longer.
    void visible(std::size_t view, std::optional<Timestamp> watermark);

    // None: unknown name, or a watermark that is not known.
    std::optional<Duration> get_staleness(std::string_view name, Timestamp now) const;
    bool check_freshness(std::string_view name, Duration max_staleness, Timestamp now) const;

private:
    std::map<std::string, std::size_t, std::less<>> view_of_;
    std::vector<std::optional<Timestamp>> watermarks_;  // by view
};

}  // namespace freshet
