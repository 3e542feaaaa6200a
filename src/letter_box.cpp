#include "letter_box.hpp"

namespace freshet {

namespace {

constexpr Duration kLetterTimeout{10'000};
constexpr Duration kLetterPatience{30'000};

}  // namespace

Result<std::unique_ptr<LetterBox>> LetterBox::open(const KafkaSettings& settings, const std::string& topic) {
    std::unique_ptr<LetterBox> box{new LetterBox(topic)};
    if (auto found = box->find_ranges(settings); !found) return found.error();
    auto reader = KafkaTopicReader::open(settings, box->reports_);
    if (!reader) return reader.error();
    box->reader_ = std::move(*reader);
    if (auto filled = box->fill_ledger(); !filled) return filled.error();
    return box;
}

Result<void> LetterBox::find_ranges(const KafkaSettings& settings) {
    const auto queries = KafkaQueries::open(settings, reports_);
    if (!queries) return queries.error();
    const auto counts = (*queries)->partition_counts({topic_}, kLetterTimeout);
    if (!counts && counts.error().code == Errc::not_found)
        return Error{Errc::not_found, "the topic of dead letters " + topic_ + " does not exist at " +
                                          settings.brokers + "; create it (kafka-topics.sh --create --topic " +
                                          topic_ + "), or correct dead_letter_topic"};
    if (!counts) return counts.error();
    for (std::int32_t id = 0; id < counts->at(topic_); ++id) {
        const auto range = (*queries)->range({topic_, PartitionId{id}}, kLetterTimeout);
        if (!range) return range.error();
        ranges_[PartitionId{id}] = *range;
    }
    return {};
}

Result<void> LetterBox::fill_ledger() {
    return reader_->read(topic_, ranges_, kLetterPatience, [this](const TopicRecord& record) {
        auto read = read_letter(record);
        if (!read) {
            ++strange_;
        } else if (auto* letter = std::get_if<Letter>(&*read)) {
            ledger_.letter(std::move(*letter));
        } else {
            ledger_.receipt(std::get<LetterReceipt>(*std::move(read)).event);
        }
        return true;
    });
}

Result<void> LetterBox::each(const LetterFilter& filter, const Sink& sink) {
    KafkaTopicReader::Ranges ranges = ranges_;
    if (filter.place) {
        const auto range = ranges_.find(filter.place->partition);
        if (range == ranges_.end()) return {};
        const Offset at = filter.place->offset;
        if (at < range->second.low || at >= range->second.end) return {};
        ranges = {{filter.place->partition, {at, at.next()}}};
    }
    return reader_->read(topic_, ranges, kLetterPatience, [&](const TopicRecord& record) {
        const auto read = read_letter(record);
        const Letter* const letter = read ? std::get_if<Letter>(&*read) : nullptr;
        return letter == nullptr || !filter.takes(*letter) || sink(*letter, record);
    });
}

Result<void> LetterBox::holds(const LetterPlace& place) {
    const Partition partition{topic_, place.partition};
    const auto range = ranges_.find(place.partition);
    if (range == ranges_.end())
        return Error{Errc::invalid_argument, "there is no partition " + partition.text() + ": " + topic_ +
                                                 " has " + std::to_string(ranges_.size())};
    bool found = false;
    auto read = each({"", "", place}, [&](const Letter&, const TopicRecord&) {
        found = true;
        return false;
    });
    if (!read || found) return read;
    return Error{Errc::invalid_argument,
                 "there is no dead letter at " + partition.text() + ":" + std::to_string(place.offset.value) +
                     ": the partition holds offsets from " + std::to_string(range->second.low.value) +
                     " to before " + std::to_string(range->second.end.value) +
                     ", receipts of a replay among them; freshet dlq show tells where letters are"};
}

}  // namespace freshet
