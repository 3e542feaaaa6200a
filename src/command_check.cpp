#include <iostream>
#include <nlohmann/json.hpp>

#include "command_support.hpp"
#include "commands.hpp"
#include "io/config/config_file.hpp"
#include "io/config/config_text.hpp"
#include "io/kafka/kafka_settings.hpp"
#include "io/lookup/lookup_catalogue.hpp"
#include "model/memory_budget.hpp"
#include "model/view_plan.hpp"
#include "stored_size.hpp"

namespace freshet {

namespace {

using Json = nlohmann::ordered_json;

constexpr int kBusyEventsATile = 50;

// Everything that is shown of a view, as text or as JSON.
struct CheckedView {
    const Source& source;
    const View& view;
    ViewPlan plan;
    StoredSize quiet;  // one event in each tile
    StoredSize busy;   // kBusyEventsATile
};

CheckedView check_view(const Source& source, const View& view) {
    return {source, view, ViewPlan(source, view), stored_size(source, view, 1),
            stored_size(source, view, kBusyEventsATile)};
}

std::string time_text(const TimeSpec& time) {
    std::string field;
    for (const std::string& step : time.path) field += (field.empty() ? "" : ".") + step;
    switch (time.format) {
        case TimeSpec::Format::kafka:
            return "kafka";
        case TimeSpec::Format::unix_seconds:
            return field + " (unix)";
        case TimeSpec::Format::unix_ms:
            return field + " (unix_ms)";
        case TimeSpec::Format::iso8601:
            return field + " (iso8601)";
        case TimeSpec::Format::pattern:
            break;
    }
    return field + " (" + time.pattern + ", " + time.zone + ")";
}

std::string fields_text(const Source& source) {
    std::string text;
    for (const FieldDef& field : source.fields)
        text += (text.empty() ? "" : ", ") + field.name + " " + std::string(name_of(field.type));
    return text;
}

std::string entity_text(const CheckedView& checked) {
    std::string text;
    for (const std::size_t column : checked.view.entity)
        text += (text.empty() ? "" : ", ") + checked.source.fields[column].name;
    return text;
}

std::string bytes_text(std::uint64_t bytes) {
    constexpr const char* kUnits[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
    auto number = static_cast<double>(bytes);
    std::size_t unit = 0;
    for (; number >= 1024 && unit + 1 < std::size(kUnits); ++unit) number /= 1024;
    char text[32];
    std::snprintf(text, sizeof text, unit == 0 || number >= 100 ? "%.0f %s" : "%.1f %s", number, kUnits[unit]);
    return text;
}

std::string function_text(const Source& source, const Feature& feature) {
    std::string text(name_of(feature.function));
    text += " " + (feature.field ? source.fields[*feature.field].name : std::string("*"));
    if (feature.function == Function::quantile) text += " " + Json(feature.q).dump();
    if (feature.where) text += " where " + feature.where->text();
    return text;
}

// The first feature that reads the same accumulator; empty if it is `index` itself.
std::string shared_with(const ViewPlan& plan, std::size_t index) {
    const FeaturePlan& feature = plan.features()[index];
    for (std::size_t i = 0; i < index; ++i) {
        const FeaturePlan& other = plan.features()[i];
        if (other.resolution == feature.resolution && other.accumulator == feature.accumulator)
            return other.name;
    }
    return {};
}

std::size_t accumulators_of(const ViewPlan& plan) {
    std::size_t count = 0;
    for (const Resolution& resolution : plan.resolutions()) count += resolution.accumulators.size();
    return count;
}

std::string size_text(const StoredSize& size) {
    return "head " + bytes_text(size.head) + ", sealed tiles " + bytes_text(size.sealed);
}

void print_view(const CheckedView& checked, std::optional<std::uint64_t> entities) {
    const View& view = checked.view;
    std::cout << "\nview " << view.id() << "\n  source " << view.source << ", entity " << entity_text(checked)
              << ", clock " << (view.clock == View::Clock::event ? "event" : "wall") << ", retain "
              << duration_text(view.retain);
    if (!view.owner.empty()) std::cout << ", owner " << view.owner;
    std::cout << "\n";
    if (view.where) std::cout << "  where " << view.where->text() << "\n";
    std::vector<std::vector<std::string>> rows{{"  FEATURE", "WINDOW", "HOP", "TILES", "VALUE", "SHARES WITH"}};
    for (std::size_t i = 0; i < view.features.size(); ++i) {
        const Feature& feature = view.features[i];
        const std::string tiles = feature.window ? std::to_string(*feature.window / feature.hop) : "1 a day";
        rows.push_back({"  " + feature.name, feature.window ? duration_text(*feature.window) : "lifetime",
                        duration_text(feature.hop), tiles, function_text(checked.source, feature),
                        shared_with(checked.plan, i)});
    }
    std::cout << table_of(rows);
    std::cout << "  " << view.features.size() << " features from " << accumulators_of(checked.plan)
              << " accumulators; an entity, for each partition it occurs in, may reach about\n    "
              << size_text(checked.quiet) << " with one event in each tile\n    " << size_text(checked.busy)
              << " with " << kBusyEventsATile << "\n";
    if (entities)
        std::cout << "    " << *entities << " entities: " << bytes_text(*entities * checked.quiet.in_redis())
                  << " to " << bytes_text(*entities * checked.busy.in_redis()) << " in Redis\n";
}

// Partitions whose queues have room in what the limit gives them.
std::size_t partitions_within(std::size_t limit) {
    return MemoryBudget::kafka_queues(limit) / QueueLimits::least().bytes();
}

void print_memory(const Config& config) {
    const auto limit = static_cast<std::size_t>(config.ingest.memory_limit);
    if (limit == 0) return;
    std::cout << "\ningest.memory_limit " << bytes_text(limit) << ": "
              << bytes_text(MemoryBudget::handed_out(limit))
              << " for entities, events under way and flushes, and ";
    if (sets_queues(config.kafka.properties)) {
        std::cout << "beside it what kafka.properties let each partition's queue hold\n";
    } else {
        std::cout << bytes_text(MemoryBudget::kafka_queues(limit))
                  << " for Kafka's queues, which holds for up to " << partitions_within(limit)
                  << " partitions in all topics\n";
    }
}

void print_text(const CheckOptions& options, const Config& config, const std::vector<CheckedView>& views) {
    for (const Source& source : config.definitions.sources)
        std::cout << "source " << source.name << "\n  topic " << source.topic << ", time "
                  << time_text(source.time) << ", max_future " << duration_text(source.max_future)
                  << (source.max_jump ? ", max_jump " + duration_text(*source.max_jump) : "")
                  << ", dead letters to " << source.dead_letter_topic << "\n  fields " << fields_text(source)
                  << "\n";
    std::uint64_t least = 0;
    std::uint64_t most = 0;
    for (const CheckedView& checked : views) {
        print_view(checked, options.entities);
        least += options.entities.value_or(0) * checked.quiet.in_redis();
        most += options.entities.value_or(0) * checked.busy.in_redis();
    }
    const LookupCatalogue catalogue(config.definitions);
    for (const ServedService& service : catalogue.services()) {
        std::cout << "\nservice " << service.name << ": " << service.features << " features, asked for by";
        for (const std::string& key : service.keys) std::cout << " " << key;
        std::cout << "\n";
    }
    if (options.entities)
        std::cout << "\nRedis in total, " << *options.entities << " entities in each of " << views.size()
                  << " views: " << bytes_text(least) << " to " << bytes_text(most) << "\n";
    print_memory(config);
    std::cout << "\n" << options.config << " is valid\n";
}

Json json_of_size(const StoredSize& size, std::optional<std::uint64_t> entities) {
    Json json{{"head_bytes", size.head}, {"sealed_bytes", size.sealed}};
    if (entities) json["redis_bytes"] = *entities * size.in_redis();
    return json;
}

Json json_of_view(const CheckedView& checked, std::optional<std::uint64_t> entities) {
    const View& view = checked.view;
    Json json{{"name", view.name}, {"version", view.version}, {"source", view.source}};
    json["entity"] = Json::array();
    for (const std::size_t column : view.entity) json["entity"].push_back(checked.source.fields[column].name);
    json["clock"] = view.clock == View::Clock::event ? "event" : "wall";
    json["retain_ms"] = view.retain.count();
    json["priority"] = view.priority == Priority::low ? "low" : "normal";
    json["owner"] = view.owner.empty() ? Json(nullptr) : Json(view.owner);
    json["where"] = view.where ? Json(view.where->text()) : Json(nullptr);
    json["features"] = Json::array();
    for (std::size_t i = 0; i < view.features.size(); ++i) {
        const Feature& feature = view.features[i];
        Json one{{"name", feature.name}, {"function", name_of(feature.function)}};
        one["field"] = feature.field ? checked.source.fields[*feature.field].name : "*";
        if (feature.function == Function::quantile) one["q"] = feature.q;
        one["window_ms"] = feature.window ? Json(feature.window->count()) : Json(nullptr);
        one["hop_ms"] = feature.hop.count();
        one["tiles"] = feature.window ? Json(*feature.window / feature.hop) : Json(nullptr);
        one["where"] = feature.where ? Json(feature.where->text()) : Json(nullptr);
        const std::string shared = shared_with(checked.plan, i);
        one["shares_with"] = shared.empty() ? Json(nullptr) : Json(shared);
        json["features"].push_back(std::move(one));
    }
    json["accumulators"] = accumulators_of(checked.plan);
    json["entity_size"] = {{"one_event_a_tile", json_of_size(checked.quiet, entities)},
                           {"busy", json_of_size(checked.busy, entities)}};
    return json;
}

void print_json(const CheckOptions& options, const Config& config, const std::vector<CheckedView>& views) {
    Json json{{"valid", true}, {"warnings", config.warnings}};
    json["sources"] = Json::array();
    for (const Source& source : config.definitions.sources) {
        Json fields = Json::object();
        for (const FieldDef& field : source.fields) fields[field.name] = name_of(field.type);
        json["sources"].push_back(
            {{"name", source.name},
             {"topic", source.topic},
             {"dead_letter_topic", source.dead_letter_topic},
             {"time", time_text(source.time)},
             {"max_future_ms", source.max_future.count()},
             {"max_jump_ms", source.max_jump ? Json(source.max_jump->count()) : Json(nullptr)},
             {"fields", std::move(fields)}});
    }
    json["views"] = Json::array();
    for (const CheckedView& checked : views) json["views"].push_back(json_of_view(checked, options.entities));
    json["services"] = Json::object();
    for (const Service& service : config.definitions.services) {
        Json& features = json["services"][service.name] = Json::array();
        for (const auto& [view, feature] : service.features) features.push_back(view + "." + feature);
    }
    const auto limit = static_cast<std::size_t>(config.ingest.memory_limit);
    if (limit > 0)
        json["memory"] = {
            {"limit_bytes", limit},
            {"handed_out_bytes", MemoryBudget::handed_out(limit)},
            {"kafka_queue_bytes",
             sets_queues(config.kafka.properties) ? Json(nullptr) : Json(MemoryBudget::kafka_queues(limit))},
            {"most_partitions", partitions_within(limit)}};
    std::cout << json.dump(2) << "\n";
}

}  // namespace

int command_check(const CheckOptions& options) {
    const auto config = load_config(options.config);
    if (!config) {
        if (options.json) std::cout << text_of({{"valid", false}, {"error", config.error().message}}) << "\n";
        return failed(config.error(), kUsage);
    }
    std::vector<CheckedView> views;
    for (const View& view : config->definitions.views)
        views.push_back(check_view(config->definitions.source_of(view), view));
    if (options.json) {
        print_json(options, *config, views);
        return kDone;
    }
    print_text(options, *config, views);
    std::cout.flush();
    for (const std::string& warning : config->warnings) std::cerr << "warning: " << warning << "\n";
    return kDone;
}

}  // namespace freshet
