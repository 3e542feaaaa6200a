#include "plants/planted_logs.hpp"

#include <chrono>
#include <mutex>
#include <thread>

#include "plants/log_between.hpp"

namespace freshet {

namespace {

class LastEmptyPoll final : public LogBetween {
public:
    using LogBetween::LogBetween;

    Result<void> start(const Partition& partition, Offset from, std::function<void()> wake) override {
        {
            const std::lock_guard lock(mutex_);
            read_[partition] = {from, false};
        }
        return log_->start(partition, from, [this, partition, wake = std::move(wake)] {
            {
                const std::lock_guard lock(mutex_);
                if (const auto read = read_.find(partition); read != read_.end()) read->second.empty = false;
            }
            wake();
        });
    }

    Drained drain(const Partition& partition, DrainLimit max,
                  const std::function<void(const LogRecord&)>& sink) override {
        const Drained drained = log_->drain(partition, max, sink);
        const std::lock_guard lock(mutex_);
        if (const auto read = read_.find(partition); read != read_.end()) {
            if (drained.next) read->second.next = *drained.next;
            read->second.empty = drained.records == 0;
        }
        return drained;
    }

    void stop(const Partition& partition) override {
        log_->stop(partition);
        const std::lock_guard lock(mutex_);
        read_.erase(partition);
    }

    Result<LogRange> range(const Partition& partition, Duration timeout) override {
        {
            const std::lock_guard lock(mutex_);
            // Where a poll would return something, the end is beyond that.
            if (const auto read = read_.find(partition); read != read_.end())
                return LogRange{Offset{0}, Offset{read->second.next.value + (read->second.empty ? 0 : 1)}};
        }
        return log_->range(partition, timeout);
    }

    Result<std::map<std::string, std::int32_t>> partition_counts(const std::vector<std::string>& topics,
                                                                 Duration timeout) override {
        const std::lock_guard lock(counting_);
        if (counts_.empty()) {
            const auto counts = log_->partition_counts(topics, timeout);
            if (!counts) return counts.error();
            counts_ = *counts;
        }
        return counts_;
    }

private:
    struct Read {
        Offset next;
        bool empty;  // nothing came since the last poll that returned nothing
    };
    std::mutex mutex_;
    std::map<Partition, Read> read_;
    std::mutex counting_;
    std::map<std::string, std::int32_t> counts_;
};

class HeldConsumer final : public LogBetween {
public:
    HeldConsumer(std::shared_ptr<EventLog> log, std::filesystem::path stuck)
        : LogBetween(std::move(log)), stuck_(std::move(stuck)) {}

    Drained drain(const Partition& partition, DrainLimit max,
                  const std::function<void(const LogRecord&)>& sink) override {
        while (partition.id.value == 0 && std::filesystem::exists(stuck_))
            std::this_thread::sleep_for(std::chrono::milliseconds(10));
        return log_->drain(partition, max, sink);
    }

private:
    const std::filesystem::path stuck_;
};

}  // namespace

std::shared_ptr<EventLog> log_by_the_last_empty_poll(std::shared_ptr<EventLog> log) {
    return std::make_shared<LastEmptyPoll>(std::move(log));
}

std::shared_ptr<EventLog> log_that_holds_a_consumer(std::shared_ptr<EventLog> log,
                                                    std::filesystem::path stuck) {
    return std::make_shared<HeldConsumer>(std::move(log), std::move(stuck));
}

}  // namespace freshet
