#include "io/config/config_users.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "io/config/config_text.hpp"
#include "io/sha256.hpp"
#include "model/nearest_name.hpp"

namespace freshet {
namespace {

using Kind = ConfigNode::Kind;

constexpr const char* kHowSecret =
    "write one of password: \"${NAME}\", password_file: a path, password_sha256: 64 hex digits";

bool matches(std::string_view pattern, std::string_view name) {
    return pattern.ends_with('*') ? name.starts_with(pattern.substr(0, pattern.size() - 1)) : name == pattern;
}

// The first line of a file; a relative path is relative to the configuration.
std::optional<std::string> secret_in(const ConfigNode& node, const std::string& what, ConfigErrors& errors) {
    const auto path = read_text(node, what, errors);
    if (!path) return std::nullopt;
    std::ifstream file(std::filesystem::path{node.place.file}.parent_path() / *path);
    std::string line;
    if (std::getline(file, line) && !line.empty()) return line;
    errors.add(node.place, what + ": " + in_quotes(*path) +
                               (file.is_open() ? " is empty; its first line is the password"
                                               : " cannot be read; give its path, relative to this file"));
    return std::nullopt;
}

void read_password(const MapReader& map, const ConfigPlace& place, LookupUser& user, ConfigErrors& errors) {
    const ConfigNode* const plain = map.find("password");
    const ConfigNode* const file = map.find("password_file");
    const ConfigNode* const hash = map.find("password_sha256");
    const int given = (plain != nullptr) + (file != nullptr) + (hash != nullptr);
    if (given == 0 && map.misspelt()) return;
    if (given != 1) return errors.add(place, map.name_of("password") + " is wanted once; " + kHowSecret);
    if (hash) {
        const auto text = read_text(*hash, map.name_of("password_sha256"), errors);
        if (!text) return;
        const auto bytes = from_hex(*text);
        if (bytes && bytes->size() == kSha256Bytes)
            user.password_sha256 = *bytes;
        else
            errors.add(hash->place, map.name_of("password_sha256") + " is no SHA-256; write 64 hex digits");
        return;
    }
    const auto secret = plain ? read_text(*plain, map.name_of("password"), errors)
                              : secret_in(*file, map.name_of("password_file"), errors);
    if (!secret) return;
    if (secret->empty()) return errors.add(place, map.name_of("password") + " is empty; " + kHowSecret);
    user.password_sha256 = sha256(*secret);
}

void read_views(const MapReader& map, const Definitions& definitions, LookupUser& user, ConfigErrors& errors) {
    const ConfigNode* const node = map.require("views", "views: [\"*\"] for all of them");
    if (!node) return;
    const std::string what = map.name_of("views");
    for (const ConfigNode* item : read_list(*node, what, errors)) {
        const auto pattern = read_text(*item, what, errors);
        if (!pattern) continue;
        const std::size_t before = user.views.size();
        std::vector<std::string> names;
        for (const View& view : definitions.views) {
            names.push_back(view.name);
            if (matches(*pattern, view.name)) user.views.push_back(view.name);
        }
        if (user.views.size() == before)
            errors.add(item->place, what + ": " + KnownNames{names, {}, {}}.explain("view", *pattern));
    }
}

void read_user(const ConfigEntry& entry, Config& config, ConfigErrors& errors) {
    LookupUser user{entry.key, {}, {}};
    if (user.name.empty() ||
        std::ranges::any_of(user.name, [](unsigned char c) { return c <= ' ' || c > '~'; }))
        errors.add(entry.place, "lookup.users: a name is one word of printable characters");
    const MapReader map{entry.value,
                        "lookup.users." + entry.key,
                        {{"password", "password_file", "password_sha256", "views"}, {}, {}},
                        errors};
    read_password(map, entry.place, user, errors);
    read_views(map, config.definitions, user, errors);
    config.lookup.users.push_back(std::move(user));
}

}  // namespace

void read_users(const ConfigNode& lookup, Config& config, ConfigErrors& errors) {
    if (const ConfigNode* users = lookup.find("users")) {
        if (users->kind != Kind::map || users->entries.empty())
            errors.add(users->place, "lookup.users is not a map; write a name and a colon before each user");
        for (const ConfigEntry& entry : users->entries) read_user(entry, config, errors);
    }
    const ConfigNode* const listen = lookup.find("listen");
    if (!listen || config.lookup.listen.on_this_machine() || config.lookup.insecure) return;
    if (!config.lookup.users.empty()) return;
    errors.add(listen->place, "lookup.listen: others than this machine could read everything at " +
                                  config.lookup.listen.text() +
                                  "; add `users:` to lookup, or `insecure: true` if the network is closed");
}

void check_metrics_access(const ConfigNode& metrics, const Config& config, ConfigErrors& errors) {
    const ConfigNode* const auth = metrics.find("auth");
    if (!auth || !config.metrics.auth || !config.lookup.users.empty()) return;
    errors.add(auth->place, "metrics.auth: there are no users who could read /metrics; add `users:` to lookup");
}

}  // namespace freshet
