// An event log that hands everything on to another: what a planted fault changes a part of.
#pragma once

#include <memory>

#include "io/event_log.hpp"

namespace freshet {

class LogBetween : public EventLog {
public:
    explicit LogBetween(std::shared_ptr<EventLog> log) : log_(std::move(log)) {}

    Result<void> subscribe(const std::vector<std::string>& topics, GroupListener& listener) override {
        return log_->subscribe(topics, listener);
    }
    void close() override { log_->close(); }
    Result<void> start(const Partition& partition, Offset from, std::function<void()> wake) override {
        return log_->start(partition, from, std::move(wake));
    }
    Drained drain(const Partition& partition, DrainLimit max,
                  const std::function<void(const LogRecord&)>& sink) override {
        return log_->drain(partition, max, sink);
    }
    void stop(const Partition& partition) override { log_->stop(partition); }
    void commit(const Partition& partition, Offset next) override { log_->commit(partition, next); }
    Result<std::optional<Offset>> committed(const Partition& partition, Duration timeout) override {
        return log_->committed(partition, timeout);
    }
    Result<LogRange> range(const Partition& partition, Duration timeout) override {
        return log_->range(partition, timeout);
    }
    Result<Offset> offset_at(const Partition& partition, Timestamp time, Duration timeout) override {
        return log_->offset_at(partition, time, timeout);
    }
    Result<std::vector<std::optional<LogMark>>> marks_at(const Partition& partition,
                                                         const std::vector<Offset>& offsets,
                                                         Duration timeout) override {
        return log_->marks_at(partition, offsets, timeout);
    }
    Result<std::map<std::string, std::int32_t>> partition_counts(const std::vector<std::string>& topics,
                                                                 Duration timeout) override {
        return log_->partition_counts(topics, timeout);
    }
    Result<std::string> cluster_id(Duration timeout) override { return log_->cluster_id(timeout); }

protected:
    const std::shared_ptr<EventLog> log_;
};

}  // namespace freshet
