#include "io/lookup/freshness_watch.hpp"

#include <cstdio>
#include <utility>

#include "io/log.hpp"
#include "io/transitions.hpp"

namespace freshet {

namespace {

using namespace std::chrono_literals;
constexpr std::size_t kMostTransitions = 16;

std::string percent(double part) {
    char text[16];
    std::snprintf(text, sizeof text, "%.1f %%", 100 * part);
    return text;
}

std::string behind(std::optional<Duration> staleness, const FreshnessObjective& objective) {
    return (staleness ? std::to_string(staleness->count()) + " ms behind" : "staleness not known") +
           ", may be " + std::to_string(objective.max_staleness().count()) + " ms";
}

}  // namespace

FreshnessWatch::FreshnessWatch(const LookupCatalogue& catalogue, LookupObserver& observer)
    : observer_(observer) {
    for (const auto& view : catalogue.views()) {
        const auto& most = view->plan.view().freshness.max_staleness;
        watched_.emplace(view->name(), Watched{view->name(), "",
                                               most ? std::optional(FreshnessObjective(*most)) : std::nullopt});
        for (const Feature& feature : view->plan.view().features)
            if (const auto& own = feature.freshness.max_staleness)
                watched_.emplace(view->name() + "." + feature.name,
                                 Watched{view->name(), feature.name, FreshnessObjective(*own)});
    }
}

void FreshnessWatch::look(const ServedView& view, Timestamp at, std::optional<Duration> staleness,
                          const std::string& reason) {
    observer_.looked_at_freshness(view.name(), staleness, view.plan.view().freshness.max_staleness);
    const std::lock_guard lock(mutex_);
    look_at(view.name(), at, staleness, reason);
    for (const Feature& feature : view.plan.view().features)
        if (feature.freshness.max_staleness) look_at(view.name() + "." + feature.name, at, staleness, reason);
}

void FreshnessWatch::look_at(const std::string& name, Timestamp at, std::optional<Duration> staleness,
                             const std::string& reason) {
    Watched& watched = watched_.at(name);
    watched.staleness = staleness;
    watched.reason = reason;
    if (!watched.objective) return;
    if (watched.objective->take(at, staleness)) changed(name, at, watched);
    watched.judged = watched.judged || staleness || watched.objective->in_breach();
}

void FreshnessWatch::look_at_store(Timestamp at, StoreReport store) {
    const std::lock_guard lock(mutex_);
    store_ = std::move(store);
    looked_at_ = at;
}

void FreshnessWatch::changed(const std::string& name, Timestamp at, const Watched& watched) {
    const FreshnessObjective& objective = *watched.objective;
    std::string what = (watched.feature.empty() ? "view " : "feature ") + name;
    if (objective.in_breach()) {
        what += " is in breach: " + behind(watched.staleness, objective) + "; " + watched.reason;
        log::warn(what, {.view = watched.view});
    } else {
        what += " is fresh again, after " + std::to_string((at - *objective.breach_began()).count() / 1000) +
                " s in breach";
        log::info(what, {.view = watched.view});
    }
    changes_.push_front({at, watched.view, objective.in_breach(), what});
    if (changes_.size() > kMostTransitions) changes_.pop_back();
}

ViewReport::State FreshnessWatch::state_of(const Watched& watched) {
    if (!watched.objective) return ViewReport::State::no_objective;
    if (!watched.judged) return ViewReport::State::not_known;
    return watched.objective->in_breach() ? ViewReport::State::in_breach : ViewReport::State::kept;
}

std::vector<std::pair<std::string, std::string>> FreshnessWatch::lines(Timestamp now) const {
    const std::lock_guard lock(mutex_);
    std::vector<std::pair<std::string, std::string>> lines;
    for (const auto& [name, watched] : watched_) {
        if (!watched.objective) continue;
        const FreshnessObjective& objective = *watched.objective;
        std::string text = !watched.judged         ? "not known yet"
                           : objective.in_breach() ? "in breach since " + utc_seconds(*objective.breach_began())
                                                   : "kept";
        if (watched.judged) text += "; " + behind(watched.staleness, objective);
        text += "; in breach " + percent(objective.burnt(5min, now)) + " of 5 m, " +
                percent(objective.burnt(1h, now)) + " of 1 h, " + percent(objective.burnt(24h, now)) +
                " of 1 d";
        if (objective.in_breach()) text += "; " + watched.reason;
        lines.emplace_back("objective " + name, std::move(text));
    }
    for (std::size_t i = 0; i < changes_.size(); ++i)
        lines.emplace_back("transition " + std::to_string(i + 1),
                           utc_seconds(changes_[i].at) + " " + changes_[i].text);
    return lines;
}

FreshnessReport FreshnessWatch::report(Timestamp now) const {
    const std::lock_guard lock(mutex_);
    FreshnessReport report{looked_at_, store_, {}, {changes_.begin(), changes_.end()}};
    for (const auto& [name, watched] : watched_) {
        ViewReport& view = report.views.emplace_back();
        view.view = watched.view;
        view.feature = watched.feature;
        view.state = state_of(watched);
        view.staleness = watched.staleness;
        view.reason = watched.reason;
        if (!watched.objective) continue;
        const FreshnessObjective& objective = *watched.objective;
        view.max_staleness = objective.max_staleness();
        if (objective.in_breach()) view.in_breach_since = objective.breach_began();
        view.burnt_5m = objective.burnt(5min, now);
        view.burnt_1h = objective.burnt(1h, now);
        view.burnt_1d = objective.burnt(24h, now);
    }
    return report;
}

}  // namespace freshet
