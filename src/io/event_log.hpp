// The log of events as the write path sees it: group membership, one queue a partition, offsets, dead letters.
// Kafka (or librdkafka's mock cluster) in production; a fake in tests of actors.
#pragma once

#include <functional>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/ids.hpp"
#include "model/progress.hpp"
#include "model/result.hpp"

namespace freshet {

// Valid during the call that hands it out.
struct LogRecord {
    Offset offset;
    Timestamp timestamp;  // Kafka's
    std::string_view key;
    std::optional<std::string_view> value;  // none: a tombstone
};

// What a drain ends with, whichever it reaches first.
struct DrainLimit {
    DrainLimit(std::size_t most_records, std::size_t enough_bytes = std::numeric_limits<std::size_t>::max())
        : records(most_records), bytes(enough_bytes) {}
    bool reached(std::size_t have_records, std::size_t have_bytes) const {
        return have_records >= records || have_bytes >= bytes;
    }

    std::size_t records;
    std::size_t bytes;  // the record that reaches it is the last
};

struct Drained {
    std::size_t records = 0;
    std::size_t bytes = 0;
    // One past the last offset seen, transaction markers included; none when nothing was in the queue.
    std::optional<Offset> next;
    // A partition-level error that ends consumption until start() is called again, e.g. the offset is out of
    // range. Ask range() before believing it: it may belong to a position given up a moment ago.
    std::optional<Error> failed;
    // It stopped at its limit: there may be further records, and no wake will tell.
    bool more = false;
};

// Called from the log's own thread (log_error: from any). `revoked` returns only when nobody drains those
// partitions any more and what could be flushed and committed is (lost: there is no use in committing).
class GroupListener {
public:
    virtual ~GroupListener() = default;
    virtual void assigned(const std::vector<Partition>& partitions) = 0;
    virtual void revoked(const std::vector<Partition>& partitions, bool lost) = 0;
    // Around what the client does at a rebalance, assigned() and revoked() included: it should end soon.
    virtual void rebalance_begins() {}
    virtual void rebalance_ends() {}
    virtual void log_error(const Error& error) = 0;  // worth a line in the log; the client goes on by itself
    // This node is no member any more and cannot become one again, e.g. since another took its instance name.
    virtual void expelled(const Error& error) = 0;
};

class EventLog {
public:
    virtual ~EventLog() = default;

    // Joins the group for these topics, all of which must exist. Calls `listener` from now on.
    virtual Result<void> subscribe(const std::vector<std::string>& topics, GroupListener& listener) = 0;
    // Leaves the group: revokes what is assigned (through the listener) and stops the log's threads. Bounded in
    // time.
    virtual void close() = 0;

    // Begins to fetch an assigned partition at an explicit offset, whether or not it was fetched before;
    // nothing of a former position is handed out afterwards. Refused when the partition is not assigned, or is
    // being revoked. `wake` is called by start() itself, and from a thread of the log's whenever the queue
    // turns from empty to non-empty: only then, so that a drain that leaves records (Drained::more) must be
    // continued by the caller. It may come for nothing. It must be quick and call nothing of the log.
    virtual Result<void> start(const Partition& partition, Offset from, std::function<void()> wake) = 0;
    // Hands out up to `max` records that are there already, in offset order, without waiting. Each offset at
    // most once since start(). The sink must call nothing of the log.
    virtual Drained drain(const Partition& partition, DrainLimit max,
                          const std::function<void(const LogRecord&)>& sink) = 0;
    // Nothing is handed out, fetched or woken until the next start().
    virtual void stop(const Partition& partition) = 0;

    // Asynchronous; a failure is reported to the listener, as is a partition that is not assigned. What was
    // given during `revoked` is through before another member gets the partition, or refused and reported:
    // Kafka takes no commits at some moments of a rebalance.
    virtual void commit(const Partition& partition, Offset next) = 0;

    // The rest asks the brokers on a connection of its own and blocks up to `timeout`.
    virtual Result<std::optional<Offset>> committed(const Partition& partition, Duration timeout) = 0;
    // The end is of what can be read: open transactions lie behind it.
    virtual Result<LogRange> range(const Partition& partition, Duration timeout) = 0;
    // Of the first record at or after `time`; the end when there is none.
    virtual Result<Offset> offset_at(const Partition& partition, Timestamp time, Duration timeout) = 0;
    // The messages that stand at `offsets`; none where there is no message: below the low end, beyond the end,
    // a transaction marker, compacted.
    virtual Result<std::vector<std::optional<LogMark>>> marks_at(const Partition& partition,
                                                                 const std::vector<Offset>& offsets,
                                                                 Duration timeout) = 0;
    virtual Result<std::map<std::string, std::int32_t>> partition_counts(const std::vector<std::string>& topics,
                                                                         Duration timeout) = 0;
    virtual Result<std::string> cluster_id(Duration timeout) = 0;
};

// A record that cannot be counted: its original bytes and why.
struct DeadLetterRecord {
    std::string topic;  // of the dead letters
    Partition origin;
    Offset offset;
    Timestamp timestamp;
    std::string key;
    std::optional<std::string> value;
    std::string reason;  // name_of(DeadLetterReason)
    std::string message;
    std::string view;  // when only one view refused it
};

class DeadLetterSink {
public:
    virtual ~DeadLetterSink() = default;
    // At least once: retried until acked; `acked` is called once, from a thread of the sink's.
    virtual void send(DeadLetterRecord record, std::function<void()> acked) = 0;
};

}  // namespace freshet
