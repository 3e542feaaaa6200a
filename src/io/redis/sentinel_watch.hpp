// Which server is the primary, as the sentinels say: a thread asks all of them, every second, and when somebody
// has met a lost connection or a server that is no primary.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "io/config/config.hpp"
#include "io/redis/redis_connection.hpp"
#include "model/result.hpp"

namespace freshet {

// What one sentinel says. The epoch rises with every fail-over; who has not heard of the last one says a lower.
struct SentinelWord {
    Endpoint primary;
    std::uint64_t epoch = 0;
};

// Whose word counts, of `asked` sentinels: the highest epoch. Below `heard`, the highest ever, only when more
// than half of them have answered: then the sentinels have begun anew. Null: nobody's.
const SentinelWord* word_that_counts(const std::vector<SentinelWord>& words, std::size_t asked,
                                     std::uint64_t heard);

// Thread-safe.
class SentinelWatch {
public:
    struct Options {
        Duration every{1'000};
        Duration at_most_every{100};  // however often somebody asks
        Duration patience{500};       // with a sentinel that does not answer
    };

    // Asks once before it returns. Errc::refused: no sentinel knows the name.
    static Result<std::shared_ptr<SentinelWatch>> open(const RedisConfig& config) { return open(config, {}); }
    static Result<std::shared_ptr<SentinelWatch>> open(const RedisConfig& config, Options options);
    ~SentinelWatch();

    Endpoint primary() const;
    // Rises whenever the primary is another one.
    std::uint64_t version() const { return version_.load(std::memory_order_acquire); }
    // The primary may be another one.
    void refresh_soon();

private:
    SentinelWatch(const RedisConfig& config, Options options);
    void run();
    Result<void> ask_all();
    Result<SentinelWord> ask(RedisConnection& sentinel) const;
    void take(const SentinelWord& word);

    const std::string master_;
    const Options options_;
    std::vector<std::unique_ptr<RedisConnection>> sentinels_;  // of whoever asks
    std::uint64_t heard_ = 0;                                  // likewise
    mutable std::mutex mutex_;
    std::condition_variable changed_;
    Endpoint primary_;
    std::atomic<std::uint64_t> version_{0};
    bool wanted_ = false;
    bool stopping_ = false;
    std::thread thread_;
};

}  // namespace freshet
