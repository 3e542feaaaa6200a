#include "io/redis/redis_tls.hpp"

#include <algorithm>
#include <mutex>
#include <utility>
#include <vector>

namespace freshet {

namespace {

constexpr std::string_view kKey = "redis.tls.";

// By their configuration: a process has one, its tests several.
struct Contexts {
    std::mutex mutex;
    std::vector<std::pair<ClientTlsConfig, std::shared_ptr<TlsContext>>> known;
};

Contexts& contexts() {
    static Contexts all;
    return all;
}

}  // namespace

Result<std::shared_ptr<TlsContext>> redis_tls(const ClientTlsConfig& config) {
    if (!config.on) return std::shared_ptr<TlsContext>();
    Contexts& all = contexts();
    const std::lock_guard lock(all.mutex);
    const auto found = std::ranges::find(all.known, config, [](const auto& known) { return known.first; });
    if (found != all.known.end()) return found->second;
    auto loaded = TlsContext::load(config, kKey);
    if (loaded) all.known.emplace_back(config, *loaded);
    return loaded;
}

Result<void> reload_redis_tls() {
    Contexts& all = contexts();
    const std::lock_guard lock(all.mutex);
    for (auto& [config, context] : all.known) {
        auto loaded = TlsContext::load(config, kKey);
        if (!loaded) return loaded.error();
        context = *std::move(loaded);
    }
    return {};
}

Result<std::unique_ptr<TlsStream>> redis_tls_stream(const RedisConfig& config) {
    auto context = redis_tls(config.tls);
    if (!context) return context.error();
    if (!*context) return std::unique_ptr<TlsStream>();
    const std::string& name = config.tls.server_name.empty() ? config.address.host : config.tls.server_name;
    return std::make_unique<TlsStream>(*std::move(context), name);
}

std::string hint_at_greeting(const RedisConfig& config, bool silent) {
    if (!config.tls.on) return silent || !config.unix_socket.empty() ? "" : "; does it want TLS (redis.tls)?";
    if (config.tls.certificate.empty())
        return "; does it speak TLS at this port, and does it want a certificate (redis.tls.certificate)?";
    return "; does it speak TLS at this port?";
}

}  // namespace freshet
