#include "letter_replay.hpp"

#include <mutex>
#include <optional>

namespace freshet {

namespace {

constexpr Duration kTimeout{30'000};
constexpr Duration kAbandonTimeout{5000};
// A transaction ends with whichever it reaches first; readers of the topic wait for its end.
constexpr std::size_t kBatchLetters = 500;
constexpr std::size_t kBatchBytes = 4 << 20;

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

struct LetterReplay::Failures {
    void add(const Error& error) {
        const std::lock_guard lock(mutex);
        if (!first) first = error;
    }
    std::optional<Error> take() {
        const std::lock_guard lock(mutex);
        return std::exchange(first, std::nullopt);
    }

    std::mutex mutex;
    std::optional<Error> first;
};

LetterReplay::LetterReplay(std::function<bool()> give_up)
    : give_up_(std::move(give_up)), failures_(std::make_shared<Failures>()) {}
LetterReplay::~LetterReplay() = default;

Result<std::unique_ptr<LetterReplay>> LetterReplay::open(const KafkaSettings& settings,
                                                         std::function<bool()> give_up) {
    KafkaSettings ours = settings;
    ours.transactional_id = settings.group + "-dlq-replay";
    std::unique_ptr<LetterReplay> replay{new LetterReplay(std::move(give_up))};
    auto queries = KafkaQueries::open(ours, replay->reports_);
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
    Result<void> result;
    auto read = box.each({}, [&](const Letter& letter, const TopicRecord& record) {
        if (!places.contains(letter.place)) return true;
        result =
            give_up_() ? Error{Errc::unavailable, "interrupted"} : send_letter(box.topic(), letter, record);
        return static_cast<bool>(result);
    });
    if (result && !read) result = read;
    if (result) result = commit();
    if (result) return {};
    if (const auto fatal = producer_->fatal()) return with_mend(*fatal);
    if (pending_ > 0) producer_->abandon(kAbandonTimeout);
    pending_ = 0;
    return with_mend(result.error());
}

Result<void> LetterReplay::send_letter(const std::string& box, const Letter& letter,
                                       const TopicRecord& record) {
    const Partition& origin = letter.event.origin;
    const auto count = partitions_of(origin.topic);
    if (!count) return count.error().within("letter " + place_of(box, letter));
    if (pending_++ == 0)
        if (auto begun = producer_->begin(); !begun) return begun;

    ProducerRecord event{origin.topic, origin.id, record.key, record.value, {}, {}};
    if (origin.id.value >= *count) event.partition.reset();  // the topic was made anew with fewer
    // Else what comes from now on is as a producer would send it: `max_future` counts from there.
    if (sources_.at(origin.topic)->time.format == TimeSpec::Format::kafka)
        event.timestamp = letter.event.timestamp;
    event.headers = {{kReplayedHeader, place_of(box, letter)}};
    if (auto sent = deliver(place_of(box, letter), event); !sent) return sent;

    ProducerRecord receipt{box, letter.place.partition, {}, {}, {}, receipt_headers(box, letter)};
    if (auto sent = deliver(place_of(box, letter), receipt); !sent) return sent;

    pending_bytes_ += record.key.value_or("").size() + record.value.value_or("").size();
    if (pending_ < kBatchLetters && pending_bytes_ < kBatchBytes) return {};
    return commit();
}

Result<void> LetterReplay::deliver(const std::string& place, const ProducerRecord& record) {
    const auto told = [failures = failures_, place](const Result<Offset>& done) {
        if (!done) failures->add(done.error().within("letter " + place));
    };
    if (auto sent = producer_->send(record, kTimeout, told); !sent)
        return sent.error().within("letter " + place);
    return {};
}

Result<void> LetterReplay::commit() {
    if (pending_ == 0) return {};
    auto done = producer_->commit(kTimeout);
    if (const auto failure = failures_->take(); failure && !done) return *failure;
    if (!done) return done;
    sent_ += pending_;
    pending_ = pending_bytes_ = 0;
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
