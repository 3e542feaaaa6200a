#include <iostream>
#include <nlohmann/json.hpp>

#include "command_support.hpp"
#include "commands.hpp"
#include "io/config/config_file.hpp"
#include "io/config/config_text.hpp"
#include "resp_client.hpp"

namespace freshet {

namespace {

using Json = nlohmann::ordered_json;

struct ShownFeature {
    std::string name;
    Json value;
    std::string status;
};

struct ShownEntity {
    std::vector<ShownFeature> features;
    std::optional<std::int64_t> staleness_ms;
    std::optional<std::int64_t> newest_event_ms;
};

std::optional<std::int64_t> integer_of(const RedisAnswer& answer) {
    if (answer.kind != RedisAnswer::Kind::integer) return std::nullopt;
    return answer.integer;
}

// With the definition at hand a value has its type; without it a float is text, as on the wire, and a bool 1 or
// 0.
Json value_of(const RedisAnswer& answer, std::optional<FieldType> type) {
    if (answer.kind == RedisAnswer::Kind::integer) {
        if (type == FieldType::boolean) return answer.integer != 0;
        return answer.integer;
    }
    if (answer.is_nil()) return nullptr;
    const std::string text(answer.text);
    if (type != FieldType::float64) return text;
    const Json number = Json::parse(text, nullptr, false);
    return number.is_number() ? number : Json(text);
}

std::optional<FieldType> type_of(const Definitions* definitions, const std::string& view,
                                 std::string_view feature) {
    const View* found = definitions ? definitions->find_view(view) : nullptr;
    if (!found) return std::nullopt;
    for (const Feature& f : found->features) {
        if (f.name == feature) return value_type(definitions->source_of(*found), f);
    }
    return std::nullopt;
}

// [[name, value ...], [status ...], staleness, newest event]
Result<ShownEntity> read_row(const RedisAnswer& row, const AskOptions& options,
                             const Definitions* definitions) {
    const Error unknown{Errc::unavailable, "the node's answer is not understood; is it of another version?"};
    if (!row.is_array() || row.elements.size() != 4) return unknown;
    const auto& values = row.elements[0].elements;
    const auto& statuses = row.elements[1].elements;
    if (values.size() != 2 * statuses.size()) return unknown;
    ShownEntity answer{{}, integer_of(row.elements[2]), integer_of(row.elements[3])};
    for (std::size_t i = 0; i < statuses.size(); ++i) {
        const std::string name(values[2 * i].text);
        answer.features.push_back({name, value_of(values[2 * i + 1], type_of(definitions, options.view, name)),
                                   std::string(statuses[i].text)});
    }
    return answer;
}

void print_json(const AskOptions& options, const ShownEntity& answer) {
    Json out;
    out["view"] = options.view;
    out["entity"] = options.entities;
    Json values = Json::object();
    Json statuses = Json::object();
    for (const ShownFeature& feature : answer.features) {
        values[feature.name] = feature.value;
        statuses[feature.name] = feature.status;
    }
    out["values"] = std::move(values);
    out["statuses"] = std::move(statuses);
    out["staleness_ms"] = answer.staleness_ms ? Json(*answer.staleness_ms) : Json(nullptr);
    out["newest_event_ms"] = answer.newest_event_ms ? Json(*answer.newest_event_ms) : Json(nullptr);
    std::cout << text_of(out) << "\n";
}

void print_table(const ShownEntity& answer) {
    std::vector<std::vector<std::string>> rows{{"FEATURE", "VALUE", "STATUS"}};
    for (const ShownFeature& feature : answer.features)
        rows.push_back({feature.name, shown_value(feature.value), feature.status});
    std::cout << table_of(rows) << "\n";
    std::cout << "staleness     "
              << (answer.staleness_ms ? std::to_string(*answer.staleness_ms) + " ms" : "not known")
              << "\nnewest event  "
              << (answer.newest_event_ms ? utc_text(from_unix_ms(*answer.newest_event_ms)) : "none") << "\n";
}

}  // namespace

int command_get(const AskOptions& options) {
    const auto target = find_node(options);
    if (!target) return failed(target.error(), kUsage);
    const Definitions* definitions = target->config ? &target->config->definitions : nullptr;
    if (definitions && !definitions->find_view(options.view.substr(0, options.view.find('@'))))
        return failed(unknown_view(*definitions, options.view), kUsage);
    auto client = connect_to(*target, options);
    if (!client) return failed(client.error(), kFailed);

    std::vector<std::string> command{"FS.GET", options.view};
    command.insert(command.end(), options.entities.begin(), options.entities.end());
    if (options.at) command.insert(command.end(), {"AT", std::to_string(*options.at)});
    command.emplace_back("META");
    Result<ShownEntity> answer = Error{Errc::unavailable, "no answer"};
    const auto asked =
        (*client)->ask(command, [&](const RedisAnswer& row) { answer = read_row(row, options, definitions); });
    if (!asked) return failed(asked.error(), kFailed);
    if (!answer) return failed(answer.error(), kFailed);
    options.json ? print_json(options, *answer) : print_table(*answer);
    return kDone;
}

}  // namespace freshet
