#include "io/redis/slot_map.hpp"

#include <doctest/doctest.h>

#include "io/stored/store_keys.hpp"
#include "support/redis_cluster.hpp"

using namespace freshet;

namespace {

const Endpoint kA{"10.0.0.1", 7001};
const Endpoint kB{"10.0.0.2", 7002};

}  // namespace

TEST_CASE("keys fall into the slots of the published examples") {
    CHECK(slot_of("123456789") == 0x31c3);  // CRC16's check value, below 16,384
    CHECK(slot_of("") == 0);
    CHECK(slot_of("foo") == 12'182);
    CHECK(slot_of("0") == 13'907);
}

TEST_CASE("only what stands in the first pair of braces counts") {
    CHECK(slot_of("{user1000}.following") == slot_of("user1000"));
    CHECK(slot_of("foo{bar}{zap}") == slot_of("bar"));
    CHECK(slot_of("foo{{bar}}zap") == slot_of("{bar"));
    CHECK(slot_of("foo{}{bar}") != slot_of("bar"));
    CHECK(slot_of("foo{bar") != slot_of("bar"));
    CHECK(slot_of(head_key("fs:", "spend@1", "card 7")) == slot_of(sealed_key("fs:", "spend@1", "card 7")));
}

TEST_CASE("every slot has a tag of its own") {
    for (std::size_t slot = 0; slot < kSlots; ++slot) {
        const std::string& tag = tag_of(static_cast<Slot>(slot));
        REQUIRE(slot_of("fs:{" + tag + "}progress:t:0") == slot);
    }
    CHECK(tag_of(13'907) == "0");
}

TEST_CASE("a slot that moves changes the map of which it is part") {
    const SlotMap none;
    CHECK(none.primaries().empty());
    CHECK_FALSE(none.owner_of(5));
    const SlotMap one = none.with(5, kA);
    const SlotMap two = one.with(3, kB);
    REQUIRE(two.primaries().size() == 2);
    CHECK(two.primaries()[0].address == kB);  // ordered by the lowest slot
    CHECK(two.ranges_of(1) == SlotRanges{{5, 5}});
    CHECK_FALSE(one.owner_of(3));
    CHECK(two.with(5, kB) == none.with(3, kB).with(5, kB));
    CHECK(two.with(5, kB).primaries().size() == 1);
    CHECK_FALSE(two.covers_all_slots());
}

TEST_CASE("redirections are understood, and nothing else is") {
    const auto moved = redirection_of("MOVED 3999 127.0.0.1:6381", kA);
    REQUIRE(moved);
    CHECK_FALSE(moved->ask);
    CHECK(moved->slot == 3999);
    CHECK(moved->to == Endpoint{"127.0.0.1", 6381});
    const auto ask = redirection_of("ASK 1 2001:db8::1:6381", kA);
    REQUIRE(ask);
    CHECK(ask->ask);
    CHECK(ask->to == Endpoint{"2001:db8::1", 6381});
    CHECK(redirection_of("MOVED 3999 :6381", kA)->to == Endpoint{"10.0.0.1", 6381});
    for (const char* wrong : {"ERR MOVED", "MOVED", "MOVED 1", "MOVED x a:1", "MOVED 16384 a:1", "MOVED 1 a:0",
                              "MOVED 1 a:65536", "MOVED 1 a", "TRYAGAIN Multiple keys request"}) {
        CAPTURE(wrong);
        CHECK_FALSE(redirection_of(wrong, kA));
    }
}

TEST_CASE("the map of a real cluster names who serves which slot") {
    const test::RedisCluster cluster(3, 1);
    const auto ask = [&] { return SlotMap::parse(cluster.run(1, {"CLUSTER", "SLOTS"}), cluster.address(1)); };
    auto map = ask();
    REQUIRE_MESSAGE(map, (map ? "" : map.error().message));
    test::RedisCluster::wait_until("word of the replica has reached node 1", [&] {
        map = ask();
        return !map->primaries()[0].replicas.empty();
    });
    CHECK(map->covers_all_slots());
    REQUIRE(map->primaries().size() == 3);
    for (std::size_t i = 0; i < 3; ++i) CHECK(map->primaries()[i].address == cluster.address(i));
    CHECK(map->primaries()[0].replicas == std::vector<Endpoint>{cluster.address(3)});
    for (const char* key : {"foo", "{user1000}.following", "fs:{0}progress:flights:0", "", "{}", "a{b}c{d}"}) {
        CAPTURE(key);
        CHECK(cluster.run(0, {"CLUSTER", "KEYSLOT", key}).integer() == slot_of(key));
        CHECK(map->primaries()[*map->owner_of(slot_of(key))].address == cluster.address(cluster.node_of(key)));
    }
}

TEST_CASE("what is no answer to CLUSTER SLOTS is refused") {
    const test::RedisCluster cluster(1);
    CHECK_FALSE(SlotMap::parse(cluster.run(0, {"PING"}), kA));
    cluster.run(0, {"RPUSH", "list", "a"});
    CHECK_FALSE(SlotMap::parse(cluster.run(0, {"LRANGE", "list", "0", "-1"}), kA));
}
