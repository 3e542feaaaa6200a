// The visibility watermark of a partition: up to which time all that was in Kafka is counted and stored.
#pragma once

#include <chrono>
#include <deque>
#include <optional>

#include "model/ids.hpp"

namespace freshet {

class Watermark {
public:
    using SteadyTime = std::chrono::steady_clock::time_point;

    // At `asked` the log ended at `end`.
    void log_ended(SteadyTime asked, Offset end) {
        if (!asks_.empty() && asks_.back().end == end) {
            // Only the newest of equal ends can become the watermark, but the oldest unreached end must stay.
            asks_.back().asked = asked;
            return;
        }
        asks_.push_back({asked, end});
        if (asks_.size() > kAsks) asks_.pop_front();
    }

    // Redis's clock read `redis_now` in an answer that arrived at `received`. Redis is at least that far since.
    void redis_time(SteadyTime received, Timestamp redis_now) {
        received_ = received;
        redis_now_ = redis_now;
    }

    // In Redis time, never too late: the last ask whose end is at or below `stored`. None: no such ask yet.
    std::optional<Timestamp> at(Offset stored) const {
        const auto reached = reached_at(stored);
        if (!received_ || !reached) return std::nullopt;
        return redis_now_ + std::chrono::floor<Duration>(*reached - *received_);
    }

    // The same in this node's time.
    std::optional<SteadyTime> reached_at(Offset stored) const {
        std::optional<SteadyTime> best;
        for (const Ask& ask : asks_) {
            if (ask.end > stored) break;
            best = ask.asked;
        }
        return best;
    }

private:
    static constexpr std::size_t kAsks = 256;
    struct Ask {
        SteadyTime asked;
        Offset end;
    };
    std::deque<Ask> asks_;  // ends ascending
    std::optional<SteadyTime> received_;
    Timestamp redis_now_{};
};

}  // namespace freshet
