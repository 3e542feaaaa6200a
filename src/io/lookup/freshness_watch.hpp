// What a node knows of the freshness of the views that it serves, and of features with a limit of their own:
// looked at once a second, whether or not somebody asks, so that a view that falls behind is told of.
// Thread-safe.
#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "io/lookup/lookup_catalogue.hpp"
#include "io/lookup/lookup_observer.hpp"
#include "io/transitions.hpp"
#include "model/freshness_objective.hpp"

namespace freshet {

class FreshnessWatch {
public:
    FreshnessWatch(const LookupCatalogue& catalogue, LookupObserver& observer);

    // `staleness`: none if it is not known. `reason`: what holds the view back, for people.
    void look(const ServedView& view, Timestamp at, std::optional<Duration> staleness,
              const std::string& reason);

    // For FS.STATUS: each objective, and what changed last.
    std::vector<std::pair<std::string, std::string>> lines(Timestamp now) const;

private:
    struct Watched {
        FreshnessObjective objective;
        std::optional<Duration> staleness = {};
        std::string reason = {};
        bool judged = false;  // at least once
    };

    void look_at(const std::string& name, Timestamp at, std::optional<Duration> staleness,
                 const std::string& reason);
    void changed(const std::string& name, Timestamp at, const Watched& watched);

    LookupObserver& observer_;
    mutable std::mutex mutex_;
    std::map<std::string, Watched> watched_;  // view or view.feature, of those with a max_staleness
    Transitions transitions_;
};

}  // namespace freshet
