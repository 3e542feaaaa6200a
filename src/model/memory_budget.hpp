// The memory that the partitions of a node share: who holds how much, and who gives back when it runs short.
// Thread-safe.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <memory>
#include <utility>

namespace freshet {

class MemoryBudget {
public:
    // Of the node's limit five eighths are handed out; a quarter is for Kafka's queues, and an eighth for the
    // program and the allocator. 0: no limit.
    explicit MemoryBudget(std::size_t limit = 0) : most_(handed_out(limit)) {}
    static constexpr std::size_t handed_out(std::size_t limit) { return limit / 8 * 5; }
    static constexpr std::size_t kafka_queues(std::size_t limit) { return limit / 4; }

    std::size_t used() const { return used_.load(std::memory_order_relaxed); }
    // Nothing more should be taken.
    bool exhausted() const { return most_ > 0 && used() >= most_; }
    // What a holder of `own` bytes should give back now: its part of what is above fifteen sixteenths.
    std::size_t to_free(std::size_t own) const {
        const std::size_t all = used();
        const std::size_t kept = most_ - most_ / 16;
        if (most_ == 0 || all <= kept) return 0;
        const double part = static_cast<double>(own) / static_cast<double>(all);
        return std::min(own, 1 + static_cast<std::size_t>(part * static_cast<double>(all - kept)));
    }

    // What one holder has; given back at its end. Of one thread at a time.
    class Share {
    public:
        explicit Share(std::shared_ptr<MemoryBudget> budget) : budget_(std::move(budget)) {}
        ~Share() { set(0); }
        Share(const Share&) = delete;
        Share& operator=(const Share&) = delete;

        void set(std::size_t bytes) {
            budget_->used_.fetch_add(bytes - std::exchange(bytes_, bytes), std::memory_order_relaxed);
        }
        std::size_t bytes() const { return bytes_; }
        const MemoryBudget& budget() const { return *budget_; }

    private:
        std::shared_ptr<MemoryBudget> budget_;
        std::size_t bytes_ = 0;
    };

private:
    const std::size_t most_;
    std::atomic<std::size_t> used_{0};
};

}  // namespace freshet
