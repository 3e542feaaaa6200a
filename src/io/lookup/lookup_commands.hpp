// The commands of the look-up server: what a request means, and the replies that need no Redis.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "io/lookup/freshness_watch.hpp"
#include "io/lookup/lookup_access.hpp"
#include "io/lookup/lookup_catalogue.hpp"
#include "io/lookup/lookup_engine.hpp"
#include "io/lookup/lookup_server.hpp"
#include "io/tls.hpp"

namespace freshet {

// What all readers of a server share.
struct LookupShared {
    LookupShared(LookupOptions with, Definitions definitions, RedisConfig store,
                 std::shared_ptr<ClusterTopology> topology, std::shared_ptr<SentinelWatch> watch,
                 LookupObserver& observe, StatusProvider provider)
        : options(std::move(with)),
          catalogue(std::move(definitions)),
          access(options.users, catalogue),
          redis(std::move(store)),
          cluster(std::move(topology)),
          sentinels(std::move(watch)),
          observer(observe),
          status(std::move(provider)) {}

    const LookupOptions options;
    const LookupCatalogue catalogue;
    const LookupAccess access;
    const RedisConfig redis;
    const std::shared_ptr<ClusterTopology> cluster;  // null: a single server, or
    const std::shared_ptr<SentinelWatch> sentinels;  // the one that these name
    LookupObserver& observer;
    const StatusProvider status;
    FreshnessWatch freshness{catalogue, observer};
    const std::chrono::steady_clock::time_point started = std::chrono::steady_clock::now();
    std::vector<std::uint16_t> ports;              // set before the readers start
    std::atomic<std::shared_ptr<TlsContext>> tls;  // null: plain connections
    std::chrono::seconds uptime() const {
        return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::steady_clock::now() - started);
    }

    std::atomic<int> connections{0};
    std::atomic<std::uint64_t> connections_ever{0};
    std::atomic<std::uint64_t> requests{0};
    std::atomic<std::uint64_t> second_steps{0};
};

// A client, as its commands see it.
class LookupSession {
public:
    // The reply is appended to it at once.
    virtual std::string& reply() = 0;
    // The reply follows when the request is done; the session owns it until then.
    virtual void enqueue(LookupRequest& request) = 0;
    // Close once everything is answered.
    virtual void quit() = 0;

    RespWriter writer() { return RespWriter(reply(), protocol); }

    Resp protocol = Resp::v2;
    std::uint64_t id = 0;
    std::string name;
    std::string address;
    const LookupAccess::Account* account = nullptr;  // null: it has not told who it is

protected:
    ~LookupSession() = default;
};

class LookupCommands {
public:
    // Writes a line about each client of this reader, as CLIENT LIST has it.
    using ClientLister = std::function<void(std::string&)>;

    LookupCommands(LookupShared& shared, LookupEngine& engine, ClientLister list_clients);

    // `arguments` begin with the command's name.
    void execute(Arguments arguments, LookupSession& session);

    // The reply to FS.STATUS.
    static void write_status(const LookupShared& shared, LookupEngine& engine, RespWriter& out);

private:
    struct Command;
    using Handler = void (LookupCommands::*)(Arguments, LookupSession&);
    static std::span<const Command> all();
    static const Command* find(std::string_view name);

    void look_up(LookupRequest::Kind kind, std::string_view name, Arguments arguments, LookupSession& session);
    // What the session may not read of what is asked for.
    std::optional<CommandError> refused(const LookupRequest& request, const LookupSession& session) const;
    bool authenticate(std::string_view name, std::string_view password, LookupSession& session);
    void who_are_you(LookupSession& session);
    void may_not_read(const ServedView& view, LookupSession& session);
    void write_names(std::span<const std::string_view> names, LookupSession& session);
    void error(LookupSession& session, std::string_view code, std::string_view message);
    void unknown(Arguments arguments, LookupSession& session);

    void fs_get(Arguments arguments, LookupSession& session);
    void fs_mget(Arguments arguments, LookupSession& session);
    void fs_vector(Arguments arguments, LookupSession& session);
    void fs_explain(Arguments arguments, LookupSession& session);
    void fs_freshness(Arguments arguments, LookupSession& session);
    void fs_status(Arguments arguments, LookupSession& session);
    void fs_views(Arguments arguments, LookupSession& session);
    void fs_services(Arguments arguments, LookupSession& session);
    void ping(Arguments arguments, LookupSession& session);
    void echo(Arguments arguments, LookupSession& session);
    void hello(Arguments arguments, LookupSession& session);
    void auth(Arguments arguments, LookupSession& session);
    void select(Arguments arguments, LookupSession& session);
    void client(Arguments arguments, LookupSession& session);
    void command(Arguments arguments, LookupSession& session);
    void info(Arguments arguments, LookupSession& session);
    void config(Arguments arguments, LookupSession& session);
    void quit(Arguments arguments, LookupSession& session);

    LookupShared& shared_;
    LookupEngine& engine_;
    ClientLister list_clients_;
};

// One line of CLIENT LIST.
std::string client_line(const LookupSession& session);

}  // namespace freshet
