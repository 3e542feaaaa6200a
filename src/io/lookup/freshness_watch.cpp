#include "io/lookup/freshness_watch.hpp"

#include <cstdio>

#include "io/log.hpp"

namespace freshet {

namespace {

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
        if (const auto& most = view->plan.view().freshness.max_staleness)
            watched_.emplace(view->name(), Watched{FreshnessObjective(*most)});
        for (const Feature& feature : view->plan.view().features)
            if (const auto& most = feature.freshness.max_staleness)
                watched_.emplace(view->name() + "." + feature.name, Watched{FreshnessObjective(*most)});
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
    const auto found = watched_.find(name);
    if (found == watched_.end()) return;
    Watched& watched = found->second;
    watched.staleness = staleness;
    watched.reason = reason;
    if (watched.objective.take(at, staleness)) changed(name, at, watched);
    watched.judged = watched.judged || staleness || watched.objective.in_breach();
}

void FreshnessWatch::changed(const std::string& name, Timestamp at, const Watched& watched) {
    const FreshnessObjective& objective = watched.objective;
    const std::string view = name.substr(0, name.find('.'));
    std::string what = (name.find('.') == std::string::npos ? "view " : "feature ") + name;
    if (objective.in_breach()) {
        what += " is in breach: " + behind(watched.staleness, objective) + "; " + watched.reason;
        log::warn(what, {.view = view});
    } else {
        what += " is fresh again, after " + std::to_string((at - *objective.breach_began()).count() / 1000) +
                " s in breach";
        log::info(what, {.view = view});
    }
    transitions_.add(at, what);
}

std::vector<std::pair<std::string, std::string>> FreshnessWatch::lines(Timestamp now) const {
    using namespace std::chrono_literals;
    const std::lock_guard lock(mutex_);
    std::vector<std::pair<std::string, std::string>> lines;
    for (const auto& [name, watched] : watched_) {
        const FreshnessObjective& objective = watched.objective;
        std::string text = !watched.judged         ? "not known yet"
                           : objective.in_breach() ? "in breach since " + utc_text(*objective.breach_began())
                                                   : "kept";
        if (watched.judged) text += "; " + behind(watched.staleness, objective);
        text += "; in breach " + percent(objective.burnt(5min, now)) + " of 5 m, " +
                percent(objective.burnt(1h, now)) + " of 1 h, " + percent(objective.burnt(24h, now)) +
                " of 1 d";
        if (objective.in_breach()) text += "; " + watched.reason;
        lines.emplace_back("objective " + name, std::move(text));
    }
    for (auto& line : transitions_.lines("transition")) lines.push_back(std::move(line));
    return lines;
}

}  // namespace freshet
