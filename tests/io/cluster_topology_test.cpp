#include "io/redis/cluster_topology.hpp"

#include <doctest/doctest.h>

#include <csignal>

#include "support/redis_cluster.hpp"
#include "support/redis_process.hpp"

using namespace freshet;
using Mode = RedisConfig::Mode;

namespace {

test::RedisCluster& cluster() {
    static test::RedisCluster three(3);
    return three;
}

const Endpoint kNowhere{"127.0.0.1", 1};

// Nothing but refresh_soon() asks within a test.
constexpr ClusterTopology::Options kOnDemand{.every = Duration{600'000}, .at_most_every = Duration{1}};

std::shared_ptr<ClusterTopology> opened(RedisConfig config, ClusterTopology::Options options = {}) {
    auto topology = ClusterTopology::open(std::move(config), options);
    REQUIRE_MESSAGE(topology, (topology ? "" : topology.error().message));
    return *topology;
}

}  // namespace

TEST_CASE("the server says whether it is one of a cluster") {
    const test::RedisProcess single(test::RedisProcess::Listen::loopback_port);
    CHECK(*find_mode(single.config()) == Mode::standalone);
    RedisConfig asked = cluster().config();
    CHECK(*find_mode(asked) == Mode::cluster);
    asked.mode = Mode::automatic;
    CHECK(*find_mode(asked) == Mode::cluster);
    RedisConfig by_socket;
    by_socket.unix_socket = "/nowhere";
    CHECK(*find_mode(by_socket) == Mode::standalone);
}

TEST_CASE("a server of the other mode is refused with what to write") {
    const test::RedisProcess single(test::RedisProcess::Listen::loopback_port);
    const auto refusal = [](RedisConfig config, Mode mode) {
        config.mode = mode;
        const auto found = find_mode(config);
        REQUIRE_FALSE(found);
        CHECK(found.error().code == Errc::refused);
        return found.error().message;
    };
    CHECK(refusal(single.config(), Mode::cluster).find("write `mode: standalone`") != std::string::npos);
    CHECK(refusal(cluster().config(), Mode::standalone).find("write `mode: cluster`") != std::string::npos);
    RedisConfig several = single.config();
    several.more_addresses = {kNowhere};
    CHECK(refusal(several, Mode::automatic).find("write the address of one") != std::string::npos);
}

TEST_CASE("any address that answers finds the cluster, and none that does says so") {
    RedisConfig config = cluster().config();
    config.more_addresses = {config.address};
    config.address = kNowhere;
    CHECK(*find_mode(config) == Mode::cluster);
    CHECK(opened(config)->current()->primaries().size() == 3);
    config.more_addresses = {Endpoint{"127.0.0.1", 2}};
    for (const auto& failed : {find_mode(config).error(), ClusterTopology::open(config).error()}) {
        CHECK(failed.code == Errc::unavailable);
        CHECK(failed.message.find("127.0.0.1:1") != std::string::npos);
    }
}

TEST_CASE("a slot that moves is found when somebody says that the map may be out of date") {
    const auto topology = opened(cluster().config(), kOnDemand);
    const SharedSlotMap before = topology->current();
    const std::uint64_t version = topology->version();
    REQUIRE(before->owner_of(0) == 0);
    cluster().move_slot(0, 0, 1);
    CHECK(topology->version() == version);
    topology->refresh_now();
    const auto owner = [&] {
        const SharedSlotMap map = topology->current();
        return map->primaries()[*map->owner_of(0)].address;
    };
    // Another node than those that were told may have been asked.
    test::RedisCluster::wait_until("the map has the slot at its new place", [&] {
        if (owner() == cluster().address(1)) return true;
        topology->refresh_soon();
        return false;
    });
    CHECK(topology->version() > version);
    CHECK(before->owner_of(0) == 0);  // maps do not change
    cluster().move_slot(0, 1, 0);
}

TEST_CASE("it is asked for again and again without anybody's saying so") {
    const auto topology = opened(cluster().config(), {.every = Duration{5}, .at_most_every = Duration{1}});
    const std::uint64_t version = topology->version();
    cluster().move_slot(1, 0, 2);
    test::RedisCluster::wait_until("the map has changed", [&] { return topology->version() > version; });
    cluster().move_slot(1, 2, 0);
}

TEST_CASE("a node that hangs does not keep the map from being known anew") {
    const auto topology =
        opened(cluster().config(),
               {.every = Duration{600'000}, .at_most_every = Duration{1}, .patience = Duration{50}});
    ::kill(cluster().pid(2), SIGSTOP);
    for (int i = 0; i < 3; ++i) topology->refresh_now();  // each asks another node first
    ::kill(cluster().pid(2), SIGCONT);
    CHECK(topology->current()->covers_all_slots());
}
