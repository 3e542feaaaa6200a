// What only the store in Redis can get wrong; the contract is tested in partial_store_test.cpp.
#include "io/redis/redis_partial_store.hpp"

#include "support/store_contract.hpp"

using namespace freshet;
using namespace freshet::test;

namespace {

using RedisOwner = Owner<RedisBackend>;

void kill_connections(const RedisProcess& server) { (void)server.run({"CLIENT", "KILL", "TYPE", "normal"}); }

}  // namespace

TEST_CASE("the values lie under the documented names") {
    RedisBackend backend;
    RedisOwner owner(backend);
    REQUIRE(owner.write({put("AA 11", head(1, "A"), {{"3.0.60.7", "tiles"}})}));
    owner.advance({{kView, progress_at(5)}});
    CHECK(backend.run({"HGET", "fs:{delays@1:AA 11}", "3.0"}).text() == head(1, "A"));
    CHECK(backend.run({"HGET", "fs:{delays@1:AA 11}:s", "3.0.60.7"}).text() == "tiles");
    CHECK(backend.run({"HGET", "fs:{0}progress:flights:3", "v:delays@1"}).text() == "5 1005 - 0");
    CHECK(backend.run({"HGET", "fs:{0}progress:flights:3", "d:delays@1"}).text() == "fedcba9876543210 - 0 -");
    CHECK(backend.run({"HGET", "fs:{0}progress:flights:3", "generation"}).text() == "0");
    CHECK(backend.run({"DBSIZE"}).integer() == 3);
}

TEST_CASE("fields of a record that this version does not know are kept") {
    RedisBackend backend;
    RedisOwner owner(backend);
    (void)backend.run(
        {"HSET", "fs:{0}progress:flights:3", "later", "x", "v:gone@1", "3 - - 0", "d:gone@1", "0 - 0 -"});
    RedisOwner next(backend);
    next.advance({{kView, progress_at(5)}});
    CHECK(backend.run({"HGET", "fs:{0}progress:flights:3", "later"}).text() == "x");
    CHECK(record_of(backend).views.count("gone@1") == 1);
}

TEST_CASE("a record that does not decode is corrupt, and its key is named") {
    RedisBackend backend;
    RedisOwner owner(backend);
    (void)backend.run({"HSET", "fs:{0}progress:flights:3", "v:delays@1", "3 - - 0"});
    const auto taken = backend.connect()->take_epoch(kClaim);
    REQUIRE_FALSE(taken);
    CHECK(taken.error().code == Errc::corrupt);
    CHECK(taken.error().message.find("fs:{0}progress:flights:3") != std::string::npos);
}

TEST_CASE("entities may have any bytes in their names") {
    RedisBackend backend;
    RedisOwner owner(backend);
    const std::vector<std::string> names = {"",
                                            "a b",
                                            "a\nb",
                                            "{",
                                            "}",
                                            "{}",
                                            "a}b",
                                            ":s",
                                            "}:s",
                                            "'\"\\",
                                            "é",
                                            std::string("\0\r\n", 3),
                                            std::string(1'000, 'x')};
    std::vector<PartialWrite> writes;
    std::vector<PartialKey> keys;
    for (const std::string& name : names) {
        writes.push_back(put(name, head(1, name), {{"3.0." + name, "of " + name}}));
        keys.push_back(key_of(name));
    }
    REQUIRE(owner.write(writes));
    const auto loaded = owner.store->load(owner.fence, keys);
    REQUIRE(loaded);
    for (std::size_t i = 0; i < names.size(); ++i) {
        CAPTURE(names[i]);
        CHECK((*loaded)[i].head == head(1, names[i]));
        CHECK(has_chunks((*loaded)[i], {{"3.0." + names[i], "of " + names[i]}}));
    }
    CHECK(backend.run({"DBSIZE"}).integer() == static_cast<std::int64_t>(2 * names.size() + 1));
}

TEST_CASE("a call of thousands of heads is one call") {
    RedisBackend backend;
    RedisOwner owner(backend);
    std::vector<PartialWrite> writes;
    for (int i = 0; i < 20'000; ++i) {
        writes.push_back(put("e" + std::to_string(i), head(1, std::string(150, 'x')), {}, kLater));
        if (i % 100 == 0) writes.back().chunks.push_back({"3.0.0", std::string(5'000, 'y')});
    }
    const auto calls = owner.write(writes);
    REQUIRE(calls);
    CHECK(*calls == 2);
    CHECK(owner.head_of("e19999") == head(1, std::string(150, 'x')));
    CHECK(backend.sealed_expiry("e19900") == kLater);
}

TEST_CASE("scripts that the server forgot are loaded again, and no call is lost or made twice") {
    RedisBackend backend;
    RedisOwner owner(backend);
    REQUIRE(owner.write({put("a", head(1, "A"))}));
    (void)backend.run({"SCRIPT", "FLUSH", "SYNC"});
    const std::vector<WriteCall> calls = {{owner.fence, {put("a", head(2, "A"))}},
                                          {owner.fence, {put("b", head(3, "B"))}}};
    const auto results = owner.store->write(calls);
    REQUIRE(results[0]);
    REQUIRE(results[1]);
    CHECK(*results[1] == owner.fence.acked_calls + 2);
    (void)backend.run({"SCRIPT", "FLUSH", "SYNC"});
    CHECK(owner.head_of("b") == head(3, "B"));
    (void)backend.run({"SCRIPT", "FLUSH", "SYNC"});
    CHECK(owner.store->advance(owner.fence, {12, {}, {}}));
    (void)backend.run({"SCRIPT", "FLUSH", "SYNC"});
    CHECK(owner.store->take_epoch(kClaim));
}

TEST_CASE("a killed connection fails the calls in flight, and the same calls then pass") {
    RedisBackend backend;
    RedisOwner owner(backend);
    REQUIRE(owner.write({put("a", head(1, "A"))}));
    kill_connections(backend.server());
    const std::vector<WriteCall> calls = {{owner.fence, {put("a", head(2, "A"))}},
                                          {owner.fence, {put("b", head(3, "B"))}}};
    for (const auto& result : owner.store->write(calls)) {
        REQUIRE_FALSE(result);
        CHECK(result.error().code == Errc::unavailable);
        CHECK(result.error().message.starts_with("flights/3: redis /"));
    }
    for (const auto& result : owner.store->write(calls)) CHECK(result);
    CHECK(owner.head_of("b") == head(3, "B"));
}

TEST_CASE("a stopped server is unavailable; when it is back, empty, its writes are known to be lost") {
    RedisProcess server(RedisProcess::Listen::loopback_port);
    RedisPartialStore store(server.config());
    const auto taken = store.take_epoch(kClaim);
    REQUIRE(taken);
    const std::vector<WriteCall> calls = {{{kPartition, taken->epoch, taken->calls}, {put("a", head(1, "A"))}}};
    server.stop();
    for (int tries = 0; tries < 2; ++tries) {
        const auto results = store.write(calls);
        REQUIRE_FALSE(results[0]);
        CHECK(results[0].error().code == Errc::unavailable);
    }
    CHECK(store.write(calls)[0].error().message.find("connection refused") != std::string::npos);
    server.restart();
    const auto lost = store.write(calls);
    REQUIRE_FALSE(lost[0]);
    CHECK(lost[0].error().code == Errc::lost_writes);
    const auto again = store.take_epoch(kClaim);
    REQUIRE(again);
    CHECK_FALSE(again->before);
}

TEST_CASE("a full server is unavailable for writes and changes nothing, but loads pass") {
    RedisProcess server;
    RedisPartialStore store(server.config());
    const auto taken = store.take_epoch(kClaim);
    REQUIRE(taken);
    const Fence fence{kPartition, taken->epoch, taken->calls};
    const std::vector<WriteCall> calls = {{fence, {put("a", head(1, "A"))}}};
    (void)server.run({"CONFIG", "SET", "maxmemory", "1"});
    const auto full = store.write(calls);
    REQUIRE_FALSE(full[0]);
    CHECK(full[0].error().code == Errc::unavailable);
    const auto loaded = store.load(fence, std::vector{key_of("a")});
    REQUIRE(loaded);
    CHECK_FALSE(loaded->front().head);
    (void)server.run({"CONFIG", "SET", "maxmemory", "0"});
    CHECK(store.write(calls)[0]);
}

TEST_CASE("a server that came back with eviction is unavailable for all, until that is mended") {
    RedisProcess server;
    RedisPartialStore store(server.config());
    const auto taken = store.take_epoch(kClaim);
    REQUIRE(taken);
    const Fence fence{kPartition, taken->epoch, taken->calls};
    const std::vector<WriteCall> calls = {{fence, {put("a", head(1, "A"))}}};
    REQUIRE(store.write(calls)[0]);
    (void)server.run({"CONFIG", "SET", "maxmemory-policy", "allkeys-lru"});
    (void)server.run({"SCRIPT", "FLUSH", "SYNC"});  // as a start does
    const auto refused = store.write(calls);
    REQUIRE_FALSE(refused[0]);
    CHECK(refused[0].error().code == Errc::unavailable);
    CHECK(refused[0].error().message.find("CONFIG SET maxmemory-policy noeviction") != std::string::npos);
    CHECK_FALSE(store.load(fence, std::vector{key_of("a")}));
    (void)server.run({"CONFIG", "SET", "maxmemory-policy", "noeviction"});
    CHECK(store.write(calls)[0]);
    CHECK(store.load(fence, std::vector{key_of("a")}));
}

TEST_CASE("a replica is unavailable, for loads as well") {
    RedisBackend backend;
    RedisOwner owner(backend);
    (void)backend.run({"REPLICAOF", "127.0.0.1", "1"});
    const auto loaded = owner.store->load(owner.fence, std::vector{key_of("a")});
    const auto written = owner.write({put("a", head(1, "A"))});
    (void)backend.run({"REPLICAOF", "NO", "ONE"});
    REQUIRE_FALSE(loaded);
    REQUIRE_FALSE(written);
    CHECK(loaded.error().code == Errc::unavailable);
    CHECK(written.error().code == Errc::unavailable);
    CHECK(owner.write({put("a", head(1, "A"))}));
}

TEST_CASE("a key of another type in the way is corrupt, and nothing of the call is written") {
    RedisBackend backend;
    RedisOwner owner(backend);
    std::string in_the_way;
    SUBCASE("of a head") { in_the_way = "fs:{delays@1:b}"; }
    SUBCASE("of sealed tiles") { in_the_way = "fs:{delays@1:b}:s"; }
    (void)backend.run({"SET", in_the_way, "x"});
    const auto written = owner.write({put("a", head(1, "A")), put("b", head(1, "B"), {{"3.0.0", "tiles"}})});
    REQUIRE_FALSE(written);
    CHECK(written.error().code == Errc::corrupt);
    CHECK(backend.run({"EXISTS", "fs:{delays@1:a}"}).integer() == 0);
}
