#include "replay.hpp"

#include <algorithm>
#include <deque>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <thread>
#include <tuple>
#include <vector>

#include "event_file.hpp"
#include "io/kafka/kafka_producer.hpp"
#include "io/kafka/kafka_queries.hpp"

namespace freshet {

namespace {

using Clock = std::chrono::steady_clock;

constexpr Duration kReplayTimeout = std::chrono::seconds{10};
// Without a single acknowledgement.
constexpr auto kPatience = std::chrono::seconds{60};
constexpr auto kObserveEvery = std::chrono::milliseconds{200};
// What Kafka keeps of a record beside its key and value, at most.
constexpr std::uint64_t kRecordOverhead = 70;

Timestamp now() { return std::chrono::floor<Duration>(std::chrono::system_clock::now()); }

// What is known of the records sent; the producer's thread tells it.
class Ledger {
public:
    explicit Ledger(bool keep) : keep_(keep) {}

    // Returns what to tell the producer.
    KafkaProducer::Delivered enter(const EventRecord& record) {
        const Partition partition{record.topic, record.partition};
        EventRecord* kept = nullptr;
        if (keep_) {
            const std::lock_guard lock(mutex_);
            kept = &records_.emplace_back(record);
        }
        return [this, partition, kept](const Result<Offset>& offset) { deliver(partition, kept, offset); };
    }

    std::uint64_t acked() const {
        const std::lock_guard lock(mutex_);
        return acked_;
    }
    std::optional<Error> failure() const {
        const std::lock_guard lock(mutex_);
        return failure_;
    }
    std::map<Partition, Offset> next() const {
        const std::lock_guard lock(mutex_);
        return next_;
    }
    // Once all are acknowledged.
    std::vector<const EventRecord*> in_order() const {
        const auto key = [](const EventRecord* r) { return std::tie(r->topic, r->partition, r->offset); };
        std::vector<const EventRecord*> sorted;
        for (const EventRecord& record : records_) sorted.push_back(&record);
        std::ranges::sort(sorted, {}, key);
        return sorted;
    }

private:
    void deliver(const Partition& partition, EventRecord* kept, const Result<Offset>& offset) {
        const std::lock_guard lock(mutex_);
        if (!offset) {
            if (!failure_) failure_ = offset.error();
            return;
        }
        ++acked_;
        if (kept) kept->offset = *offset;
        Offset& next = next_.try_emplace(partition, Offset{0}).first->second;
        next = std::max(next, offset->next());
    }

    const bool keep_;
    mutable std::mutex mutex_;
    std::deque<EventRecord> records_;  // whose addresses stay
    std::uint64_t acked_ = 0;
    std::optional<Error> failure_;
    std::map<Partition, Offset> next_;
};

class Replay {
public:
    Replay(const ReplaySpec& spec, const ReplayObserver& observer)
        : spec_(spec), observer_(observer), ledger_(!spec.record_to.empty()) {}

    Result<ReplaySummary> run() {
        if (auto opened = open(); !opened) return opened.error();
        started_ = last_ack_ = observed_ = Clock::now();
        EventRecord record;
        for (;;) {
            const auto more = file_->next(record);
            if (!more) return more.error();
            if (!*more) break;
            if (auto sent = send(record); !sent) return sent.error().within(file_->place());
        }
        if (auto done = wait_for_all(); !done) return done.error();
        if (auto written = write_record(); !written) return written.error();
        return ReplaySummary{ledger_.acked(), Clock::now() - started_, ledger_.next()};
    }

private:
    Result<void> open() {
        auto file = EventFile::open(spec_.events,
                                    spec_.records ? EventFile::Format::records : EventFile::Format::plain);
        if (!file) return file.error();
        file_ = std::move(*file);
        if (ledger_keeps()) {
            std::error_code missing;
            if (std::filesystem::equivalent(spec_.record_to, spec_.events, missing))
                return Error{Errc::invalid_argument, spec_.record_to + " is the file of the events itself"};
            out_.open(spec_.record_to, std::ios::binary | std::ios::trunc);
            if (!out_) return Error{Errc::invalid_argument, spec_.record_to + ": cannot be written"};
        }
        auto queries = KafkaQueries::open(spec_.kafka, reports_);
        if (!queries) return queries.error();
        queries_ = std::move(*queries);
        if (!spec_.records)
            if (const auto count = partitions_of(spec_.topic); !count) return count.error();
        auto producer = KafkaProducer::open(spec_.kafka, KafkaRole::producer, [](const Error&) {});
        if (!producer) return producer.error();
        producer_ = std::move(*producer);
        return {};
    }

    Result<std::int32_t> partitions_of(const std::string& topic) {
        const auto known = partitions_.find(topic);
        if (known != partitions_.end()) return known->second;
        const auto counts = queries_->partition_counts({topic}, kReplayTimeout);
        if (!counts) return counts.error();
        return partitions_[topic] = counts->at(topic);
    }

    Result<void> send(EventRecord& record) {
        if (auto placed = place(record); !placed) return placed;
        if (auto fits = check_size(record); !fits) return fits;
        if (auto waited = keep_to_rate(); !waited) return waited;
        if (!spec_.records) record.timestamp = now();

        const auto delivered = ledger_.enter(record);
        const ProducerRecord to_send{record.topic, record.partition, record.key,
                                     record.value, record.timestamp, {}};
        for (;;) {
            if (auto going = check(); !going) return going;
            const auto taken = producer_->send(to_send, kObserveEvery, delivered);
            if (taken) break;
            const bool no_room = taken.error().code == Errc::unavailable;
            if (!no_room || Clock::now() - last_ack_ > kPatience) return taken.error();
        }
        ++sent_;
        return {};
    }

    Result<void> place(EventRecord& record) {
        if (!spec_.records) record.topic = spec_.topic;
        const auto count = partitions_of(record.topic);
        if (!count) return count.error();
        if (!spec_.records) {
            record.partition =
                PartitionId{static_cast<std::int32_t>(sent_ % static_cast<std::uint64_t>(*count))};
        } else if (record.partition.value >= *count) {
            return Error{Errc::invalid_argument, "there is no partition " +
                                                     std::to_string(record.partition.value) + ": topic " +
                                                     record.topic + " has " + std::to_string(*count)};
        }
        return {};
    }

    Result<void> check_size(const EventRecord& record) {
        if (!spec_.most_bytes_a_partition) return {};
        std::uint64_t& bytes = bytes_[{record.topic, record.partition}];
        bytes +=
            kRecordOverhead + (record.key ? record.key->size() : 0) + (record.value ? record.value->size() : 0);
        if (bytes <= *spec_.most_bytes_a_partition) return {};
        return Error{Errc::invalid_argument, "more than the " + std::to_string(*spec_.most_bytes_a_partition) +
                                                 " bytes that the embedded Kafka keeps of a partition; use "
                                                 "fewer events, or a Kafka of your own"};
    }

    Result<void> keep_to_rate() {
        if (spec_.rate == 0) return {};
        const auto due = started_ + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(
                                        static_cast<double>(sent_) / static_cast<double>(spec_.rate)));
        while (Clock::now() < due) {
            std::this_thread::sleep_until(std::min(due, Clock::now() + kObserveEvery));
            last_ack_ = Clock::now();  // nothing was waited for
            if (auto going = check(); !going) return going;
        }
        return {};
    }

    // Whether to go on; tells the observer now and then.
    Result<void> check() {
        if ((sent_ & 0xff) != 0 && Clock::now() - observed_ < kObserveEvery) return {};
        if (auto failure = ledger_.failure()) return *failure;
        if (spec_.give_up && spec_.give_up()) return Error{Errc::unavailable, "interrupted"};
        const std::uint64_t acked = ledger_.acked();
        if (acked != last_acked_) last_ack_ = Clock::now();
        last_acked_ = acked;
        if (Clock::now() - observed_ >= kObserveEvery) {
            observed_ = Clock::now();
            observer_({sent_, acked, observed_ - started_});
        }
        return {};
    }

    Result<void> wait_for_all() {
        for (;;) {
            const auto flushed = producer_->flush(kObserveEvery);
            if (auto failure = ledger_.failure()) return *failure;
            if (flushed) break;
            if (auto going = check(); !going) return going;
            if (Clock::now() - last_ack_ > kPatience) return flushed.error();
        }
        observer_({sent_, ledger_.acked(), Clock::now() - started_});
        return {};
    }

    bool ledger_keeps() const { return !spec_.record_to.empty(); }

    Result<void> write_record() {
        if (!ledger_keeps()) return {};
        for (const EventRecord* record : ledger_.in_order()) out_ << record_line(*record) << '\n';
        out_.close();
        if (!out_) return Error{Errc::unavailable, spec_.record_to + ": cannot be written to its end"};
        return {};
    }

    const ReplaySpec& spec_;
    const ReplayObserver& observer_;
    Ledger ledger_;
    KafkaReports reports_{[](const Error&) {}};
    std::unique_ptr<EventFile> file_;
    std::ofstream out_;
    std::unique_ptr<KafkaQueries> queries_;
    std::unique_ptr<KafkaProducer> producer_;  // gone before the ledger that it tells
    std::map<std::string, std::int32_t> partitions_;
    std::map<Partition, std::uint64_t> bytes_;
    std::uint64_t sent_ = 0;
    std::uint64_t last_acked_ = 0;
    Clock::time_point started_, last_ack_, observed_;
};

}  // namespace

Result<ReplaySummary> replay_events(const ReplaySpec& spec, const ReplayObserver& observer) {
    return Replay(spec, observer).run();
}

}  // namespace freshet
