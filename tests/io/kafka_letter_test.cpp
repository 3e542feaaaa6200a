#include "io/kafka/kafka_letter.hpp"

#include <doctest/doctest.h>

using namespace freshet;

namespace {

DeadLetterRecord refused() {
    DeadLetterRecord record;
    record.origin = {"orders", PartitionId{3}};
    record.offset = Offset{4711};
    record.timestamp = from_unix_ms(1'700'000'000'123);
    record.reason = "malformed";
    record.message = "not valid JSON";
    record.view = "by_store";
    return record;
}

TopicRecord record_of(KafkaHeaders headers) {
    return {PartitionId{1}, Offset{17}, from_unix_ms(5), std::nullopt, std::nullopt, std::move(headers)};
}

const LetterEvent kEvent{{"orders", PartitionId{3}}, Offset{4711}, from_unix_ms(1'700'000'000'123)};

}  // namespace

TEST_CASE("a letter is read as it was written") {
    const auto read = read_letter(record_of(letter_headers(refused())));
    REQUIRE(read);
    const auto& letter = std::get<Letter>(*read);
    CHECK(letter.place == LetterPlace{PartitionId{1}, Offset{17}});
    CHECK(letter.written == from_unix_ms(5));
    CHECK(letter.event == kEvent);
    CHECK(letter.reason == "malformed");
    CHECK(letter.message == "not valid JSON");
    CHECK(letter.view == "by_store");
}

TEST_CASE("a receipt names the letter and is read as its event") {
    Letter letter;
    letter.place = {PartitionId{1}, Offset{17}};
    letter.event = kEvent;
    const KafkaHeaders headers = receipt_headers("orders.dlq", letter);
    CHECK(headers[0] == std::pair<std::string, std::string>{"freshet.replayed", "orders.dlq/1:17"});
    const auto read = read_letter(record_of(headers));
    REQUIRE(read);
    CHECK(std::get<LetterReceipt>(*read).event == kEvent);
}

TEST_CASE("what is no letter is told apart, by the header that is missing or wrong") {
    CHECK(read_letter(record_of({})).error().message == "it has no header freshet.topic");
    for (const std::string name : {"freshet.partition", "freshet.offset", "freshet.timestamp"}) {
        for (const std::string value : {"", "x", "1x", "99999999999999999999"}) {
            KafkaHeaders headers = letter_headers(refused());
            for (auto& [header, text] : headers)
                if (header == name) text = value;
            const auto read = read_letter(record_of(headers));
            REQUIRE_FALSE(read);
            CHECK(read.error().code == Errc::corrupt);
            CHECK(read.error().message == "its header " + name + " is no number");
        }
    }
    KafkaHeaders headers = letter_headers(refused());
    std::erase_if(headers, [](const auto& header) { return header.first == "freshet.reason"; });
    CHECK(read_letter(record_of(headers)).error().message == "it has no header freshet.reason");
}
