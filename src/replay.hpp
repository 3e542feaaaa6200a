// A file of events into Kafka, as fast as Kafka takes them or at a rate.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>

#include "io/kafka/kafka_settings.hpp"
#include "model/ids.hpp"
#include "model/result.hpp"

namespace freshet {

struct ReplaySpec {
    KafkaSettings kafka;
    std::string events;      // a path, or - for the standard input
    bool records = false;    // the file holds records, of which topic, partition, timestamp and key are kept
    std::string topic;       // of plain events, which go to its partitions in turn, at the time of sending
    std::string record_to;   // where what Kafka acknowledged is written, by partition and offset; may be empty
    std::uint64_t rate = 0;  // events a second; 0: as fast as Kafka takes them
    // Refuses to send more than so many bytes to a partition: a broker for trying out keeps no more.
    std::optional<std::uint64_t> most_bytes_a_partition;
    std::function<bool()> give_up;  // asked often; may be empty
};

struct ReplayProgress {
    std::uint64_t sent = 0;
    std::uint64_t acked = 0;
    std::chrono::duration<double> elapsed{};
};
// Called a few times a second, and once at the end.
using ReplayObserver = std::function<void(const ReplayProgress&)>;

struct ReplaySummary {
    std::uint64_t events = 0;  // acknowledged
    std::chrono::duration<double> elapsed{};
    std::map<Partition, Offset> next;  // one past the last offset acknowledged
};

// Returns when Kafka has acknowledged all, or at the first failure. Errc::invalid_argument: the file is at
// fault.
Result<ReplaySummary> replay_events(const ReplaySpec& spec, const ReplayObserver& observer);

}  // namespace freshet
