#include "io/lookup/lookup_catalogue.hpp"

#include <algorithm>
#include <utility>

#include "io/redis/resp_writer.hpp"
#include "model/nearest_name.hpp"

namespace freshet {

namespace {

std::string unknown(std::string_view what, std::string_view name, const std::vector<std::string>& known) {
    std::string message = "no " + std::string(what) + " '" + shown(name) + "'";
    if (const std::string nearest = nearest_name(name, known); !nearest.empty())
        message += "; did you mean '" + nearest + "'?";
    return message;
}

}  // namespace

ServedView::ServedView(const Source& of, const View& view) : source(of), plan(of, view) {
    for (std::size_t i = 0; i < plan.features().size(); ++i) {
        const std::string& name = plan.features()[i].name;
        features.emplace(name, i);
        all.push_back(i);
        RespWriter(names.emplace_back()).bulk(name);
        const Feature& feature = view.features[i];
        windows.push_back(feature.window);
        contracts.push_back({max_staleness(view, feature), on_breach(view, feature), feature.otherwise});
        alike_ = alike_ && contracts.back().max_staleness == contracts.front().max_staleness;
    }
    tightest = tightest_staleness(view);
}

std::optional<Duration> ServedView::tightest_of(std::span<const std::size_t> some) const {
    if (alike_) return tightest;
    std::optional<Duration> least;
    for (const std::size_t feature : some)
        if (const auto most = contracts[feature].max_staleness) least = std::min(least.value_or(*most), *most);
    return least;
}

LookupCatalogue::LookupCatalogue(Definitions definitions) : definitions_(std::move(definitions)) {
    for (const View& view : definitions_.views) {
        const Source& source = definitions_.source_of(view);
        auto& served = *views_.emplace_back(std::make_unique<ServedView>(source, view));
        served.index = views_.size() - 1;
        served.topic = topic_of(source.topic);
        topics_[served.topic].views.push_back(&served);
        by_name_.emplace(view.name, &served);
        by_name_.emplace(view.id(), &served);
    }
    for (const Service& service : definitions_.services) services_.push_back(prepared(service));
}

ServedService LookupCatalogue::prepared(const Service& service) const {
    ServedService out;
    out.name = service.name;
    out.features = service.features.size();
    for (const auto& [view_name, feature] : service.features) {
        out.names.push_back(view_name + "." + feature);
        const ServedView* view = find(view_name);
        auto part = std::ranges::find(out.parts, view, &ServedService::Part::view);
        if (part == out.parts.end()) part = out.parts.insert(part, {view, {}, {}});
        const auto index = static_cast<std::size_t>(part - out.parts.begin());
        if (out.runs.empty() || out.runs.back().part != index) {
            out.runs.push_back({index, part->runs.size()});
            part->runs.push_back(0);
        }
        part->features.push_back(view->features.find(feature)->second);
        ++part->runs.back();
    }
    for (const ServedService::Part& part : out.parts)
        for (const std::size_t column : part.view->plan.view().entity) {
            const std::string& key = part.view->source.fields[column].name;
            if (std::ranges::find(out.keys, key) == out.keys.end()) out.keys.push_back(key);
        }
    return out;
}

std::size_t LookupCatalogue::topic_of(const std::string& name) {
    const auto found = std::ranges::find(topics_, name, &ServedTopic::name);
    if (found != topics_.end()) return static_cast<std::size_t>(found - topics_.begin());
    topics_.push_back({name, {}});
    return topics_.size() - 1;
}

const ServedView* LookupCatalogue::find(std::string_view name) const {
    const auto found = by_name_.find(name);
    return found == by_name_.end() ? nullptr : found->second;
}

const ServedService* LookupCatalogue::find_service(std::string_view name) const {
    const auto found = std::ranges::find(services_, name, &ServedService::name);
    return found == services_.end() ? nullptr : &*found;
}

std::string LookupCatalogue::no_view(std::string_view name) const {
    std::vector<std::string> known;
    for (const auto& view : views_) known.push_back(view->name());
    return unknown("view", name, known);
}

std::string LookupCatalogue::no_service(std::string_view name) const {
    std::vector<std::string> known;
    for (const ServedService& service : services_) known.push_back(service.name);
    return unknown("service", name, known);
}

std::string LookupCatalogue::no_feature(const ServedView& view, std::string_view name) const {
    std::vector<std::string> known;
    for (const FeaturePlan& feature : view.plan.features()) known.push_back(feature.name);
    return unknown("feature", name, known) + " in view " + view.name();
}

}  // namespace freshet
