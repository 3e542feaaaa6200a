// Whether what a reader reads of a replica comes of one history. A replica that begins to copy another primary,
// or one that has lost its data, may fall back while the connection to it stands; a record from before and a
// value from after must not be told together. One a replica and loop.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "io/redis/redis_pipeline.hpp"

namespace freshet {

// What a replica says of itself (INFO replication).
struct ReplicaState {
    std::string
        history;  // an id that becomes another one whenever it may have fallen back; empty: it does not say
    bool linked = false;  // it gets what its primary gets

    static ReplicaState parse(std::string_view info);
};

class ReplicaHistory final : private RedisPipeline::Receiver {
public:
    using Clock = RedisPipeline::Clock;

    // `broken`: called when another history has begun, before the readers hear of it.
    ReplicaHistory(RedisPipeline& redis, std::function<void()> broken)
        : redis_(redis), broken_(std::move(broken)) {}

    // Whether it was in step with its primary when it was last asked, which is again before long.
    bool linked() const { return state_.linked; }
    void keep_up(Clock::time_point now);

    // Somebody reads: replied() will say, once, that all between the questions before and after is of one
    // history, or lost() that it may not be. The answer of replied() means nothing. False: it is going to be
    // told already.
    bool read_by(RedisPipeline::Receiver& reader, std::uint64_t tag);
    // Adds the question if it is wanted; behind everything that was read until now.
    void ask();

    // The connection was lost. Whoever reads is told.
    void forget();

private:
    struct Reader {
        RedisPipeline::Receiver* receiver;
        std::uint64_t tag;
    };

    void replied(std::uint64_t tag, const RedisAnswer& answer) override;
    void lost(std::uint64_t tag) override;

    RedisPipeline& redis_;
    std::function<void()> broken_;
    ReplicaState state_;
    bool wanted_ = false;
    Clock::time_point asked_{};
    std::vector<Reader> readers_;              // since the last question
    std::deque<std::vector<Reader>> waiting_;  // by question
    std::string refused_;                      // what it answered instead; said once
};

}  // namespace freshet
