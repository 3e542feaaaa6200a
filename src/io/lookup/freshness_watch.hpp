// What a node knows of the freshness of the views that it serves, and of features with a limit of their own:
// looked at once a second, whether or not somebody asks, so that a view that falls behind is told of.
// Thread-safe.
#pragma once

#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "io/lookup/freshness_report.hpp"
#include "io/lookup/lookup_catalogue.hpp"
#include "io/lookup/lookup_observer.hpp"
#include "model/freshness_objective.hpp"

namespace freshet {

class FreshnessWatch {
public:
    FreshnessWatch(const LookupCatalogue& catalogue, LookupObserver& observer);

    // `staleness`: none if it is not known. `reason`: what holds the view back, for people.
    void look(const ServedView& view, Timestamp at, std::optional<Duration> staleness,
              const std::string& reason);
    // At the same time as all views.
    void look_at_store(Timestamp at, StoreReport store);

    // For FS.STATUS: each objective, and what changed last.
    std::vector<std::pair<std::string, std::string>> lines(Timestamp now) const;
    FreshnessReport report(Timestamp now) const;

private:
    struct Watched {
        std::string view;
        std::string feature;                          // empty: the whole view
        std::optional<FreshnessObjective> objective;  // none: a view without a max_staleness
        std::optional<Duration> staleness = {};
        std::string reason = {};
        bool judged = false;  // at least once
    };

    void look_at(const std::string& name, Timestamp at, std::optional<Duration> staleness,
                 const std::string& reason);
    void changed(const std::string& name, Timestamp at, const Watched& watched);
    static ViewReport::State state_of(const Watched& watched);

    LookupObserver& observer_;
    mutable std::mutex mutex_;
    std::map<std::string, Watched> watched_;  // by view, or view.feature of those with a limit of their own
    std::deque<FreshnessChange> changes_;     // the newest first
    StoreReport store_;
    std::optional<Timestamp> looked_at_;
};

}  // namespace freshet
