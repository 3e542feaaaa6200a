#include "io/kafka/kafka_letter.hpp"

#include <algorithm>
#include <charconv>
#include <optional>

namespace freshet {
namespace {

constexpr std::string_view kReceipt = "freshet.replayed";

std::optional<std::string_view> find(const KafkaHeaders& headers, std::string_view name) {
    const auto found = std::ranges::find(headers, name, &KafkaHeaders::value_type::first);
    if (found == headers.end()) return std::nullopt;
    return found->second;
}

template <class T>
Result<T> number(const KafkaHeaders& headers, const char* name) {
    const auto text = find(headers, name);
    if (!text) return Error{Errc::corrupt, std::string("it has no header ") + name};
    T value{};
    const char* const end = text->data() + text->size();
    const auto read = std::from_chars(text->data(), end, value);
    if (read.ec != std::errc{} || read.ptr != end)
        return Error{Errc::corrupt, std::string("its header ") + name + " is no number"};
    return value;
}

void add_event(KafkaHeaders& headers, const LetterEvent& event) {
    headers.emplace_back("freshet.topic", event.origin.topic);
    headers.emplace_back("freshet.partition", std::to_string(event.origin.id.value));
    headers.emplace_back("freshet.offset", std::to_string(event.offset.value));
    headers.emplace_back("freshet.timestamp", std::to_string(unix_ms(event.timestamp)));
}

Result<LetterEvent> event_of(const KafkaHeaders& headers) {
    const auto topic = find(headers, "freshet.topic");
    if (!topic || topic->empty()) return Error{Errc::corrupt, "it has no header freshet.topic"};
    const auto partition = number<std::int32_t>(headers, "freshet.partition");
    if (!partition) return partition.error();
    const auto offset = number<std::int64_t>(headers, "freshet.offset");
    if (!offset) return offset.error();
    const auto timestamp = number<std::int64_t>(headers, "freshet.timestamp");
    if (!timestamp) return timestamp.error();
    return LetterEvent{
        {std::string(*topic), PartitionId{*partition}}, Offset{*offset}, from_unix_ms(*timestamp)};
}

}  // namespace

KafkaHeaders letter_headers(const DeadLetterRecord& record) {
    KafkaHeaders headers{{"freshet.error", record.message}, {"freshet.reason", record.reason}};
    add_event(headers, {record.origin, record.offset, record.timestamp});
    if (!record.view.empty()) headers.emplace_back("freshet.view", record.view);
    return headers;
}

KafkaHeaders receipt_headers(const std::string& topic, const Letter& letter) {
    KafkaHeaders headers{{std::string(kReceipt), Partition{topic, letter.place.partition}.text() + ":" +
                                                     std::to_string(letter.place.offset.value)}};
    add_event(headers, letter.event);
    return headers;
}

Result<LetterOrReceipt> read_letter(const TopicRecord& record) {
    auto event = event_of(record.headers);
    if (!event) return event.error();
    if (find(record.headers, kReceipt)) return LetterOrReceipt{LetterReceipt{*std::move(event)}};
    const auto reason = find(record.headers, "freshet.reason");
    if (!reason) return Error{Errc::corrupt, "it has no header freshet.reason"};
    Letter letter{{record.partition, record.offset}, record.timestamp, *std::move(event), {}, {}, {}};
    letter.reason = *reason;
    letter.message = find(record.headers, "freshet.error").value_or("");
    letter.view = find(record.headers, "freshet.view").value_or("");
    return LetterOrReceipt{std::move(letter)};
}

}  // namespace freshet
