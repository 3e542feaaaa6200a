#include <unistd.h>

#include <iostream>
#include <nlohmann/json.hpp>

#include "command_support.hpp"
#include "commands.hpp"
#include "resp_client.hpp"
#include "stop_signal.hpp"

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

Result<Json> ask_status(const AskTarget& target, const AskOptions& options) {
    auto client = connect_to(target, options);
    if (!client) return client.error();
    Json status;
    const auto asked =
        (*client)->ask({"FS.STATUS"}, [&](const RedisAnswer& reply) { status = pairs_of_reply(reply); });
    if (!asked) return asked.error();
    return status;
}

void print(const Json& status, bool as_json) {
    if (as_json) {
        std::cout << text_of(status) << std::endl;
        return;
    }
    std::vector<std::vector<std::string>> rows;
    for (const auto& [name, value] : status.items()) rows.push_back({name, shown_value(value)});
    std::cout << table_of(rows) << std::flush;
}

// A node that is away for a while is asked again. On a terminal each answer takes the place of the one before.
int watch_status(const AskTarget& target, const AskOptions& options) {
    const bool tty = isatty(STDOUT_FILENO) != 0 && !options.json;
    StopSignal stop;
    do {
        const auto status = ask_status(target, options);
        if (tty) std::cout << "\x1b[H\x1b[J";
        if (status) {
            print(*status, options.json);
        } else {
            (void)failed(status.error(), kFailed);
        }
    } while (!stop.wait_for(static_cast<int>(options.watch * 1000)));
    return kDone;
}

}  // namespace

int command_status(const AskOptions& options) {
    const auto target = find_node(options);
    if (!target) return failed(target.error(), kUsage);
    if (options.watch > 0) return watch_status(*target, options);
    const auto status = ask_status(*target, options);
    if (!status) return failed(status.error(), kFailed);
    print(*status, options.json);
    return kDone;
}

}  // namespace freshet
