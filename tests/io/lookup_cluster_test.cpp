// Look-ups over a real Redis Cluster, whose slots move and whose nodes fail.
#include <csignal>

#include "support/cluster_lookups.hpp"

using namespace freshet;
using namespace freshet::testing;

TEST_CASE("entities are read where they are, whichever request asks for them") {
    ClusterLookups f;
    f.record_everywhere();
    std::string entities, expected;
    for (std::size_t i = 0; i < 6; ++i) {
        const std::string entity = f.entity_at(i % 3, i / 3);
        f.store_at(entity, static_cast<std::int64_t>(i + 1));
        entities += " " + entity;
        expected += (expected.empty() ? "[" : " [") + std::to_string(41 * (i + 1)) + "]";
    }
    TestClient client = f.client();
    for (std::size_t i = 0; i < 6; ++i)
        CHECK(f.spent(client, f.entity_at(i % 3, i / 3)) == "[" + std::to_string(41 * (i + 1)) + "]");
    CHECK(client("FS.MGET spend 6" + entities + " FEATURES 1 spent_1h") == "[" + expected + "]");
    CHECK(client("FS.EXPLAIN spend " + f.entity_at(1) + " spent_1h").find("\"origins\"") != std::string::npos);
    CHECK(client("FS.VECTOR cards KEYS 1 card ROWS 2 " + f.entity_at(2) + " " + f.entity_at(0))
              .starts_with("[["));
    CHECK(f.spent(client, "nobody") == "[nil]");
}

TEST_CASE("a value is as fresh as the primary that holds it says, and a view as the one furthest behind") {
    ClusterLookups f;
    f.record_in(f.record_slot_at(0), 1h);
    f.record_in(f.record_slot_at(1));
    f.record_in(f.record_slot_at(2));
    TestClient client = f.client();
    const auto staleness = [&](std::size_t node) {
        const std::string row = client("FS.GET spend " + f.entity_at(node) + " FEATURES 1 spent_1h META");
        const std::size_t statuses_end = row.find("] ", row.find("] ") + 1);
        return std::stoll(row.substr(statuses_end + 2));
    };
    CHECK(staleness(0) >= 3'600'000);
    CHECK(staleness(1) < 3'600'000);
    const std::string freshness = client("FS.FRESHNESS spend");
    CAPTURE(freshness);
    CHECK(freshness.starts_with("[36"));
    CHECK(client("FS.STATUS").find("1 partitions, 36") != std::string::npos);
}

TEST_CASE("what a primary had received before it came back with an older copy is not told as missing") {
    ClusterLookups f;
    f.record_everywhere();
    const std::string kept = f.entity_at(1), lost = f.entity_at(1, 1);
    f.store_at(kept, 2);
    const std::string record =
        record_key("fs:", Partition{"payments", PartitionId{0}}, tag_of(f.record_slot_at(1)));
    const auto covering = [&](const std::string& advance, const std::string& covers) {
        f.command({"HSET", record, "advance", advance, "covers", covers});
    };
    const std::string slot = std::to_string(slot_of(f.key(kept)));
    covering("8", "5461-10921");
    TestClient client = f.client();
    CHECK(f.spent(client, kept) == "[82]");
    covering("7", slot + "-" + slot);
    test::RedisCluster::wait_until("the record is read again",
                                   [&] { return f.spent(client, lost) != "[nil]"; });
    CHECK(f.spent(client, lost).starts_with("-UNAVAILABLE redis "));
    CHECK(f.spent(client, kept) == "[82]");
    covering("9", "5461-10921");
    test::RedisCluster::wait_until("the record is advanced", [&] { return f.spent(client, lost) == "[nil]"; });
}

TEST_CASE("an entity whose slot has moved is asked for at its new place") {
    ClusterLookups f;
    f.record_everywhere();
    const std::string entity = f.entity_at(0);
    f.store_at(entity, 5);
    TestClient client = f.client();
    const std::string before = f.spent(client, entity), past = " AT " + std::to_string(unix_ms(kNoon - 9min));
    const std::string before_past = f.spent(client, entity, past);
    CHECK(before == "[205]");
    f.cluster.move_slot(slot_of(f.key(entity)), 0, 1);
    CHECK(f.spent(client, entity) == before);
    CHECK(f.spent(client, entity, past) == before_past);
    CHECK(f.spent(client, f.entity_at(0, 1)) == "[nil]");
}

TEST_CASE("while a slot moves, each of its entities is found where it just is") {
    ClusterLookups f;
    f.record_everywhere();
    const std::string entity = f.entity_at(0);
    f.store_at(entity, 5);
    TestClient client = f.client();
    const Slot slot = slot_of(f.key(entity));
    f.cluster.begin_move(slot, 0, 1);
    CHECK(f.spent(client, entity) == "[205]");
    f.cluster.move_key(f.key(entity), 0, 1);
    CHECK(f.spent(client, entity) == "[205]");
    f.cluster.move_keys(slot, 0, 1);
    f.cluster.end_move(slot, 1);
    CHECK(f.spent(client, entity) == "[205]");
}

TEST_CASE("an entity whose head and tiles are parted for a moment is read once they are together again") {
    ClusterLookups f;
    f.record_everywhere();
    const std::string entity = f.entity_at(0);
    f.store_at(entity, 5);
    TestClient client = f.client();
    const std::string past = " AT " + std::to_string(unix_ms(kNoon - 9min));
    const std::string expected = f.spent(client, entity, past);
    REQUIRE(f.observer.second_steps > 0);
    const Slot slot = slot_of(f.key(entity));
    const auto asked_at_the_other = [&] {
        const std::string stats = f.cluster.text(1, {"INFO", "commandstats"});
        const std::string name = "cmdstat_asking:calls=";
        const std::size_t at = stats.find(name);
        return at == std::string::npos ? 0 : std::stoi(stats.substr(at + name.size()));
    };
    f.cluster.begin_move(slot, 0, 1);
    f.cluster.move_key(f.key(entity), 0, 1);
    client.send_raw("FS.GET spend " + entity + " FEATURES 1 spent_1h" + past + "\r\n");
    // Asked at both places, and again after a while.
    CHECK(becomes_true([&] { return asked_at_the_other() > 1; }));
    f.cluster.move_keys(slot, 0, 1);
    f.cluster.end_move(slot, 1);
    const std::string answer = client.receive();
    CHECK((answer == expected || answer.starts_with("-UNAVAILABLE ")));  // it does not wait for ever
    CHECK(f.spent(client, entity, past) == expected);
}

TEST_CASE("a primary that is down or silent fails the look-ups of its own entities only") {
    ClusterLookups f;
    f.record_everywhere();
    for (std::size_t node = 0; node < 3; ++node) f.store_at(f.entity_at(node), 5);
    TestClient client = f.client(), other = f.client();
    for (std::size_t node = 0; node < 3; ++node) CHECK(f.spent(client, f.entity_at(node)) == "[205]");

    ::kill(f.cluster.pid(0), SIGSTOP);
    client.send_raw("FS.GET spend " + f.entity_at(0) + "\r\n");
    for (std::size_t node : {1, 2}) CHECK(f.spent(other, f.entity_at(node)) == "[205]");
    const std::string silent = client.receive();
    CHECK(silent.starts_with("-UNAVAILABLE redis 127.0.0.1:"));
    CHECK(silent.find("did not answer within") != std::string::npos);
    ::kill(f.cluster.pid(0), SIGCONT);
    CHECK(becomes_true([&] { return f.spent(client, f.entity_at(0)) == "[205]"; }));

    f.cluster.stop(1);
    CHECK(becomes_true([&] { return f.spent(client, f.entity_at(1)).starts_with("-UNAVAILABLE "); }));
    for (std::size_t node : {0, 2}) CHECK(f.spent(client, f.entity_at(node)) == "[205]");
}

TEST_CASE("a replica that takes over answers for its primary") {
    ClusterLookups f(1);
    f.record_everywhere();
    f.store_at(f.entity_at(0), 5);
    TestClient client = f.client();
    CHECK(f.spent(client, f.entity_at(0)) == "[205]");
    f.cluster.run(0, {"WAIT", "1", "5000"});
    f.cluster.stop(0);
    CHECK(becomes_true([&] { return f.spent(client, f.entity_at(0)) == "[205]"; }));
}

TEST_CASE("a primary without a record where others have one answers nothing") {
    ClusterLookups f;
    f.record_in(f.record_slot_at(0));
    f.record_in(f.record_slot_at(2));
    f.store_at(f.entity_at(1), 5);
    TestClient client = f.client();
    CHECK(f.spent(client, f.entity_at(1)).starts_with("-UNAVAILABLE "));
    CHECK(f.spent(client, f.entity_at(0)) == "[nil]");
    f.record_in(f.record_slot_at(1));
    CHECK(f.spent(client, f.entity_at(1)) == "[205]");
}

TEST_CASE("a record is found in the slot that the others name") {
    ClusterLookups f;
    constexpr std::string_view kNamed = "13907 7 10921";
    f.record_in(7, 0ms, kNamed);
    f.record_in(10'921, 0ms, kNamed);
    f.record_in(kFirstRecordSlot, 0ms, kNamed);
    f.store_at(f.entity_at(0), 5);
    TestClient client = f.client();
    CHECK(becomes_true([&] { return f.spent(client, f.entity_at(0)) == "[205]"; }));
}

TEST_CASE("before anything is recorded anywhere, everything is missing") {
    ClusterLookups f;
    TestClient client = f.client();
    CHECK(becomes_true([&] {
        return client("FS.GET now card-1 FEATURES 1 payments_5m META").find("missing") != std::string::npos;
    }));
}
