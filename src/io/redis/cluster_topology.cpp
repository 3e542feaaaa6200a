#include "io/redis/cluster_topology.hpp"

#include <algorithm>
#include <utility>

#include "io/log.hpp"

namespace freshet {

namespace {

constexpr std::string_view kNoCluster = "ERR This instance has cluster support disabled";

std::vector<Endpoint> seeds_of(const RedisConfig& config) {
    std::vector<Endpoint> seeds{config.address};
    seeds.insert(seeds.end(), config.more_addresses.begin(), config.more_addresses.end());
    return seeds;
}

bool may_pass(const Error& error) { return error.code == Errc::unavailable; }

Result<RedisReply> ask_for_slots(RedisConnection& connection) {
    connection.append(std::initializer_list<std::string_view>{"CLUSTER", "SLOTS"});
    return connection.read();
}

// Of one server: nullopt when it does not say.
Result<std::optional<RedisConfig::Mode>> mode_of(RedisConnection& connection) {
    const auto reply = ask_for_slots(connection);
    if (!reply) return reply.error();
    if (!reply->is_error()) return std::optional(RedisConfig::Mode::cluster);
    if (reply->text() == kNoCluster) return std::optional(RedisConfig::Mode::standalone);
    const Error error = connection.error_of(*reply);
    if (may_pass(error)) return error;
    return std::optional<RedisConfig::Mode>();
}

Result<RedisConfig::Mode> agreed(const RedisConfig& config, std::optional<RedisConfig::Mode> found,
                                 const RedisConnection& server) {
    using Mode = RedisConfig::Mode;
    if (config.mode == Mode::cluster && !found)
        return server.error(Errc::refused,
                            "CLUSTER SLOTS is forbidden, and without it a cluster cannot be found; allow this "
                            "user '+cluster|slots'");
    if (config.mode == Mode::cluster && found == Mode::standalone)
        return server.error(
            Errc::refused,
            "it is a single server, but redis.mode is cluster; write `mode: standalone`, or the "
            "address of a node of the cluster");
    if (config.mode == Mode::standalone && found == Mode::cluster)
        return server.error(Errc::refused,
                            "it is a node of a cluster, but redis.mode is standalone; write `mode: cluster`");
    if (config.read_from != RedisConfig::ReadFrom::primary && found != Mode::cluster)
        return server.error(Errc::refused,
                            "redis.read_from is replica_preferred, but replicas are read in a Redis Cluster "
                            "only, which this is "
                            "not known to be; write `read_from: primary`");
    if (config.mode != Mode::automatic) return config.mode;
    if (found != Mode::cluster && !config.more_addresses.empty())
        return server.error(Errc::refused,
                            "it is a single server, but redis.address names several; write the address of one");
    return found.value_or(Mode::standalone);
}

}  // namespace

RedisConfig reached_at(RedisConfig config, const Endpoint& address) {
    config.address = address;
    config.more_addresses.clear();
    config.unix_socket.clear();
    return config;
}

Result<RedisConfig::Mode> find_mode(const RedisConfig& config) {
    if (!config.unix_socket.empty()) return RedisConfig::Mode::standalone;
    std::optional<Error> last;
    for (const Endpoint& seed : seeds_of(config)) {
        RedisConnection connection(reached_at(config, seed));
        const auto mode = mode_of(connection);
        if (mode) return agreed(config, *mode, connection);
        if (!may_pass(mode.error())) return mode.error();
        last = last ? Error{Errc::unavailable, last->message + "; " + mode.error().message} : mode.error();
    }
    return *last;
}

Result<std::shared_ptr<ClusterTopology>> ClusterTopology::open(RedisConfig config, Options options) {
    std::shared_ptr<ClusterTopology> topology(new ClusterTopology(std::move(config), options));
    if (auto asked = topology->ask_nodes(); !asked) return asked.error();
    topology->thread_ = std::thread([t = topology.get()] { t->run(); });
    return topology;
}

ClusterTopology::ClusterTopology(RedisConfig config, Options options)
    : config_(std::move(config)), options_(options) {}

ClusterTopology::~ClusterTopology() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    changed_.notify_all();
    if (thread_.joinable()) thread_.join();
}

SharedSlotMap ClusterTopology::current() const {
    const std::lock_guard lock(mutex_);
    return map_;
}

void ClusterTopology::refresh_soon() {
    if (wanted_.exchange(true)) return;
    // Under the lock, so that it is not missed between the look at `wanted_` and the wait.
    const std::lock_guard lock(mutex_);
    changed_.notify_all();
}

void ClusterTopology::refresh_now() {
    std::unique_lock lock(mutex_);
    const std::uint64_t mine = asked_ + 1;
    wanted_ = true;
    ++waiting_;
    changed_.notify_all();
    changed_.wait(lock, [&] { return done_ >= mine || stopping_; });
    --waiting_;
}

void ClusterTopology::run() {
    bool reached = true;
    std::unique_lock lock(mutex_);
    while (!stopping_) {
        changed_.wait_for(lock, options_.every, [&] { return wanted_ || stopping_; });
        if (stopping_) return;
        wanted_ = false;
        ++asked_;
        lock.unlock();
        const auto asked = ask_nodes();
        if (std::exchange(reached, static_cast<bool>(asked)) && !asked)
            log::warn("the slots of the redis cluster are not known anew: " + asked.error().message);
        lock.lock();
        ++done_;
        changed_.notify_all();
        changed_.wait_for(lock, options_.at_most_every, [&] { return waiting_ > 0 || stopping_; });
    }
}

std::vector<Endpoint> ClusterTopology::nodes() const {
    std::vector<Endpoint> nodes;
    const auto add = [&](const Endpoint& node) {
        if (std::ranges::find(nodes, node) == nodes.end()) nodes.push_back(node);
    };
    const SharedSlotMap map = current();
    for (const auto& primary : map->primaries()) add(primary.address);
    if (!nodes.empty()) std::rotate(nodes.begin(), nodes.begin() + turn_ % nodes.size(), nodes.end());
    for (const auto& primary : map->primaries())
        for (const Endpoint& replica : primary.replicas) add(replica);
    for (const Endpoint& seed : seeds_of(config_)) add(seed);
    return nodes;
}

Result<void> ClusterTopology::ask_nodes() {
    ++turn_;
    std::optional<Error> first;
    for (const Endpoint& node : nodes()) {
        const auto asked = ask(node);
        if (asked) return {};
        if (!first) first = asked.error();
    }
    return *first;
}

Result<void> ClusterTopology::ask(const Endpoint& node) {
    RedisConnection connection(reached_at(config_, node), {options_.patience, options_.patience});
    const auto reply = ask_for_slots(connection);
    if (!reply) return reply.error();
    if (reply->is_error()) return connection.error_of(*reply);
    auto map = SlotMap::parse(*reply, node);
    if (!map) return map.error();
    if (map->primaries().empty())
        return connection.error(Errc::unavailable, "it knows of no node that serves slots");
    const std::lock_guard lock(mutex_);
    if (*map == *map_) return {};
    map_ = std::make_shared<const SlotMap>(*std::move(map));
    version_.fetch_add(1, std::memory_order_release);
    return {};
}

}  // namespace freshet
