// Keeps the auditor slow, and ends its waiting when the node stops.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>

#include "model/ids.hpp"

namespace freshet {

// One thread paces itself; any may stop it.
class AuditPace {
public:
    explicit AuditPace(std::int64_t bytes_a_second) : bytes_a_second_(static_cast<double>(bytes_a_second)) {}

    void stop() {
        const std::lock_guard lock(mutex_);
        stopped_ = true;
        changed_.notify_all();
    }
    bool stopped() const {
        const std::lock_guard lock(mutex_);
        return stopped_;
    }
    // False when stopped, then or before.
    bool wait(Duration time) {
        std::unique_lock lock(mutex_);
        return !changed_.wait_for(lock, time, [this] { return stopped_; });
    }
    // After so many bytes. What was not used is not saved up.
    bool spent(std::size_t bytes) {
        const auto now = std::chrono::steady_clock::now();
        if (due_ < now) due_ = now;
        due_ += std::chrono::nanoseconds(
            static_cast<std::int64_t>(1e9 * static_cast<double>(bytes) / bytes_a_second_));
        const auto ahead = std::chrono::floor<Duration>(due_ - now);
        return ahead < kLeastPause ? !stopped() : wait(ahead);
    }

private:
    static constexpr Duration kLeastPause{20};

    const double bytes_a_second_;
    std::chrono::steady_clock::time_point due_{};
    mutable std::mutex mutex_;
    std::condition_variable changed_;
    bool stopped_ = false;
};

}  // namespace freshet
