// The one catalogue of what a node measures. Verbs outside, Prometheus inside; all calls are thread-safe and
// meant to be made once a batch, not once an event.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "model/activity.hpp"
#include "model/dead_letter.hpp"
#include "model/ids.hpp"

namespace freshet {

class Metrics {
public:
    Metrics();
    ~Metrics();

    // All of it in the exposition format.
    std::string text() const;
    // What a status page shows over time. Look-ups: those of values.
    ActivityTotals activity() const;

    // Series of a topic that will be read stand there from now on, at 0: what appears with its first increment
    // hides that from rate().
    void expect_topic(std::string_view topic);

    // Whatever is told of this view has a label `owner` from now on. Before anything is.
    void set_owner(std::string_view view, std::string_view owner);

    void events_read(std::string_view topic, std::uint64_t events, std::uint64_t bytes);
    void events_counted(std::string_view topic, std::uint64_t events);
    void event_dropped(std::string_view topic, std::string_view reason,
                       std::uint64_t events);  // or DeadLetterReason
    // Of the last record of a batch: how long after Kafka's time of it look-ups see it.
    void readable(std::string_view topic, Duration after);
    void lag(const Partition& partition, std::int64_t events);
    void forget_partition(const Partition& partition);
    void flushed(std::uint64_t entities, std::uint64_t bytes, std::chrono::nanoseconds took);
    void loaded(std::uint64_t entities);
    void evicted(std::uint64_t entities);
    void memory_used(std::size_t bytes);
    void redis_error();
    // `reason`: the kind of an error, "lost" to the group, "late" to hand over, or "died".
    void life_cut(const Partition& partition, std::string_view reason);
    void looked_up(std::string_view command, std::uint64_t entities, std::chrono::nanoseconds took);
    void lookup_error(std::string_view code);
    void second_step();
    // Of a view that this node serves, at one look; none: not known. `most`: its max_staleness, if it has one.
    void staleness(std::string_view view, std::optional<Duration> staleness, std::optional<Duration> most);
    // Whether this node leaves the view out, of a source that it reads; told of each once before.
    void shed(std::string_view view, bool shed);
    // Of the views that may be audited, so that their series are there.
    void expect_audit(std::string_view view);
    void audited(std::string_view view, std::uint64_t partials, std::uint64_t mismatches);
    void audit_skipped(std::string_view reason, std::uint64_t features);  // name_of(AuditSkip)
    void audit_round(Timestamp ended, Duration took);
    void looked_in_cache(std::uint64_t found, std::uint64_t not_found);
    void scraped();

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace freshet
