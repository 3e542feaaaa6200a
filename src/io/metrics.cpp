#include "io/metrics.hpp"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <unordered_map>

#include "model/audit_scope.hpp"
#include "model/freshness_tracker.hpp"

namespace freshet {

namespace {

using prometheus::Histogram;

const Histogram::BucketBoundaries kSeconds{0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01,
                                           0.025,   0.05,   0.1,     0.25,   0.5,   1,      2.5,   5};

const Histogram::BucketBoundaries kFreshness{0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25,
                                             0.5,   1,      2.5,   5,    10,    30,   60};

auto& counter(prometheus::Registry& registry, const char* name, const char* help) {
    return prometheus::BuildCounter().Name(name).Help(help).Register(registry);
}
auto& gauge(prometheus::Registry& registry, const char* name, const char* help) {
    return prometheus::BuildGauge().Name(name).Help(help).Register(registry);
}
auto& histogram(prometheus::Registry& registry, const char* name, const char* help) {
    return prometheus::BuildHistogram().Name(name).Help(help).Register(registry);
}

std::map<std::string, std::string> labels_of(const Partition& partition) {
    return {{"topic", partition.topic}, {"partition", std::to_string(partition.id.value)}};
}
std::map<std::string, std::string> label(const char* name, std::string_view value) {
    return {{name, std::string(value)}};
}
double in_seconds(std::chrono::duration<double> took) { return took.count(); }

BucketCounts counts_of(const prometheus::ClientMetric::Histogram& histogram) {
    BucketCounts counts;
    for (const auto& bucket : histogram.bucket) {
        if (std::isfinite(bucket.upper_bound)) counts.bounds.push_back(bucket.upper_bound);
        counts.at_most.push_back(bucket.cumulative_count);
    }
    return counts;
}

bool is_of_values(const prometheus::ClientMetric& series) {
    return std::ranges::any_of(series.label, [](const prometheus::ClientMetric::Label& label) {
        return label.value == "FS.GET" || label.value == "FS.MGET" || label.value == "FS.VECTOR";
    });
}

}  // namespace

struct Metrics::Impl {
    std::shared_ptr<prometheus::Registry> registry = std::make_shared<prometheus::Registry>();

    prometheus::Family<prometheus::Counter>& read =
        counter(*registry, "freshet_events_read_total", "records read from Kafka");
    prometheus::Family<prometheus::Counter>& read_bytes =
        counter(*registry, "freshet_event_bytes_read_total", "payload bytes read from Kafka");
    prometheus::Family<prometheus::Counter>& counted =
        counter(*registry, "freshet_events_counted_total", "events counted for an entity of a view");
    prometheus::Family<prometheus::Counter>& dropped =
        counter(*registry, "freshet_events_dropped_total", "events not counted, by reason");
    prometheus::Family<prometheus::Histogram>& readable =
        histogram(*registry, "freshet_event_readable_seconds",
                  "from the Kafka timestamp of the last record of a batch until look-ups see it");
    prometheus::Family<prometheus::Gauge>& lag = gauge(*registry, "freshet_partition_lag_events",
                                                       "records in Kafka that are not yet counted and stored");
    prometheus::Family<prometheus::Counter>& restarts = counter(
        *registry, "freshet_partition_restarts_total",
        "lives of a partition that did not end in order, by reason: what was not recorded is read again");
    prometheus::Counter& flush_entities =
        counter(*registry, "freshet_flushed_entities_total", "partials written to Redis").Add({});
    prometheus::Counter& flush_bytes =
        counter(*registry, "freshet_flushed_bytes_total", "bytes of heads and sealed tiles written to Redis")
            .Add({});
    prometheus::Histogram& flush_seconds =
        histogram(*registry, "freshet_flush_seconds", "from handing a flush to the writer to its ack")
            .Add({}, kSeconds);
    prometheus::Counter& loads = counter(*registry, "freshet_loaded_entities_total",
                                         "partials fetched because they were touched and not in memory")
                                     .Add({});
    prometheus::Counter& evictions = counter(*registry, "freshet_evicted_entities_total",
                                             "resting partials forgotten to stay in memory_limit")
                                         .Add({});
    prometheus::Gauge& memory =
        gauge(*registry, "freshet_memory_bytes", "held by entities, events under way and flushes").Add({});
    prometheus::Counter& redis_errors =
        counter(*registry, "freshet_redis_errors_total", "failed calls to Redis on the write path").Add({});
    // Resolved once, since look-ups are counted one by one.
    struct LookupSeries {
        prometheus::Histogram& seconds;
        prometheus::Counter& entities;
    };
    std::unordered_map<std::string_view, LookupSeries> lookup_series;

    Impl() {
        for (const std::string_view command : {"FS.GET", "FS.MGET", "FS.VECTOR", "FS.VIEWS", "FS.SERVICES",
                                               "FS.FRESHNESS", "FS.STATUS", "FS.EXPLAIN", "other"})
            lookup_series.emplace(command, LookupSeries{lookup_seconds.Add(label("command", command), kSeconds),
                                                        lookup_entities.Add(label("command", command))});
        for (const std::string_view code :
             {"NOVIEW", "NOSERVICE", "NOFEATURE", "BADARG", "RANGE", "LIMIT", "STALE", "BUSY", "UNAVAILABLE",
              "NOAUTH", "WRONGPASS", "NOPERM", "NOPROTO", "ERR"})
            lookup_errors.Add(label("code", code));
    }

    std::map<std::string, std::string, std::less<>> owners;  // by view

    prometheus::Labels labels_of_view(std::string_view view) const {
        prometheus::Labels labels = label("view", view);
        if (const auto owner = owners.find(view); owner != owners.end()) labels.emplace("owner", owner->second);
        return labels;
    }

    prometheus::Family<prometheus::Histogram>& lookup_seconds =
        histogram(*registry, "freshet_lookup_seconds", "from a request's last byte to its answer, by command");
    prometheus::Family<prometheus::Counter>& lookup_entities =
        counter(*registry, "freshet_lookup_entities_total", "entities asked for, by command");
    prometheus::Family<prometheus::Counter>& lookup_errors =
        counter(*registry, "freshet_lookup_errors_total", "look-ups answered by an error, by code");
    prometheus::Family<prometheus::Gauge>& staleness =
        gauge(*registry, "freshet_view_staleness_seconds", "how far a view is behind, as this node serves it");
    prometheus::Family<prometheus::Gauge>& max_staleness =
        gauge(*registry, "freshet_view_max_staleness_seconds", "how far a view may be behind");
    prometheus::Family<prometheus::Counter>& looks =
        counter(*registry, "freshet_freshness_looks_total", "looks at the staleness of a view with a limit");
    prometheus::Family<prometheus::Counter>& breaches = counter(
        *registry, "freshet_freshness_breaches_total", "looks that found a view further behind than it may be");
    prometheus::Family<prometheus::Gauge>& shed =
        gauge(*registry, "freshet_view_shed", "1 while this node leaves the view out for others of its source");
    prometheus::Family<prometheus::Counter>& audit_entities =
        counter(*registry, "freshet_audit_entities_total", "partials counted again and compared, by view");
    prometheus::Family<prometheus::Counter>& audit_mismatches = counter(
        *registry, "freshet_audit_mismatches_total", "partials that a recount did not confirm, by view");
    prometheus::Family<prometheus::Counter>& audit_skips =
        counter(*registry, "freshet_audit_skipped_total",
                "features of a partition that a round passed over, by reason");
    prometheus::Gauge& audit_ended =
        gauge(*registry, "freshet_audit_last_round_timestamp_seconds", "when the last round of the audit ended")
            .Add({});
    prometheus::Gauge& audit_took =
        gauge(*registry, "freshet_audit_round_seconds", "how long the last round of the audit took").Add({});
    prometheus::Counter& cache_hits =
        counter(*registry, "freshet_lookup_cache_hits_total", "entities answered from lookup.cache").Add({});
    prometheus::Counter& cache_misses = counter(*registry, "freshet_lookup_cache_misses_total",
                                                "entities of views with cache_for that were read")
                                            .Add({});
    prometheus::Counter& second_steps =
        counter(*registry, "freshet_lookup_second_steps_total", "entities read with their sealed tiles")
            .Add({});
    prometheus::Counter& scrapes =
        counter(*registry, "freshet_scrapes_total", "requests for this page").Add({});
};

Metrics::Metrics() : impl_(std::make_unique<Impl>()) {}
Metrics::~Metrics() = default;

std::string Metrics::text() const { return prometheus::TextSerializer().Serialize(impl_->registry->Collect()); }

ActivityTotals Metrics::activity() const {
    ActivityTotals totals;
    for (const prometheus::MetricFamily& family : impl_->registry->Collect()) {
        for (const prometheus::ClientMetric& series : family.metric) {
            if (family.name == "freshet_events_read_total") totals.events += series.counter.value;
            if (family.name == "freshet_event_readable_seconds")
                totals.readable_s.add(counts_of(series.histogram));
            if (family.name != "freshet_lookup_seconds" || !is_of_values(series)) continue;
            totals.lookups += static_cast<double>(series.histogram.sample_count);
            totals.lookup_s.add(counts_of(series.histogram));
        }
    }
    return totals;
}

void Metrics::expect_topic(std::string_view topic) {
    events_read(topic, 0, 0);
    events_counted(topic, 0);
    impl_->readable.Add(label("topic", topic), kFreshness);
    for (std::size_t i = 0; i < kDeadLetterReasons; ++i)
        event_dropped(topic, name_of(static_cast<DeadLetterReason>(i)), 0);
    event_dropped(topic, "late", 0);
}
void Metrics::set_owner(std::string_view view, std::string_view owner) {
    impl_->owners.insert_or_assign(std::string(view), std::string(owner));
}
void Metrics::events_read(std::string_view topic, std::uint64_t events, std::uint64_t bytes) {
    impl_->read.Add(label("topic", topic)).Increment(static_cast<double>(events));
    impl_->read_bytes.Add(label("topic", topic)).Increment(static_cast<double>(bytes));
}
void Metrics::events_counted(std::string_view topic, std::uint64_t events) {
    impl_->counted.Add(label("topic", topic)).Increment(static_cast<double>(events));
}
void Metrics::event_dropped(std::string_view topic, std::string_view reason, std::uint64_t events) {
    impl_->dropped.Add({{"topic", std::string(topic)}, {"reason", std::string(reason)}})
        .Increment(static_cast<double>(events));
}
void Metrics::readable(std::string_view topic, Duration after) {
    impl_->readable.Add(label("topic", topic), kFreshness).Observe(in_seconds(after));
}
void Metrics::lag(const Partition& partition, std::int64_t events) {
    impl_->lag.Add(labels_of(partition)).Set(static_cast<double>(events));
}
void Metrics::forget_partition(const Partition& partition) {
    impl_->lag.Remove(&impl_->lag.Add(labels_of(partition)));
}
void Metrics::flushed(std::uint64_t entities, std::uint64_t bytes, std::chrono::nanoseconds took) {
    impl_->flush_entities.Increment(static_cast<double>(entities));
    impl_->flush_bytes.Increment(static_cast<double>(bytes));
    impl_->flush_seconds.Observe(in_seconds(took));
}
void Metrics::loaded(std::uint64_t entities) { impl_->loads.Increment(static_cast<double>(entities)); }
void Metrics::evicted(std::uint64_t entities) { impl_->evictions.Increment(static_cast<double>(entities)); }
void Metrics::memory_used(std::size_t bytes) { impl_->memory.Set(static_cast<double>(bytes)); }
void Metrics::redis_error() { impl_->redis_errors.Increment(); }
void Metrics::life_cut(const Partition& partition, std::string_view reason) {
    auto labels = labels_of(partition);
    labels.emplace("reason", reason);
    impl_->restarts.Add(labels).Increment();
}
void Metrics::looked_up(std::string_view command, std::uint64_t entities, std::chrono::nanoseconds took) {
    auto series = impl_->lookup_series.find(command);
    if (series == impl_->lookup_series.end()) series = impl_->lookup_series.find("other");
    series->second.seconds.Observe(in_seconds(took));
    if (entities > 0) series->second.entities.Increment(static_cast<double>(entities));
}
void Metrics::lookup_error(std::string_view code) { impl_->lookup_errors.Add(label("code", code)).Increment(); }
void Metrics::second_step() { impl_->second_steps.Increment(); }
void Metrics::staleness(std::string_view view, std::optional<Duration> staleness,
                        std::optional<Duration> most) {
    const prometheus::Labels labels = impl_->labels_of_view(view);
    impl_->staleness.Add(labels).Set(staleness ? in_seconds(*staleness)
                                               : std::numeric_limits<double>::infinity());
    if (!most) return;
    impl_->max_staleness.Add(labels).Set(in_seconds(*most));
    impl_->looks.Add(labels).Increment();
    impl_->breaches.Add(labels).Increment(is_fresh(staleness, *most) ? 0 : 1);
}
void Metrics::shed(std::string_view view, bool shed) {
    impl_->shed.Add(impl_->labels_of_view(view)).Set(shed ? 1 : 0);
}
void Metrics::expect_audit(std::string_view view) {
    audited(view, 0, 0);
    for (std::size_t i = 0; i < kAuditSkips; ++i) audit_skipped(name_of(static_cast<AuditSkip>(i)), 0);
}
void Metrics::audited(std::string_view view, std::uint64_t partials, std::uint64_t mismatches) {
    impl_->audit_entities.Add(label("view", view)).Increment(static_cast<double>(partials));
    impl_->audit_mismatches.Add(label("view", view)).Increment(static_cast<double>(mismatches));
}
void Metrics::audit_skipped(std::string_view reason, std::uint64_t features) {
    impl_->audit_skips.Add(label("reason", reason)).Increment(static_cast<double>(features));
}
void Metrics::audit_round(Timestamp ended, Duration took) {
    impl_->audit_ended.Set(static_cast<double>(unix_ms(ended)) / 1000);
    impl_->audit_took.Set(in_seconds(took));
}
void Metrics::looked_in_cache(std::uint64_t found, std::uint64_t not_found) {
    if (found > 0) impl_->cache_hits.Increment(static_cast<double>(found));
    if (not_found > 0) impl_->cache_misses.Increment(static_cast<double>(not_found));
}

void Metrics::scraped() { impl_->scrapes.Increment(); }

}  // namespace freshet
