// A look-up server over a real Redis Cluster for tests.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "io/redis/cluster_topology.hpp"
#include "support/lookup_for_tests.hpp"
#include "support/redis_cluster.hpp"

namespace freshet::testing {

class ClusterLookups : public LookupFixture {
public:
    explicit ClusterLookups(std::size_t replicas = 0) : cluster(3, replicas) {}
    ~ClusterLookups() override { server_.reset(); }

    test::RedisCluster cluster;

    void start() override {
        RedisConfig redis = cluster.config();
        redis.read_from = read_from;
        auto topology = ClusterTopology::open(redis, {.every = every});
        REQUIRE_MESSAGE(topology, (topology ? "" : topology.error().message));
        server_ = std::make_unique<LookupServer>(options, definitions, redis, observer, status, *topology);
        REQUIRE(server_->start());
    }
    // To the primary of the key, which is the second word.
    std::string command(std::initializer_list<std::string_view> words) override {
        return std::string(cluster.run_at_key({words.begin(), words.end()}).text());
    }

    std::string key(const std::string& entity) { return head_key("fs:", plan("spend").id(), entity); }
    // An entity of `spend` that stood at a node when the cluster was made.
    std::string entity_at(std::size_t node, std::size_t nth = 0) {
        for (int i = 0;; ++i) {
            const std::string entity = "card-" + std::to_string(i);
            const std::size_t slot = slot_of(key(entity));
            if (slot >= kSlots * node / 3 && slot < kSlots * (node + 1) / 3 && nth-- == 0) return entity;
        }
    }
    // The slot where a node holds its records unless they name others.
    static Slot record_slot_at(std::size_t node) {
        return node == 2 ? kFirstRecordSlot : static_cast<Slot>(kSlots * (node + 1) / 3 - 1);
    }
    // The record of the topic's one partition, in a slot: all views counted up to noon.
    void record_in(Slot slot, Duration behind = 0ms, std::string_view slots = "5460 10921 13907") {
        ProgressRecord record;
        record.epoch = Epoch{7};
        record.node = "node-a";
        record.partitions = 1;
        for (const View& view : definitions.views)
            record.views[plan(view.name).id()] = progress(view.name, kNoon, from_unix_ms(redis_ms()) - behind);
        const std::string key = record_key("fs:", Partition{"payments", PartitionId{0}}, tag_of(slot));
        for (const auto& [field, value] : encode_record(record)) command({"HSET", key, field, value});
        command({"HSET", key, record_field::kSlots, slots, record_field::kCovers, "0-16383"});
    }
    void record_everywhere() {
        for (std::size_t node = 0; node < 3; ++node) record_in(record_slot_at(node));
    }
    // Nothing needs the second step at noon; all does some time before it.
    void store_at(const std::string& entity, std::int64_t amount) {
        std::vector<Payment> payments;
        for (int i = 40; i > 0; --i) payments.push_back({kNoon - i * 1min, amount});
        payments.push_back({kNoon, amount});
        store("spend", entity, payments);
    }
    std::string spent(TestClient& client, const std::string& entity, const std::string& rest = "") {
        return client("FS.GET spend " + entity + " FEATURES 1 spent_1h" + rest);
    }

    // Maps change when a primary says so, unless a test wants otherwise.
    Duration every{600'000};
    RedisConfig::ReadFrom read_from = RedisConfig::ReadFrom::primary;
};

}  // namespace freshet::testing
