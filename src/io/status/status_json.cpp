#include "io/status/status_json.hpp"

#include <nlohmann/json.hpp>
#include <set>

namespace freshet {

namespace {

using Json = nlohmann::ordered_json;

// Names of entities and files may be any bytes.
std::string text_of(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

Json ms_or_null(std::optional<Duration> duration) { return duration ? Json(duration->count()) : Json(nullptr); }
Json ms_or_null(std::optional<Timestamp> time) { return time ? Json(unix_ms(*time)) : Json(nullptr); }
Json ms_or_null(std::optional<double> seconds) {
    return seconds ? Json(std::round(*seconds * 1e6) / 1e3) : Json(nullptr);
}

std::string_view name_of(NodeReport::Phase phase) {
    switch (phase) {
        case NodeReport::Phase::starting:
            return "starting";
        case NodeReport::Phase::running:
            return "running";
        default:
            return "stopping";
    }
}

std::string_view name_of(ViewReport::State state) {
    switch (state) {
        case ViewReport::State::no_objective:
            return "no_objective";
        case ViewReport::State::not_known:
            return "not_known";
        case ViewReport::State::kept:
            return "kept";
        default:
            return "in_breach";
    }
}

std::string_view name_of(PartitionReport::State state) {
    switch (state) {
        case PartitionReport::State::starting:
            return "starting";
        case PartitionReport::State::running:
            return "running";
        default:
            return "failed";
    }
}

using Reports = std::map<std::pair<std::string, std::string>, ViewReport>;  // by view and feature

Reports reports_of(const NodeReport& report) {
    Reports reports;
    if (report.lookups)
        for (const ViewReport& one : report.lookups->freshness.views) reports[{one.view, one.feature}] = one;
    return reports;
}

ViewReport report_of(const Reports& reports, const View& view, const std::string& feature,
                     std::optional<Duration> max_staleness) {
    const auto found = reports.find({view.name, feature});
    if (found != reports.end()) return found->second;
    ViewReport unknown;
    if (max_staleness) unknown.state = ViewReport::State::not_known;
    return unknown;
}

Json burnt_of(const ViewReport& report) {
    return {{"5m", report.burnt_5m}, {"1h", report.burnt_1h}, {"1d", report.burnt_1d}};
}

// Of its own; null where its view's is.
Json objective_of(const View& view, const Feature& feature, const Reports& reports) {
    const auto& most = feature.freshness.max_staleness;
    if (!most) return nullptr;
    const ViewReport report = report_of(reports, view, feature.name, most);
    return {{"state", name_of(report.state)},
            {"max_staleness_ms", most->count()},
            {"in_breach_since_ms", ms_or_null(report.in_breach_since)},
            {"burnt", burnt_of(report)}};
}

Json json_of(const Definitions& definitions, const View& view, const Reports& reports, bool shed) {
    const ViewReport report = report_of(reports, view, "", view.freshness.max_staleness);
    const Source& source = definitions.source_of(view);
    Json entity = Json::array();
    for (const std::size_t column : view.entity) entity.push_back(source.fields[column].name);
    Json features = Json::array();
    for (const Feature& feature : view.features)
        features.push_back({{"name", feature.name},
                            {"function", freshet::name_of(feature.function)},
                            {"field", feature.field ? Json(source.fields[*feature.field].name) : Json(nullptr)},
                            {"window_ms", ms_or_null(feature.window)},
                            {"objective", objective_of(view, feature, reports)}});
    return {{"name", view.name},
            {"version", view.version},
            {"topic", source.topic},
            {"entity", std::move(entity)},
            {"features", std::move(features)},
            {"state", name_of(report.state)},
            {"staleness_ms", ms_or_null(report.staleness)},
            {"max_staleness_ms", ms_or_null(view.freshness.max_staleness)},
            {"in_breach_since_ms", ms_or_null(report.in_breach_since)},
            {"reason", report.reason},
            {"shed", shed},
            {"burnt", burnt_of(report)}};
}

Json views_of(const NodeReport& report, const Definitions& definitions,
              const std::function<bool(const View&)>& may_read) {
    const Reports reports = reports_of(report);
    Json views = Json::array();
    for (const View& view : definitions.views)
        if (may_read(view))
            views.push_back(json_of(definitions, view, reports, report.shed_views.contains(view.id())));
    return views;
}

Json partition_json(const Partition& partition, const PartitionRecord* record, const PartitionReport* own,
                    const std::string& node) {
    const bool runs = own && own->state == PartitionReport::State::running;
    const std::string owner = own ? node : record->owner;
    Json json{{"topic", partition.topic},
              {"partition", partition.id.value},
              {"state", own             ? name_of(own->state)
                        : owner.empty() ? "unowned"
                                        : "elsewhere"},
              {"owner", owner.empty() ? Json(nullptr) : Json(owner)},
              {"epoch", nullptr},
              {"behind_ms", record ? ms_or_null(record->behind) : Json(nullptr)},
              {"lag", runs ? Json(own->lag()) : Json(nullptr)},
              {"entities", runs ? Json(own->entities) : Json(nullptr)},
              {"next", runs ? Json(own->next.value) : Json(nullptr)},
              {"end", runs ? Json(own->end.value) : Json(nullptr)},
              {"error", own && !own->error.empty() ? Json(own->error) : Json(nullptr)}};
    if (runs)
        json["epoch"] = own->epoch.value;
    else if (record && !record->owner.empty())
        json["epoch"] = record->epoch.value;
    return json;
}

// Those that this node counts, and those of which a record tells.
Json partitions_of(const NodeReport& report, const std::set<std::string>& topics) {
    std::map<Partition, const PartitionRecord*> all;
    for (const auto& [partition, own] : report.partitions) all[partition] = nullptr;
    if (report.lookups)
        for (const PartitionRecord& record : report.lookups->freshness.store.partitions)
            all[record.partition] = &record;
    Json partitions = Json::array();
    for (const auto& [partition, record] : all) {
        if (!topics.contains(partition.topic)) continue;
        const auto own = report.partitions.find(partition);
        partitions.push_back(partition_json(
            partition, record, own == report.partitions.end() ? nullptr : &own->second, report.node));
    }
    return partitions;
}

Json activity_of(const NodeReport& report) {
    const Json none = Json::array();
    Json json{{"at_ms", none},
              {"events_per_s", none},
              {"lookups_per_s", none},
              {"readable_p99_ms", none},
              {"lookup_p99_ms", none}};
    for (const ActivitySample& sample : report.activity) {
        json["at_ms"].push_back(unix_ms(sample.at));
        json["events_per_s"].push_back(std::round(sample.events_per_s * 10) / 10);
        json["lookups_per_s"].push_back(std::round(sample.lookups_per_s * 10) / 10);
        json["readable_p99_ms"].push_back(ms_or_null(sample.readable_p99_s));
        json["lookup_p99_ms"].push_back(ms_or_null(sample.lookup_p99_s));
    }
    return json;
}

Json transitions_of(const NodeReport& report, const std::set<std::string>& views) {
    Json transitions = Json::array();
    if (!report.lookups) return transitions;
    for (const FreshnessChange& change : report.lookups->freshness.changes)
        if (views.contains(change.view))
            transitions.push_back({{"at_ms", unix_ms(change.at)},
                                   {"view", change.view},
                                   {"in_breach", change.in_breach},
                                   {"text", change.text}});
    return transitions;
}

}  // namespace

std::string status_json(const NodeReport& report, const Definitions& definitions,
                        const std::function<bool(const View&)>& may_read, bool gives_values) {
    std::set<std::string> views, topics;
    for (const View& view : definitions.views) {
        if (!may_read(view)) continue;
        views.insert(view.name);
        topics.insert(definitions.source_of(view).topic);
    }
    Json roles = Json::array();
    if (report.roles.ingest) roles.push_back("ingest");
    if (report.roles.serve) roles.push_back("serve");
    const std::vector<std::string> why_not = obstacles(report);
    Json redis = nullptr, lookups = nullptr;
    if (report.lookups) {
        const StoreReport& store = report.lookups->freshness.store;
        redis = {{"connected", store.connected}, {"text", store.connection}};
        lookups = {{"clients", report.lookups->clients},
                   {"requests", report.lookups->requests},
                   {"gives_values", gives_values}};
    }
    return text_of({{"node", report.node},
                    {"version", report.version},
                    {"now_ms", unix_ms(report.now)},
                    {"uptime_s", report.uptime.count()},
                    {"roles", std::move(roles)},
                    {"phase", name_of(report.phase)},
                    {"ready", why_not.empty()},
                    {"not_ready_because", why_not},
                    {"redis", std::move(redis)},
                    {"lookups", std::move(lookups)},
                    {"views", views_of(report, definitions, may_read)},
                    {"partitions", partitions_of(report, topics)},
                    {"transitions", transitions_of(report, views)},
                    {"activity", activity_of(report)}});
}

HttpResponse json_error(unsigned status, std::string_view code, std::string_view message) {
    return {status, "application/json", text_of({{"error", {{"code", code}, {"message", message}}}}) + "\n"};
}

}  // namespace freshet
