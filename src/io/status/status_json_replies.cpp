// Replies of the look-up protocol as JSON.
#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "io/redis/redis_replies.hpp"
#include "io/status/status_json.hpp"
#include "model/definition.hpp"

namespace freshet {

namespace {

using Json = nlohmann::ordered_json;

HttpResponse json_response(const Json& json) {
    return {200, "application/json", json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n"};
}

HttpResponse not_understood() { return json_error(503, "ERR", "the reply to the look-up is not understood"); }

unsigned status_of(std::string_view code) {
    if (code == "NOVIEW" || code == "NOFEATURE") return 404;
    if (code == "NOPERM") return 403;
    if (code == "NOAUTH") return 401;
    return code == "STALE" || code == "BUSY" || code == "UNAVAILABLE" ? 503 : 400;
}

// An error reply is answered as one.
HttpResponse response_to(std::string_view reply,
                         const std::function<HttpResponse(const RedisAnswer&)>& respond) {
    RedisReplies replies;
    std::optional<HttpResponse> response;
    const auto take = [&](const RedisAnswer& answer) {
        const std::size_t blank = std::min(answer.text.find(' '), answer.text.size());
        const std::string_view code = answer.text.substr(0, blank);
        response = answer.is_error() ? json_error(status_of(code), code,
                                                  answer.text.substr(std::min(blank + 1, answer.text.size())))
                                     : respond(answer);
        return false;
    };
    while (!reply.empty()) {
        const std::span<char> room = replies.room();
        const std::size_t bytes = std::min(room.size(), reply.size());
        std::copy_n(reply.begin(), bytes, room.begin());
        reply.remove_prefix(bytes);
        if (!replies.received(bytes, take)) break;
    }
    return response ? *std::move(response) : not_understood();
}

Json value_of(const RedisAnswer& answer, std::optional<FieldType> type) {
    if (answer.is_nil()) return nullptr;
    if (answer.kind == RedisAnswer::Kind::integer)
        return type == FieldType::boolean ? Json(answer.integer != 0) : Json(answer.integer);
    const std::string text(answer.text);
    if (type != FieldType::float64) return text;
    const Json number = Json::parse(text, nullptr, false);
    return number.is_number() ? number : Json(text);
}

std::optional<FieldType> type_of(const Definitions& definitions, std::string_view view,
                                 std::string_view feature) {
    const View* const found = definitions.find_view(std::string(view.substr(0, view.find('@'))));
    if (!found) return std::nullopt;
    const auto named = std::ranges::find(found->features, feature, &Feature::name);
    if (named == found->features.end()) return std::nullopt;
    return value_type(definitions.source_of(*found), *named);
}

// The value behind a name in a flat array of names and values.
RedisAnswer named(const RedisAnswer& pairs, std::string_view name) {
    for (std::size_t i = 0; i + 1 < pairs.elements.size(); i += 2)
        if (pairs.elements[i].text == name) return pairs.elements[i + 1];
    return {};
}

std::int64_t number_in(std::string_view text) {
    std::int64_t number = 0;
    std::from_chars(text.data(), text.data() + text.size(), number);
    return number;
}

// first..last:count
Json merged_json(const RedisAnswer& merged) {
    if (merged.is_nil()) return nullptr;
    const std::size_t dots = merged.text.find(".."), colon = merged.text.rfind(':');
    if (dots == std::string_view::npos || colon == std::string_view::npos) return nullptr;
    return {{"first", number_in(merged.text.substr(0, dots))},
            {"last", number_in(merged.text.substr(dots + 2))},
            {"tiles", number_in(merged.text.substr(colon + 1))}};
}

// number:value
Json tile_json(std::string_view tile, std::int64_t hop_ms) {
    const std::size_t colon = std::min(tile.find(':'), tile.size());
    const std::int64_t number = number_in(tile.substr(0, colon));
    return {{"number", number},
            {"from_ms", number * hop_ms},
            {"value", std::string(tile.substr(std::min(colon + 1, tile.size())))}};
}

Json origin_json(const RedisAnswer& origin, std::int64_t hop_ms) {
    Json json;
    for (const char* name :
         {"partition", "generation", "stamp_offset", "newest_event_ms", "owner", "epoch", "watermark_ms"})
        json[name] = value_of(named(origin, name), std::nullopt);
    json["merged"] = merged_json(named(origin, "merged"));
    json["tiles"] = Json::array();
    for (const RedisAnswer& tile : named(origin, "tiles").elements)
        json["tiles"].push_back(tile_json(tile.text, hop_ms));
    return json;
}

// Of an answer in JSON with one row; throws Json::exception where it is another.
Json row_json(const Json& all, const std::string& view, const std::vector<std::string>& entity) {
    const Json& row = all.at("rows").at(0);
    const Json& freshness = row.at("freshness").at(0);
    Json values = Json::object(), statuses = Json::object();
    for (std::size_t i = 0; i < all.at("features").size(); ++i) {
        const auto name = all.at("features").at(i).get<std::string>();
        values[name] = row.at("values").at(i);
        statuses[name] = row.at("statuses").at(i);
    }
    Json json{{"view", view}, {"entity", entity}};
    json["values"] = std::move(values);
    json["statuses"] = std::move(statuses);
    json["staleness_ms"] = freshness.at("staleness_ms");
    json["newest_event_ms"] = freshness.at("newest_event_ms");
    return json;
}

}  // namespace

HttpResponse lookup_response(std::string_view reply, const std::string& view,
                             const std::vector<std::string>& entity) {
    return response_to(reply, [&](const RedisAnswer& answer) {
        try {
            return json_response(row_json(Json::parse(answer.text), view, entity));
        } catch (const Json::exception&) {
            return not_understood();
        }
    });
}

HttpResponse explain_response(std::string_view reply, const Definitions& definitions, const std::string& view,
                              const std::vector<std::string>& entity) {
    return response_to(reply, [&](const RedisAnswer& answer) {
        const RedisAnswer row = named(answer, "answer");
        if (row.elements.size() != 4 || row.elements[0].elements.size() != 1) return not_understood();
        const std::string feature(named(answer, "feature").text);
        Json json{{"view", view}, {"entity", entity}, {"feature", feature}};
        json["value"] = value_of(row.elements[0].elements[0], type_of(definitions, view, feature));
        json["status"] = value_of(row.elements[1].elements[0], std::nullopt);
        json["staleness_ms"] = value_of(row.elements[2], std::nullopt);
        json["newest_event_ms"] = value_of(row.elements[3], std::nullopt);
        for (const char* name : {"at_ms", "window_ms", "hop_ms", "first_tile", "last_tile"})
            json[name] = value_of(named(answer, name), std::nullopt);
        json["origins"] = Json::array();
        for (const RedisAnswer& origin : named(answer, "origins").elements)
            json["origins"].push_back(origin_json(origin, named(answer, "hop_ms").integer));
        return json_response(json);
    });
}

}  // namespace freshet
