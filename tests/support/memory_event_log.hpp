// An event log in memory, single-threaded, for tests of the actors.
#pragma once

#include <algorithm>
#include <deque>
#include <map>
#include <string>
#include <vector>

#include "io/event_log.hpp"

namespace freshet {

class MemoryEventLog : public EventLog {
public:
    struct Stored {
        Timestamp timestamp;
        std::string key;
        std::optional<std::string> value;
    };

    // Appends a record; a consumer that has drained everything is woken.
    void append(const Partition& partition, std::string value, Timestamp timestamp) {
        Log& log = logs_[partition];
        log.records.push_back({timestamp, "", std::move(value)});
        if (log.wake) log.wake();
    }
    // The topic is deleted and made anew.
    void make_anew(const Partition& partition) { cut(partition, Offset{0}, Offset{0}); }
    // Unclean election: the newest messages are lost.
    void truncate(const Partition& partition, Offset end) { cut(partition, logs_[partition].low, end); }
    // Retention: the oldest messages go.
    void drop_below(const Partition& partition, Offset low) { logs_[partition].low = low; }

    Result<void> subscribe(const std::vector<std::string>&, GroupListener&) override { return {}; }
    void close() override {}

    Result<void> start(const Partition& partition, Offset from, std::function<void()> wake) override {
        Log& log = logs_[partition];
        log.position = from;
        log.wake = std::move(wake);
        ++starts_;
        return {};
    }

    Drained drain(const Partition& partition, DrainLimit max,
                  const std::function<void(const LogRecord&)>& sink) override {
        Log& log = logs_[partition];
        Drained drained;
        if (log.position < log.low || log.position > log.end())
            drained.failed = Error{Errc::unavailable, partition.text() + ": the offset is out of range"};
        while (!drained.failed && log.position < log.end()) {
            if (drained.more = max.reached(drained.records, drained.bytes); drained.more) break;
            const Stored& stored = log.records[static_cast<std::size_t>(log.position.value)];
            LogRecord record{log.position, stored.timestamp, stored.key, std::nullopt};
            if (stored.value) record.value = *stored.value;
            sink(record);
            drained.bytes += stored.value ? stored.value->size() : 0;
            ++drained.records;
            log.position = log.position.next();
            drained.next = log.position;
        }
        return drained;
    }

    void stop(const Partition& partition) override { logs_[partition].wake = nullptr; }

    void commit(const Partition& partition, Offset next) override { logs_[partition].committed = next; }
    Result<std::optional<Offset>> committed(const Partition& partition, Duration) override {
        return logs_[partition].committed;
    }
    Result<LogRange> range(const Partition& partition, Duration) override {
        return LogRange{logs_[partition].low, logs_[partition].end()};
    }
    Result<std::vector<std::optional<LogMark>>> marks_at(const Partition& partition,
                                                         const std::vector<Offset>& offsets,
                                                         Duration) override {
        const Log& log = logs_[partition];
        std::vector<std::optional<LogMark>> marks;
        for (const Offset offset : offsets) {
            marks.emplace_back();
            if (offset < log.low || offset >= log.end()) continue;
            const Stored& stored = log.records[static_cast<std::size_t>(offset.value)];
            std::optional<std::string_view> value;
            if (stored.value) value = *stored.value;
            marks.back() = mark_of(offset, stored.timestamp, stored.key, value);
        }
        return marks;
    }
    Result<Offset> offset_at(const Partition&, Timestamp, Duration) override { return Offset{0}; }
    Result<std::map<std::string, std::int32_t>> partition_counts(const std::vector<std::string>& topics,
                                                                 Duration) override {
        std::map<std::string, std::int32_t> counts;
        for (const std::string& topic : topics) counts[topic] = 1;
        return counts;
    }
    Result<std::string> cluster_id(Duration) override { return std::string("memory"); }

    std::optional<Offset> committed_of(const Partition& partition) { return logs_[partition].committed; }
    int starts() const { return starts_; }

private:
    struct Log {
        Offset end() const { return Offset{static_cast<std::int64_t>(records.size())}; }
        std::vector<Stored> records;
        Offset low{};
        Offset position{};
        std::optional<Offset> committed;
        std::function<void()> wake;
    };
    void cut(const Partition& partition, Offset low, Offset end) {
        Log& log = logs_[partition];
        log.low = low;
        log.records.resize(static_cast<std::size_t>(end.value));
    }

    std::map<Partition, Log> logs_;
    int starts_ = 0;
};

// Keeps what it was sent; acks when told to.
class MemoryDeadLetters : public DeadLetterSink {
public:
    void send(DeadLetterRecord record, std::function<void()> acked) override {
        records.push_back(std::move(record));
        waiting.push_back(std::move(acked));
    }
    void ack_all() {
        for (auto& acked : std::exchange(waiting, {})) acked();
    }

    std::vector<DeadLetterRecord> records;
    std::vector<std::function<void()>> waiting;
};

}  // namespace freshet
