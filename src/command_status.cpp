#include <iostream>
#include <nlohmann/json.hpp>

#include "command_support.hpp"
#include "commands.hpp"
#include "resp_client.hpp"

namespace freshet {

namespace {

using Json = nlohmann::ordered_json;

// Replies are flat lists of names and values, which may hold such lists again.
Json json_of_reply(const RedisAnswer& answer) {
    switch (answer.kind) {
        case RedisAnswer::Kind::nil:
            return nullptr;
        case RedisAnswer::Kind::integer:
            return answer.integer;
        case RedisAnswer::Kind::array:
            break;
        default:
            return std::string(answer.text);
    }
    Json list = Json::array();
    for (const RedisAnswer& element : answer.elements) list.push_back(json_of_reply(element));
    return list;
}

Json pairs_of_reply(const RedisAnswer& answer) {
    Json object = Json::object();
    if (!answer.is_array()) return object;
    const auto& elements = answer.elements;
    for (std::size_t i = 0; i + 1 < elements.size(); i += 2)
        object[std::string(elements[i].text)] = json_of_reply(elements[i + 1]);
    return object;
}

std::string shown_value(const Json& value) {
    if (value.is_null()) return "-";
    return value.is_string() ? value.get<std::string>() : text_of(value);
}

}  // namespace

int command_status(const AskOptions& options) {
    const auto target = find_node(options);
    if (!target) return failed(target.error(), kUsage);
    auto client = connect_to(*target, options);
    if (!client) return failed(client.error(), kFailed);
    Json status;
    const auto asked =
        (*client)->ask({"FS.STATUS"}, [&](const RedisAnswer& reply) { status = pairs_of_reply(reply); });
    if (!asked) return failed(asked.error(), kFailed);
    if (options.json) {
        std::cout << text_of(status) << "\n";
        return kDone;
    }
    std::vector<std::vector<std::string>> rows;
    for (const auto& [name, value] : status.items()) rows.push_back({name, shown_value(value)});
    std::cout << table_of(rows);
    return kDone;
}

}  // namespace freshet
