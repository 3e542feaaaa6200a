// Where a look-up is sent: to the one Redis server there is or, in a cluster, to the primary that serves the
// slot of the key, or to one of its replicas. All of a reader's connections to Redis, and what each server's
// progress records say. One a loop.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "io/asio.hpp"
#include "io/lookup/freshness_report.hpp"
#include "io/lookup/lookup_catalogue.hpp"
#include "io/lookup/lookup_store.hpp"
#include "io/lookup/record_places.hpp"
#include "io/redis/cluster_topology.hpp"
#include "io/redis/sentinel_watch.hpp"

namespace freshet {

class LookupRouter {
public:
    using Clock = RedisPipeline::Clock;

    struct Settings {
        RedisConfig redis;
        std::shared_ptr<ClusterTopology> cluster;  // null: a single server, or
        std::shared_ptr<SentinelWatch> sentinels;  // the one that these name
        Duration silence;                          // RedisPipeline's
        Duration max_record_age;                   // LookupProgress's
    };

    // `hooks` are called for every connection; a lost one is the router's own affair.
    LookupRouter(asio::io_context& loop, const LookupCatalogue& catalogue, Settings settings,
                 RedisPipeline::Hooks hooks);

    void start();
    void stop();
    // Sends what was added to any connection.
    void flush();
    // Takes over the cluster's newest map, or the sentinels' word, and ends connections that it has no use for.
    // Cheap when there is none.
    void keep_up();
    void give_up(const std::string& reason);
    std::size_t outstanding() const;

    // Whether it depends on the key where it stands.
    bool has_slots() const { return map_ != nullptr; }
    // Requires has_slots(). Stays valid for good. Null while no node serves the slot of the key.
    LookupStore* primary_of(std::string_view key);
    static constexpr std::string_view kNobody =
        "no node of the redis cluster serves the slot of this key; see CLUSTER "
        "INFO";
    // Where to read what a primary serves: there, or where replicas are preferred at one of those that is in
    // step and has told its records of the topic, which are read again first if they are old. While the primary
    // is away, any that answers.
    LookupStore& read_from(LookupStore& primary, std::size_t topic, Clock::time_point now);
    // At least one.
    const std::vector<LookupStore*>& primaries() const { return in_use_; }

    // Whom an error reply sends the command to: for good, since its slot is served there, or with ASKING before
    // it, this once.
    struct Redirected {
        LookupStore* to;
        bool asking;
    };
    std::optional<Redirected> redirected(const LookupStore& from, std::string_view error);

    // A view over all primaries: what the one says that is furthest behind.
    struct Overall {
        std::string trouble;  // why nothing can be said; empty when something can
        bool settled = true;
        std::string foreign;
        std::optional<Timestamp> watermark;
        std::optional<Timestamp> clock;               // ViewProgressSummary's
        std::vector<std::optional<Timestamp>> since;  // likewise
    };
    Overall overall(const ServedView& view) const;
    // The partition with the lowest watermark, or with none.
    std::string furthest_behind(const ServedView& view) const;
    // By the clock that is ahead of the others, so that no staleness is understated.
    Timestamp redis_now(Clock::time_point now) const;
    // "connected to redis a:1", or why it is not.
    std::string connections() const;
    // All partitions of all topics that are served, as far as their records have been read.
    StoreReport store(Clock::time_point now) const;

private:
    void adopt(SharedSlotMap map);
    void follow_sentinels();
    std::uint64_t newest_version() const;
    void may_have_changed();
    LookupStore& at(const Endpoint& address) { return at(address, nullptr); }
    // `primary`: of a replica. Another one's replica is another store: what was read there has no meaning any
    // more.
    LookupStore& at(const Endpoint& address, LookupStore* primary);
    void read_replicas(LookupStore& primary, const std::vector<Endpoint>& replicas);
    bool in_use(const LookupStore& store) const;
    static void run(LookupStore& store, bool running);
    void connected(LookupStore& store);
    void disconnected(LookupStore& store);
    PartitionRecord record_of(const ServedTopic& topic, std::size_t partition, Clock::time_point now) const;

    asio::io_context& loop_;
    const LookupCatalogue& catalogue_;
    const Settings settings_;
    const RedisPipeline::Hooks hooks_;
    RecordPlaces places_;
    SharedSlotMap map_;  // null: a single server
    std::uint64_t version_ = 0;
    bool started_ = false;
    const std::size_t turn_;  // among replicas: another reader asks another one first
    // Those that left the cluster rest here: handlers of their connections may still be under way.
    std::map<std::pair<std::string, const LookupStore*>, std::unique_ptr<LookupStore>>
        all_;                           // by address and primary
    std::vector<LookupStore*> in_use_;  // in the order of the map's primaries
};

}  // namespace freshet
