// What a process knows of its Redis Cluster: a thread asks for the slot map, every few seconds and when
// somebody has met a slot elsewhere, a lost connection, or a cluster that is down.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "io/config/config.hpp"
#include "io/redis/slot_map.hpp"
#include "model/result.hpp"

namespace freshet {

// `config` as it reaches the server at `address`.
RedisConfig reached_at(RedisConfig config, const Endpoint& address);

// Asks the addresses of `config`, one after the other, until one answers. The value: the mode that `config`
// asks for or, when it leaves it to the server, the server's; never automatic. Errc::refused: the server is of
// the other mode.
Result<RedisConfig::Mode> find_mode(const RedisConfig& config);

// Thread-safe.
class ClusterTopology {
public:
    struct Options {
        Duration every{5'000};
        Duration at_most_every{100};  // however often somebody asks, unless somebody waits for the answer
        Duration patience{500};       // with a node that does not answer: then the next is asked
    };

    // Asks once before it returns. The addresses of `config` find the cluster; later its own nodes do.
    static Result<std::shared_ptr<ClusterTopology>> open(RedisConfig config) {
        return open(std::move(config), {});
    }
    static Result<std::shared_ptr<ClusterTopology>> open(RedisConfig config, Options options);
    ~ClusterTopology();

    SharedSlotMap current() const;
    // Rises with every map that differs from the one before.
    std::uint64_t version() const { return version_.load(std::memory_order_acquire); }

    // The map may be out of date.
    void refresh_soon();
    // Waits for a map that was asked for after this call; that may fail, and then nothing has changed.
    void refresh_now();

private:
    ClusterTopology(RedisConfig config, Options options);
    void run();
    Result<void> ask_nodes();
    Result<void> ask(const Endpoint& node);
    std::vector<Endpoint> nodes() const;

    const RedisConfig config_;
    const Options options_;
    mutable std::mutex mutex_;
    std::condition_variable changed_;
    SharedSlotMap map_ = std::make_shared<SlotMap>();
    std::atomic<std::uint64_t> version_{0};
    std::atomic<bool> wanted_{false};
    std::uint64_t asked_ = 0;  // rounds begun
    std::uint64_t done_ = 0;   // rounds ended
    std::size_t waiting_ = 0;  // in refresh_now()
    std::size_t turn_ = 0;     // another node is asked first each time, for one may be cut off from the rest
    bool stopping_ = false;
    std::thread thread_;
};

}  // namespace freshet
