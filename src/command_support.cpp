#include "command_support.hpp"

#include <absl/time/time.h>
#include <simdjson.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <nlohmann/json.hpp>

#include "io/config/config_file.hpp"
#include "io/config/config_text.hpp"
#include "model/dead_letter.hpp"
#include "model/nearest_name.hpp"

namespace freshet {

namespace {

Error unknown(const std::string& what, const std::string& name, const std::vector<std::string>& known) {
    std::string message = "there is no " + what + " '" + name + "'";
    if (const std::string nearest = nearest_name(name, known); !nearest.empty()) {
        message += "; did you mean '" + nearest + "'?";
    } else {
        for (std::size_t i = 0; i < known.size(); ++i) message += (i == 0 ? "; there are: " : ", ") + known[i];
    }
    return {Errc::invalid_argument, message};
}

}  // namespace

int failed(const Error& error, int status) {
    std::cout.flush();
    std::cerr << "freshet: " << error.message << "\n";
    return status;
}

Error unknown_view(const Definitions& definitions, const std::string& name) {
    std::vector<std::string> known;
    for (const View& view : definitions.views) known.push_back(view.name);
    return unknown("view", name, known);
}

Result<const Source*> choose_source(const Definitions& definitions, const std::string& name) {
    std::vector<std::string> known;
    for (const Source& source : definitions.sources) {
        if (source.name == name) return &source;
        known.push_back(source.name);
    }
    if (!name.empty()) return unknown("source", name, known);
    if (definitions.sources.size() == 1) return &definitions.sources.front();
    std::string message = "--source is missing: the configuration has several sources";
    for (std::size_t i = 0; i < known.size(); ++i) message += (i == 0 ? ": " : ", ") + known[i];
    return Error{Errc::invalid_argument, message};
}

Result<void> check_reason(const std::string& name) {
    std::vector<std::string> known;
    for (std::size_t i = 0; i < kDeadLetterReasons; ++i)
        known.emplace_back(name_of(static_cast<DeadLetterReason>(i)));
    if (name.empty() || std::ranges::find(known, name) != known.end()) return {};
    return unknown("reason", name, known).within("--reason");
}

Result<KafkaSettings> outside_settings(const std::string& path, const Config& config) {
    if (config.kafka.embedded)
        return Error{Errc::invalid_argument,
                     path +
                         ": kafka.brokers is embedded, which exists inside a running node only; freshet "
                         "demo replays into it"};
    KafkaSettings settings;
    for (const Endpoint& broker : config.kafka.brokers)
        settings.brokers += (settings.brokers.empty() ? "" : ",") + broker.text();
    settings.group = config.kafka.group;
    settings.client_id = config.kafka.client_id;
    settings.properties = config.kafka.properties;
    return settings;
}

nlohmann::ordered_json json_of(const Scalar& value) {
    return std::visit(
        [](const auto& v) -> nlohmann::ordered_json {
            if constexpr (std::is_same_v<std::decay_t<decltype(v)>, std::monostate>) {
                return nullptr;
            } else {
                return v;
            }
        },
        value);
}

std::string text_of(const nlohmann::ordered_json& json) {
    return json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

std::string shown_value(const nlohmann::ordered_json& value) {
    if (value.is_null()) return "-";
    return value.is_string() ? value.get<std::string>() : text_of(value);
}

std::string printable(std::string_view bytes) {
    // What ends a line, or is taken for an order by a terminal: C0, DEL, and C1 (U+0080 to U+009F).
    const auto is_order = [](std::string_view character) {
        const auto first = static_cast<unsigned char>(character[0]);
        return first < 0x20 || first == 0x7F ||
               (first == 0xC2 && static_cast<unsigned char>(character[1]) < 0xA0);
    };
    std::string out;
    while (!bytes.empty()) {
        const auto first = static_cast<unsigned char>(bytes[0]);
        const std::size_t size = first < 0x80 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
        std::string_view character = bytes.substr(0, size);
        const bool good = simdjson::validate_utf8(character.data(), character.size());
        if (good && !is_order(character)) {
            out += character;
        } else {
            if (!good) character = character.substr(0, 1);
            char code[8];
            for (const char c : character) {
                std::snprintf(code, sizeof code, "\\x%02x", static_cast<unsigned char>(c));
                out += code;
            }
        }
        bytes.remove_prefix(character.size());
    }
    return out;
}

Result<AskTarget> find_node(const AskOptions& options) {
    AskTarget target;
    if (!options.config.empty()) {
        auto config = load_config(options.config);
        if (!config) return config.error();
        target.address = config->lookup.listen;
        target.config = *std::move(config);
    }
    if (!options.address.empty()) {
        const auto address = parse_endpoint(options.address, 1);
        if (!address) return address.error().within("--address");
        target.address = *address;
    } else if (!target.config) {
        return Error{Errc::invalid_argument, "which node? give its configuration (-c) or its address (-a)"};
    } else if (target.address.port == 0) {
        return Error{
            Errc::invalid_argument,
            options.config + ": lookup.listen leaves the port to the system; give the node's address (-a)"};
    }
    // A node that listens on every interface is reached on this machine by the loopback.
    if (target.address.host == "0.0.0.0") target.address.host = "127.0.0.1";
    if (target.address.host == "::") target.address.host = "::1";
    return target;
}

Result<std::unique_ptr<RespClient>> connect_to(const AskTarget& target, const AskOptions& options) {
    std::unique_ptr<TlsStream> tls;
    if (options.tls.on || (target.config && !target.config->lookup.tls.certificate.empty())) {
        const auto context = TlsContext::load(options.tls, "--");
        if (!context) return context.error();
        const std::string& name = options.tls.server_name;
        tls = std::make_unique<TlsStream>(*context, name.empty() ? target.address.host : name);
    }
    auto client = RespClient::connect(target.address, kAskTimeout, std::move(tls));
    const char* const password = std::getenv("FRESHET_PASSWORD");
    if (!client || !password) return client;
    const std::string user = options.user.empty() ? "default" : options.user;
    if (auto known = (*client)->ask({"AUTH", user, password}, [](const RedisAnswer&) {}); !known)
        return known.error();
    return client;
}

namespace {

// Characters of UTF-8, roughly what a terminal gives one column to.
std::size_t width_of(const std::string& text) {
    return static_cast<std::size_t>(
        std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

}  // namespace

std::string table_of(const std::vector<std::vector<std::string>>& rows) {
    std::vector<std::size_t> widths;
    for (const auto& row : rows) {
        widths.resize(std::max(widths.size(), row.size()));
        for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], width_of(row[i]));
    }
    std::string out;
    for (const auto& row : rows) {
        for (std::size_t i = 0; i < row.size(); ++i) {
            out += row[i];
            if (i + 1 < row.size()) out.append(widths[i] - width_of(row[i]) + 2, ' ');
        }
        out.erase(out.find_last_not_of(' ') + 1);
        out += '\n';
    }
    return out;
}

std::string utc_text(Timestamp time) {
    return absl::FormatTime("%Y-%m-%dT%H:%M:%E3SZ", absl::FromUnixMillis(unix_ms(time)), absl::UTCTimeZone());
}

}  // namespace freshet
