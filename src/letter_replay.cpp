#include "letter_replay.hpp"

#include <algorithm>
#include <chrono>
#include <mutex>
#include <thread>
#include <utility>

namespace freshet {

namespace {

constexpr Duration kTimeout{30'000};
constexpr Duration kAbandonTimeout{5000};
// A transaction ends with whichever it reaches first; readers of the topic wait for its end.
constexpr std::size_t kLetterBatch = 500;
constexpr std::size_t kLetterBatchBytes = 4 << 20;
constexpr int kAttempts = 3;
constexpr Duration kVisibleTimeout{5000};
constexpr Duration kVisiblePause{10};

std::string place_of(const std::string& box, const Letter& letter) { return box + "/" + letter.place.text(); }

Error with_mend(const Error& error) {
    if (error.code == Errc::fenced)
        return {Errc::fenced,
                "another freshet dlq replay of this group has begun, and this one ended; run it "
                "again when the other is done, nothing is sent twice"};
    if (error.code == Errc::refused)
        return {Errc::refused, error.message +
                                   "; allow this user to write to the topic, and to write and describe the "
                                   "transactional id, which is the group's name with -dlq-replay behind it"};
    return error;
}

}  // namespace

struct LetterReplay::Reports {
    // The others of a batch are given up with Errc::unavailable, which tells nothing.
    void add(const Error& error) {
        const std::lock_guard lock(mutex);
        if (!told || (told->code == Errc::unavailable && error.code != Errc::unavailable)) told = error;
    }
    std::optional<Error> most_telling() {
        const std::lock_guard lock(mutex);
        return told;
    }

    void add_receipt(PartitionId partition, Offset offset) {
        const std::lock_guard lock(mutex);
        Offset& last = receipts.try_emplace(partition, offset).first->second;
        last = std::max(last, offset);
    }

    std::map<PartitionId, Offset> last_receipts() {
        const std::lock_guard lock(mutex);
        return receipts;
    }

    std::mutex mutex;
    std::optional<Error> told;
    std::map<PartitionId, Offset> receipts;  // the last of each partition
};

LetterReplay::LetterReplay(std::function<bool()> give_up) : give_up_(std::move(give_up)) {}
LetterReplay::~LetterReplay() = default;

Result<std::unique_ptr<LetterReplay>> LetterReplay::open(const KafkaSettings& settings,
                                                         std::function<bool()> give_up) {
    KafkaSettings ours = settings;
    ours.transactional_id = settings.group + "-dlq-replay";
    std::unique_ptr<LetterReplay> replay{new LetterReplay(std::move(give_up))};
    auto queries = KafkaQueries::open(ours, replay->silent_);
    if (!queries) return queries.error();
    replay->queries_ = std::move(*queries);
    auto producer = KafkaProducer::open(ours, KafkaRole::transactor, [](const Error&) {});
    if (!producer) return producer.error();
    replay->producer_ = std::move(*producer);
    if (auto claimed = replay->producer_->claim(kTimeout); !claimed) return with_mend(claimed.error());
    return replay;
}

Result<void> LetterReplay::send(LetterBox& box, const std::set<LetterPlace>& places,
                                const std::vector<const Source*>& sources) {
    for (const Source* source : sources) sources_[source->topic] = source;
    last_receipts_.clear();
    Result<void> sent;
    const auto read = box.each({}, [&](const Letter& letter, const TopicRecord& record) {
        if (!places.contains(letter.place)) return true;
        hold(letter, record);
        if (give_up_()) {
            sent = Error{Errc::unavailable, "interrupted"};
        } else if (held_.size() >= kLetterBatch || held_bytes_ >= kLetterBatchBytes) {
            sent = send_held(box.topic());
        }
        return static_cast<bool>(sent);
    });
    if (sent && !read) sent = read;
    if (sent) sent = send_held(box.topic());
    held_.clear();
    await_receipts(box.topic());
    return sent;
}

// A commit is answered a little before readers see what it commits. Should they not see it in time, only a list
// made at once is behind: the next replay waits by itself.
void LetterReplay::await_receipts(const std::string& box) {
    const auto deadline = std::chrono::steady_clock::now() + kVisibleTimeout;
    for (const auto& [partition, last] : last_receipts_) {
        for (;;) {
            const auto range = queries_->range({box, partition}, kVisibleTimeout);
            if (!range || range->end > last || std::chrono::steady_clock::now() > deadline) break;
            std::this_thread::sleep_for(kVisiblePause);
        }
    }
}

void LetterReplay::hold(const Letter& letter, const TopicRecord& record) {
    held_.push_back({letter, std::nullopt, std::nullopt});
    if (record.key) held_.back().key = *record.key;
    if (record.value) held_.back().value = *record.value;
    held_bytes_ += record.key.value_or("").size() + record.value.value_or("").size();
}

Result<void> LetterReplay::send_held(const std::string& box) {
    const std::vector<Held> batch = std::exchange(held_, {});
    held_bytes_ = 0;
    return send_batch(box, batch);
}

// Kafka refuses a batch for one record of it, or for being too large as a whole: then each goes alone.
Result<void> LetterReplay::send_batch(const std::string& box, Batch batch) {
    if (batch.empty()) return {};
    auto done = try_batch(box, batch);
    // After a refusal librdkafka 2.0.2 fails the next transaction too ("skipped sequence numbers").
    const auto again = [&] {
        return !done && undone_ && done.error().code == Errc::unavailable && !give_up_();
    };
    for (int more = kAttempts - 1; more > 0 && again(); --more) done = try_batch(box, batch);
    if (done || !undone_ || done.error().code != Errc::invalid_argument) return done;
    if (batch.size() == 1) {
        ++refused_;
        if (!first_refusal_) first_refusal_ = done.error();
        return {};
    }
    for (std::size_t i = 0; i < batch.size(); ++i)
        if (auto one = send_batch(box, batch.subspan(i, 1)); !one) return one;
    return {};
}

// All or none; undone_ is whether an error leaves none for certain.
Result<void> LetterReplay::try_batch(const std::string& box, Batch batch) {
    undone_ = false;
    if (auto begun = producer_->begin(); !begun) return with_mend(producer_->fatal().value_or(begun.error()));
    reports_ = std::make_shared<Reports>();
    auto done = fill_transaction(box, batch);
    if (done) done = producer_->commit(kTimeout);
    if (done) {
        sent_ += batch.size();
        for (const auto& [partition, last] : reports_->last_receipts()) last_receipts_[partition] = last;
        return {};
    }
    if (const auto fatal = producer_->fatal()) return with_mend(*fatal);
    if (done.error().code == Errc::fenced) return with_mend(done.error());
    undone_ = static_cast<bool>(producer_->abandon(kAbandonTimeout));
    (void)producer_->flush(kAbandonTimeout);  // so that all reports are there
    return with_mend(reports_->most_telling().value_or(done.error()));
}

Result<void> LetterReplay::fill_transaction(const std::string& box, Batch batch) {
    for (const Held& held : batch) {
        const std::string place = place_of(box, held.letter);
        if (auto sent = send_event(place, held); !sent) return sent;
        const ProducerRecord receipt{box, held.letter.place.partition,      {}, {},
                                     {},  receipt_headers(box, held.letter)};
        const PartitionId partition = held.letter.place.partition;
        if (auto sent =
                deliver(place, receipt,
                        [reports = reports_, partition](Offset at) { reports->add_receipt(partition, at); });
            !sent)
            return sent;
    }
    return {};
}

Result<void> LetterReplay::send_event(const std::string& place, const Held& held) {
    const LetterEvent& event = held.letter.event;
    const auto count = partitions_of(event.origin.topic);
    if (!count) return count.error().within("letter " + place);
    ProducerRecord record;
    record.topic = event.origin.topic;
    // Else the topic was made anew with fewer: by the key.
    if (event.origin.id.value < *count) record.partition = event.origin.id;
    record.key = held.key;
    record.value = held.value;
    // Else the time of sending, as with any producer: `max_future` counts from there.
    if (sources_.at(event.origin.topic)->time.format == TimeSpec::Format::kafka)
        record.timestamp = event.timestamp;
    record.headers = {{kReplayedHeader, place}};
    return deliver(place, record);
}

Result<void> LetterReplay::deliver(const std::string& place, const ProducerRecord& record,
                                   const std::function<void(Offset)>& delivered) {
    const auto told = [reports = reports_, place, delivered](const Result<Offset>& done) {
        if (!done) {
            reports->add(done.error().within("letter " + place));
        } else if (delivered) {
            delivered(*done);
        }
    };
    if (auto sent = producer_->send(record, kTimeout, told); !sent)
        return sent.error().within("letter " + place);
    return {};
}

Result<std::int32_t> LetterReplay::partitions_of(const std::string& topic) {
    const auto known = partitions_.find(topic);
    if (known != partitions_.end()) return known->second;
    const auto counts = queries_->partition_counts({topic}, kTimeout);
    if (!counts) return counts.error();
    return partitions_[topic] = counts->at(topic);
}

}  // namespace freshet
