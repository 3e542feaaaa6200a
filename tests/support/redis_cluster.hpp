// A Redis Cluster for one test file: servers of its own at 127.0.0.1, joined within a second or two, nothing
// kept.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "io/redis/private_redis.hpp"
#include "io/redis/redis_connection.hpp"
#include "io/redis/slot_map.hpp"

namespace freshet::test {

class RedisCluster {
public:
    // Nodes 0 to primaries - 1 share the slots in order; node primaries + i is a replica of node i.
    explicit RedisCluster(std::size_t primaries = 3, std::size_t replicas = 0) : primaries_(primaries) {
        for (std::size_t i = 0; i < primaries + replicas; ++i) nodes_.push_back(start_node());
        for (std::size_t i = 0; i < primaries + replicas; ++i) {
            run(i, {"CLUSTER", "SET-CONFIG-EPOCH", std::to_string(i + 1)});
            if (i < primaries) add_slots(i, kSlots * i / primaries, kSlots * (i + 1) / primaries - 1);
            if (i > 0) run(i, {"CLUSTER", "MEET", "127.0.0.1", std::to_string(address(0).port), bus_port(0)});
        }
        wait_until("all nodes know each other", [&] { return all_know(primaries + replicas); });
        for (std::size_t i = 0; i < replicas; ++i) run(primaries + i, {"CLUSTER", "REPLICATE", id(i)});
        wait_until("the cluster is up", [&] { return all_are_up(); });
        if (replicas > 0) wait_until("the replicas are in step", [&] { return replicas_are_linked(); });
    }

    std::size_t size() const { return nodes_.size(); }
    RedisConfig config(std::size_t node = 0) const {
        RedisConfig config = nodes_[node].server->reached_by();
        config.mode = RedisConfig::Mode::cluster;
        return config;
    }
    const Endpoint& address(std::size_t node) const { return nodes_[node].address; }
    pid_t pid(std::size_t node) const { return nodes_[node].server->pid(); }
    void stop(std::size_t node) { nodes_[node].server->stop(); }
    void restart(std::size_t node) {
        if (auto up = nodes_[node].server->restart(); !up) throw std::runtime_error(up.error().message);
    }
    std::string id(std::size_t node) const { return text(node, {"CLUSTER", "MYID"}); }

    // Waits while the cluster is down: on a busy machine a node may stand still for longer than others wait for
    // it.
    RedisReply run(std::size_t node, const std::vector<std::string>& words) const {
        const std::vector<std::string_view> argv(words.begin(), words.end());
        std::optional<Result<RedisReply>> reply;
        wait_until("the cluster is up", [&] {
            RedisConnection connection(config(node));
            reply.emplace(connection.command(argv));
            return *reply || reply->error().message.find("CLUSTERDOWN") == std::string::npos;
        });
        if (!*reply) throw std::runtime_error(reply->error().message);
        return **std::move(reply);
    }
    std::string text(std::size_t node, const std::vector<std::string>& words) const {
        return std::string(run(node, words).text());
    }
    // The primary that serves a key, as node 0 or another that is up sees it.
    std::size_t node_of(const std::string& key) const {
        const std::size_t teller = any_up();
        const auto map = SlotMap::parse(run(teller, {"CLUSTER", "SLOTS"}), address(teller));
        const auto owner = map->owner_of(slot_of(key));
        if (!owner) throw std::runtime_error("nobody serves " + key);
        for (std::size_t i = 0; i < nodes_.size(); ++i)
            if (nodes_[i].address == map->primaries()[*owner].address) return i;
        throw std::runtime_error("a stranger serves " + key);
    }
    RedisReply run_at_key(const std::vector<std::string>& words) const {
        return run(node_of(words.at(1)), words);
    }

    // The two halves of moving a slot, as an operator's tool does it.
    void begin_move(Slot slot, std::size_t from, std::size_t to) const {
        run(to, {"CLUSTER", "SETSLOT", std::to_string(slot), "IMPORTING", id(from)});
        run(from, {"CLUSTER", "SETSLOT", std::to_string(slot), "MIGRATING", id(to)});
    }
    void move_keys(Slot slot, std::size_t from, std::size_t to) const {
        for (;;) {
            const RedisReply keys = run(from, {"CLUSTER", "GETKEYSINSLOT", std::to_string(slot), "100"});
            if (keys.size() == 0) return;
            for (std::size_t i = 0; i < keys.size(); ++i) move_key(std::string(keys[i].text()), from, to);
        }
    }
    void move_key(const std::string& key, std::size_t from, std::size_t to) const {
        run(from, {"MIGRATE", "127.0.0.1", std::to_string(address(to).port), key, "0", "5000"});
    }
    void end_move(Slot slot, std::size_t to) const {
        const std::string owner = id(to);
        run(to, {"CLUSTER", "SETSLOT", std::to_string(slot), "NODE", owner});
        for (std::size_t i = 0; i < nodes_.size(); ++i)
            if (i != to && pid(i) != 0 && !is_replica(i))
                run(i, {"CLUSTER", "SETSLOT", std::to_string(slot), "NODE", owner});
    }
    void move_slot(Slot slot, std::size_t from, std::size_t to) const {
        begin_move(slot, from, to);
        move_keys(slot, from, to);
        end_move(slot, to);
    }

    // Joins a node without slots.
    std::size_t add_node() {
        nodes_.push_back(start_node());
        const std::size_t added = nodes_.size() - 1;
        run(added, {"CLUSTER", "MEET", "127.0.0.1", std::to_string(address(0).port), bus_port(0)});
        wait_until("the new node is known", [&] { return all_know(nodes_.size()) && all_are_up(); });
        return added;
    }

    static void wait_until(const std::string& what, const std::function<bool()>& holds) {
        const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(30);
        while (!holds()) {
            if (std::chrono::steady_clock::now() > end)
                throw std::runtime_error("waited for 30 s, but never was it so that " + what);
            std::this_thread::sleep_for(std::chrono::milliseconds(5));
        }
    }

private:
    struct Node {
        std::unique_ptr<PrivateRedis> server;
        Endpoint address;
        std::uint16_t bus_port = 0;
    };

    // By default a node is called by port + 10,000, which may be none.
    static std::uint16_t free_port() {
        const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        sockaddr_in at{};
        at.sin_family = AF_INET;
        at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof at;
        auto* generic = reinterpret_cast<sockaddr*>(&at);
        const bool bound = ::bind(fd, generic, size) == 0 && ::getsockname(fd, generic, &size) == 0;
        ::close(fd);
        if (!bound) throw std::runtime_error("no free port");
        return ntohs(at.sin_port);
    }

    static Node start_node() {
        for (int tries = 1;; ++tries) {
            Node node;
            node.bus_port = free_port();
            auto started = PrivateRedis::start(
                PrivateRedis::Listen::loopback_port,
                {"--cluster-enabled", "yes", "--cluster-port", std::to_string(node.bus_port),
                 "--cluster-node-timeout", "1000", "--repl-ping-replica-period", "1",
                 "--repl-diskless-sync-delay", "0", "--cluster-require-full-coverage", "no",
                 "--cluster-allow-replica-migration", "no"});
            if (!started && tries < 5) continue;  // another process took the port, most likely
            if (!started) throw std::runtime_error(started.error().message);
            node.server = *std::move(started);
            node.address = node.server->reached_by().address;
            return node;
        }
    }

    std::string bus_port(std::size_t node) const { return std::to_string(nodes_[node].bus_port); }
    void add_slots(std::size_t node, std::size_t first, std::size_t last) const {
        run(node, {"CLUSTER", "ADDSLOTSRANGE", std::to_string(first), std::to_string(last)});
    }
    std::size_t any_up() const {
        for (std::size_t i = 0; i < nodes_.size(); ++i)
            if (pid(i) != 0) return i;
        throw std::runtime_error("no node is up");
    }
    bool is_replica(std::size_t node) const {
        return text(node, {"INFO", "replication"}).find("role:slave") != std::string::npos;
    }
    bool tells(std::size_t node, const std::string& line) const {
        return text(node, {"CLUSTER", "INFO"}).find(line + "\r\n") != std::string::npos;
    }
    bool all_know(std::size_t count) const {
        for (std::size_t i = 0; i < nodes_.size(); ++i)
            if (pid(i) != 0 && !tells(i, "cluster_known_nodes:" + std::to_string(count))) return false;
        return true;
    }
    bool all_are_up() const {
        for (std::size_t i = 0; i < nodes_.size(); ++i)
            if (pid(i) != 0 && !tells(i, "cluster_state:ok")) return false;
        return true;
    }
    bool replicas_are_linked() const {
        for (std::size_t i = primaries_; i < nodes_.size(); ++i)
            if (text(i, {"INFO", "replication"}).find("master_link_status:up") == std::string::npos)
                return false;
        return true;
    }

    std::size_t primaries_;
    std::vector<Node> nodes_;
};

}  // namespace freshet::test
