// Look-ups that are read from replicas of a real Redis Cluster, which lag, lose their link and die.
#include <csignal>

#include "support/cluster_lookups.hpp"

using namespace freshet;
using namespace freshet::testing;

namespace {

class ReplicaLookups : public ClusterLookups {
public:
    // Node 3 + i is a replica of node i.
    ReplicaLookups() : ClusterLookups(3) {
        read_from = RedisConfig::ReadFrom::replica_preferred;
        every = 200ms;  // replicas may be in no map until the other nodes have heard how far they are
    }

    void in_step(std::size_t node = 0) { cluster.run(node, {"WAIT", "1", "5000"}); }
    std::size_t reads_at(std::size_t node) {
        const std::string stats = cluster.text(node, {"INFO", "commandstats"});
        const std::string name = "cmdstat_hvals:calls=";
        const std::size_t at = stats.find(name);
        return at == std::string::npos ? 0 : std::stoul(stats.substr(at + name.size()));
    }
    bool reads_replica(TestClient& client, const std::string& entity, std::size_t replica) {
        const std::size_t before = reads_at(replica);
        spent(client, entity);
        return reads_at(replica) > before;
    }
    // For the replica to be known; then nothing more is asked of it than a test asks.
    void wait_for(TestClient& client, const std::string& entity, std::size_t replica) {
        CHECK(becomes_true([&] { return reads_replica(client, entity, replica); }));
    }
    // Keeps the answering replica from what its primary gets, until mend().
    void cut(std::size_t primary) {
        cluster.run(primary, {"ACL", "SETUSER", "default", "-psync", "-sync"});
        cluster.run(primary, {"CLIENT", "KILL", "TYPE", "replica"});
    }
    void mend(std::size_t primary) { cluster.run(primary, {"ACL", "SETUSER", "default", "+psync", "+sync"}); }
    std::int64_t staleness(TestClient& client, const std::string& entity) {
        const std::string row = client("FS.GET spend " + entity + " FEATURES 1 spent_1h META");
        if (row.starts_with("-")) return -1;
        const std::size_t statuses_end = row.find("] ", row.find("] ") + 1);
        return std::stoll(row.substr(statuses_end + 2));
    }
};

}  // namespace

TEST_CASE("what stands at a replica is read there, and nothing of it at its primary") {
    ReplicaLookups f;
    f.record_everywhere();
    for (std::size_t node = 0; node < 3; ++node) f.store_at(f.entity_at(node), 5);
    for (std::size_t node = 0; node < 3; ++node) f.in_step(node);
    TestClient client = f.client();
    for (std::size_t node = 0; node < 3; ++node) {
        const std::string entity = f.entity_at(node);
        CHECK(becomes_true([&] { return f.reads_replica(client, entity, 3 + node); }));
        const std::size_t before = f.reads_at(node);
        for (int i = 0; i < 20; ++i) CHECK(f.spent(client, entity) == "[205]");
        CHECK(f.reads_at(node) == before);
        const std::string past = " AT " + std::to_string(unix_ms(kNoon - 9min));
        CHECK(f.spent(client, entity, past).starts_with("[1"));  // head and tiles
        CHECK(f.reads_at(node) == before);
    }
    CHECK(client("FS.MGET spend 3 " + f.entity_at(0) + " " + f.entity_at(1) + " " + f.entity_at(2) +
                 " FEATURES 1 spent_1h") == "[[205] [205] [205]]");
}

TEST_CASE("what is not at a replica, and what comes after an offset, is asked of the primary") {
    ReplicaLookups f;
    f.record_everywhere();
    f.store_at(f.entity_at(0), 5);
    f.in_step();
    TestClient client = f.client();
    f.wait_for(client, f.entity_at(0), 3);
    const std::size_t before = f.reads_at(0);
    CHECK(f.spent(client, f.entity_at(0, 1)) == "[nil]");
    CHECK(f.reads_at(0) == before + 1);
    const std::size_t at_replica = f.reads_at(3);
    client("FS.GET spend " + f.entity_at(0) + " AFTER 0:0 WAIT 1");
    CHECK(f.reads_at(0) > before + 1);  // and again until it gives up
    CHECK(f.reads_at(3) == at_replica);
}

TEST_CASE("a replica that has lost its link is not read while its primary answers") {
    ReplicaLookups f;
    f.record_everywhere();
    f.store_at(f.entity_at(0), 5);
    f.in_step();
    TestClient client = f.client();
    f.wait_for(client, f.entity_at(0), 3);
    f.cut(0);
    f.command({"DEL", f.key(f.entity_at(0))});
    f.store_at(f.entity_at(0), 6);
    CHECK(becomes_true([&] { return f.spent(client, f.entity_at(0)) == "[246]"; }));
    for (int i = 0; i < 20; ++i) CHECK(f.spent(client, f.entity_at(0)) == "[246]");
    f.mend(0);
    CHECK(becomes_true([&] { return f.reads_replica(client, f.entity_at(0), 3); }));
    CHECK(f.spent(client, f.entity_at(0)) == "[246]");
}

TEST_CASE("while a primary is silent its replica answers, and its answers grow older") {
    ReplicaLookups f;
    f.record_everywhere();
    f.store_at(f.entity_at(0), 5);
    f.in_step();
    f.cluster.run(3, {"CONFIG", "SET", "cluster-replica-no-failover", "yes"});
    TestClient client = f.client();
    f.wait_for(client, f.entity_at(0), 3);
    ::kill(f.cluster.pid(0), SIGSTOP);
    const std::int64_t first = f.staleness(client, f.entity_at(0));
    CHECK(first >= 0);
    CHECK(becomes_true([&] { return f.staleness(client, f.entity_at(0)) >= first + 1'000; }));
    CHECK(becomes_true([&] { return f.spent(client, f.entity_at(0)) == "[205]"; }));
    // Only the primary could say that an entity is not there.
    CHECK(becomes_true([&] { return f.spent(client, f.entity_at(0, 1)).starts_with("-UNAVAILABLE "); }));
    ::kill(f.cluster.pid(0), SIGCONT);
}

TEST_CASE("what is older than its view may be is stale, wherever it is read") {
    ReplicaLookups f;
    f.record_everywhere();
    f.store("now", f.entity_at(0), {{from_unix_ms(f.redis_ms()), 5}});
    f.in_step();
    const std::string get = "FS.GET now " + f.entity_at(0) + " FEATURES 1 payments_5m META";
    TestClient client = f.client();
    f.wait_for(client, f.entity_at(0), 3);
    CHECK(client(get).find("\"fresh\"") != std::string::npos);
    for (std::size_t node = 0; node < 3; ++node) f.record_in(f.record_slot_at(node), 2h);
    CHECK(becomes_true([&] { return client(get).find("\"stale\"") != std::string::npos; }));
}

TEST_CASE("a replica whose record does not cover a slot is not asked about it") {
    ReplicaLookups f;
    f.record_everywhere();
    const std::string entity = f.entity_at(1);
    f.store_at(entity, 2);
    f.in_step(1);
    TestClient client = f.client();
    f.wait_for(client, entity, 4);
    const std::string record =
        record_key("fs:", Partition{"payments", PartitionId{0}}, tag_of(f.record_slot_at(1)));
    const std::size_t slot = slot_of(f.key(entity));
    f.command({"HSET", record, "covers", "5461-" + std::to_string(slot - 1)});
    f.in_step(1);
    CHECK(becomes_true([&] {
        const std::size_t before = f.reads_at(1);
        return f.spent(client, entity) == "[82]" && f.reads_at(1) > before;
    }));
}

TEST_CASE("while a slot moves, a replica's answers are right, too") {
    ReplicaLookups f;
    f.record_everywhere();
    const std::string entity = f.entity_at(0);
    f.store_at(entity, 5);
    f.in_step();
    TestClient client = f.client();
    f.wait_for(client, entity, 3);
    const std::string past = " AT " + std::to_string(unix_ms(kNoon - 9min));
    const std::string expected = f.spent(client, entity, past);
    const Slot slot = slot_of(f.key(entity));
    f.cluster.begin_move(slot, 0, 1);
    CHECK(f.spent(client, entity) == "[205]");
    f.cluster.move_key(sealed_key("fs:", f.plan("spend").id(), entity), 0, 1);
    f.in_step();
    CHECK(f.spent(client, entity) == "[205]");
    const std::string parted = f.spent(client, entity, past);
    CHECK(parted.starts_with("-UNAVAILABLE "));  // by the primary: TRYAGAIN
    f.cluster.move_keys(slot, 0, 1);
    f.in_step();
    CHECK(f.spent(client, entity) == "[205]");
    CHECK(f.spent(client, entity, past) == expected);
    f.cluster.end_move(slot, 1);
    for (int i = 0; i < 20; ++i) CHECK(f.spent(client, entity) == "[205]");
    CHECK(f.spent(client, entity, past) == expected);
}

TEST_CASE("a replica that dies or is silent is passed over") {
    ReplicaLookups f;
    f.record_everywhere();
    f.store_at(f.entity_at(0), 5);
    f.store_at(f.entity_at(1), 5);
    f.in_step(0);
    f.in_step(1);
    TestClient client = f.client();
    f.wait_for(client, f.entity_at(0), 3);
    CHECK(becomes_true([&] { return f.reads_replica(client, f.entity_at(1), 4); }));
    ::kill(f.cluster.pid(3), SIGSTOP);
    CHECK(f.spent(client, f.entity_at(0)) == "[205]");
    ::kill(f.cluster.pid(3), SIGCONT);
    CHECK(becomes_true([&] { return f.reads_replica(client, f.entity_at(0), 3); }));
    f.cluster.stop(4);
    for (int i = 0; i < 20; ++i) CHECK(f.spent(client, f.entity_at(1)) == "[205]");
}

TEST_CASE("a replica that takes over is read on, and so is one that copies another primary then") {
    ReplicaLookups f;
    f.record_everywhere();
    f.store_at(f.entity_at(0), 5);
    f.in_step();
    TestClient client = f.client();
    f.wait_for(client, f.entity_at(0), 3);
    f.cluster.stop(0);
    CHECK(becomes_true([&] { return f.spent(client, f.entity_at(0)) == "[205]"; }));
    // Until a node that is up knows that it serves the slot; all answers are right on the way there.
    CHECK(becomes_true([&] {
        const std::string answer = f.spent(client, f.entity_at(0, 1));
        CHECK((answer == "[nil]" || answer.starts_with("-UNAVAILABLE ")));
        return answer == "[nil]";
    }));
    CHECK(f.spent(client, f.entity_at(0)) == "[205]");
}
