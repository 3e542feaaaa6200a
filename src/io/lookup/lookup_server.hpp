// The look-up server: answers clients that speak the Redis protocol (docs/protocol.md) from what stands in
// Redis.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "io/config/config.hpp"
#include "io/lookup/freshness_report.hpp"
#include "io/lookup/lookup_observer.hpp"
#include "model/result.hpp"

namespace freshet {

// What a deployment sets (LookupConfig) and what nobody needs to.
struct LookupOptions {
    std::vector<Endpoint> listen{{"127.0.0.1", 7600}};  // at least one; port 0 takes any free one
    std::vector<LookupUser> users;                      // none: whoever connects may read everything
    TlsConfig tls;                                      // without a certificate: none
    int readers = 1;                                    // threads
    std::size_t cache_bytes = 0;                        // over all readers
    int max_connections = 10'000;                       // over all readers
    std::size_t max_request_bytes = 1 << 20;
    std::size_t max_entities = 10'000;  // of one FS.MGET

    // Progress records that were asked for longer ago are read again first. Adds to staleness, never hides it.
    Duration max_record_age{5};
    // A Redis that owes a reply and sends nothing for so long is taken for dead.
    Duration redis_silence{500};
    // How long stop() waits for answers that are under way.
    Duration closing{2'000};

    // A client is not read from while it has so many requests unanswered, entities under way, or bytes unsent;
    // nor any client while so many commands are under way in Redis.
    std::size_t max_pending_requests = 1024;
    std::size_t max_pending_entities = 20'000;
    std::size_t max_unsent_bytes = 1 << 20;
    std::size_t max_commands = 100'000;
    // A client is closed when it leaves so many bytes unread, or takes none of them for so long.
    std::size_t most_unsent_bytes = 64 << 20;
    Duration most_unsent_time{30'000};

    std::string version = "0.1.0";  // of the program, for INFO and HELLO

    static LookupOptions from(const LookupConfig& config);
};

// Lines for FS.STATUS; called from the readers' threads.
using StatusProvider = std::function<std::vector<std::pair<std::string, std::string>>()>;

// What a server says of itself.
struct LookupReport {
    std::string version;
    std::chrono::seconds uptime{};
    int clients = 0;
    std::uint64_t requests = 0;
    FreshnessReport freshness;
};

class ClusterTopology;
class SentinelWatch;

class LookupServer {
public:
    // `observer` outlives the server. `cluster`: where `redis` is one, what is known of it. `sentinels`: where
    // they say which server it is.
    LookupServer(LookupOptions options, Definitions definitions, RedisConfig redis, LookupObserver& observer,
                 StatusProvider status = {}, std::shared_ptr<ClusterTopology> cluster = nullptr,
                 std::shared_ptr<SentinelWatch> sentinels = nullptr);
    ~LookupServer();

    // Listens and starts the threads. Redis need not be up.
    Result<void> start();
    // Reads the files of options.tls again, for connections from now on. On failure the former ones stay.
    Result<void> reload_certificates();
    // Answers what is pending, for a bounded time, then closes all connections and joins the threads.
    void stop();

    // Asks as a client would, from within the program and from any thread, while the server runs. `user`: one
    // of options.users; the caller has made sure who it is. `reply` gets the reply in RESP2, from a reader's
    // thread, unless the server is stopped before.
    void ask(std::string user, std::vector<std::string> command, std::function<void(std::string)> reply);
    // What it does, and how fresh its views are: as it was looked at last. From any thread, whatever Redis
    // does.
    LookupReport report(Timestamp now) const;

    // Of each listening address, in order; after start().
    const std::vector<std::uint16_t>& ports() const;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace freshet
