#include "io/kafka/kafka_producer.hpp"

#include <doctest/doctest.h>

#include <cstring>
#include <thread>

#include "io/kafka/kafka_dead_letters.hpp"
#include "io/kafka/kafka_queries.hpp"
#include "io/kafka/kafka_topic_reader.hpp"
#include "support/kafka_for_tests.hpp"

using namespace freshet;
using namespace freshet::test;

namespace {

struct Received {
    std::optional<std::string> key;
    std::optional<std::string> value;
    std::map<std::string, std::string> headers;
};

// Reads with a plain consumer, since LogRecord has no headers.
std::vector<Received> read_all(const KafkaForTests& kafka, const std::string& topic, std::size_t count) {
    KafkaReports silent([](const Error&) {});
    KafkaContext context{&silent, nullptr};
    auto conf = kafka_conf(kafka.settings("reader"), KafkaRole::query);
    REQUIRE(conf);
    auto made = make_kafka_client(KafkaClientKind::consumer, std::move(*conf), context);
    REQUIRE(made);
    rd_kafka_t* client = made->get();
    rd_kafka_poll_set_consumer(client);
    rd_kafka_assign(client, kafka_partitions({topic, PartitionId{0}}, 0).get());
    std::vector<Received> all;
    wait_until("the letters", [&] {
        rd_kafka_message_t* message = rd_kafka_consumer_poll(client, 50);
        if (message == nullptr) return false;
        if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
            Received one;
            if (message->key != nullptr) one.key.emplace(static_cast<char*>(message->key), message->key_len);
            if (message->payload != nullptr)
                one.value.emplace(static_cast<char*>(message->payload), message->len);
            rd_kafka_headers_t* headers = nullptr;
            rd_kafka_message_headers(message, &headers);
            const char* name = nullptr;
            const void* value = nullptr;
            std::size_t size = 0;
            for (std::size_t i = 0;
                 headers != nullptr &&
                 rd_kafka_header_get_all(headers, i, &name, &value, &size) == RD_KAFKA_RESP_ERR_NO_ERROR;
                 ++i) {
                one.headers[name] = std::string(static_cast<const char*>(value), size);
            }
            all.push_back(std::move(one));
        }
        rd_kafka_message_destroy(message);
        return all.size() == count;
    });
    rd_kafka_assign(client, nullptr);
    return all;
}

DeadLetterRecord letter(const std::string& topic) {
    DeadLetterRecord record;
    record.topic = topic;
    record.origin = {"flights", PartitionId{3}};
    record.offset = Offset{4711};
    record.timestamp = from_unix_ms(1'700'000'000'123);
    record.key = std::string("k\0ey", 4);
    record.value = std::string("\xff{\0not json", 11);
    record.reason = "malformed";
    record.message = "not JSON at byte 0";
    record.view = "origin_delays@1";
    return record;
}

}  // namespace

TEST_CASE("a dead letter carries the original bytes, and why in its headers") {
    on_each_kafka([](KafkaForTests& kafka) {
        const std::string topic = kafka.create_topic("letters", 1);
        auto letters = KafkaDeadLetters::open(kafka.settings(""), [](const Error&) {});
        REQUIRE(letters);
        std::atomic<int> acked = 0;
        (*letters)->send(letter(topic), [&] { ++acked; });
        wait_until("the first ack", [&] { return acked == 1; });
        DeadLetterRecord tombstone = letter(topic);
        tombstone.value.reset();
        tombstone.key.clear();
        tombstone.view.clear();
        (*letters)->send(tombstone, [&] { ++acked; });
        wait_until("the second ack", [&] { return acked == 2; });

        const std::vector<Received> all = read_all(kafka, topic, 2);
        CHECK(all[0].key == std::string("k\0ey", 4));
        CHECK(all[0].value == std::string("\xff{\0not json", 11));
        CHECK(all[0].headers == std::map<std::string, std::string>{{"freshet.error", "not JSON at byte 0"},
                                                                   {"freshet.reason", "malformed"},
                                                                   {"freshet.topic", "flights"},
                                                                   {"freshet.partition", "3"},
                                                                   {"freshet.offset", "4711"},
                                                                   {"freshet.timestamp", "1700000000123"},
                                                                   {"freshet.view", "origin_delays@1"}});
        CHECK(all[1].key == std::nullopt);
        CHECK(all[1].value == std::nullopt);
        CHECK(all[1].headers.count("freshet.view") == 0);
    });
}

TEST_CASE("a missing topic of dead letters is told, and the letter goes out once the topic is there") {
    on_each_kafka([](KafkaForTests& kafka) {
        const std::string topic = kafka.missing_topic("letters");
        std::mutex mutex;
        std::vector<Error> errors;
        KafkaSettings settings = kafka.settings("");
        settings.properties = {{"topic.metadata.propagation.max.ms", "300"}};
        auto letters = KafkaDeadLetters::open(settings, [&](const Error& error) {
            const std::lock_guard lock(mutex);
            errors.push_back(error);
        });
        REQUIRE(letters);
        std::atomic<int> acked = 0;
        (*letters)->send(letter(topic), [&] { ++acked; });
        wait_until("a report", [&] {
            const std::lock_guard lock(mutex);
            return !errors.empty();
        });
        CHECK(acked == 0);
        {
            const std::lock_guard lock(mutex);
            CHECK(errors[0].code == Errc::not_found);
            CHECK(errors[0].message.find("dead letters " + topic + " does not exist") != std::string::npos);
        }
        if (!kafka.real()) return;  // the mock cannot take it back
        kafka.create(topic, 1);
        wait_until("the ack", [&] { return acked == 1; });
        CHECK(read_all(kafka, topic, 1)[0].key == std::string("k\0ey", 4));
    });
}

TEST_CASE("a full queue holds the sender back and loses nothing") {
    on_each_kafka([](KafkaForTests& kafka) {
        const std::string topic = kafka.create_topic("full", 1);
        auto producer = producer_for(kafka, {{"queue.buffering.max.messages", "100"}});
        fill(*producer, topic, 1, 0, 10'000);
        CHECK(producer->counts().delivered == 10'000);
        auto log = KafkaLog::open(kafka.settings("nobody"));
        CHECK((*log)->range({topic, PartitionId{0}}, kPatience)->end == Offset{10'000});
    });
}

TEST_CASE("a sender is told when the queue stays full, and a flush when Kafka does not answer") {
    KafkaSettings settings;
    settings.brokers = "127.0.0.1:1";
    settings.properties = {{"queue.buffering.max.messages", "10"}};
    auto producer = KafkaProducer::open(settings, KafkaRole::producer, [](const Error&) {});
    REQUIRE(producer);
    ProducerRecord record;
    record.topic = "any";
    record.value = "v";
    for (int i = 0; i < 10; ++i) REQUIRE((*producer)->send(record, Duration{0}));
    const auto refused = (*producer)->send(record, Duration{20});
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == Errc::unavailable);
    const auto flushed = (*producer)->flush(Duration{50});
    REQUIRE_FALSE(flushed);
    CHECK(flushed.error().message.find("10 records") != std::string::npos);
}

TEST_CASE("a record is told where it went, or why it did not") {
    on_each_kafka([](KafkaForTests& kafka) {
        const std::string topic = kafka.create_topic("told", 1);
        auto producer = producer_for(kafka);
        std::atomic<std::int64_t> offset = -1;
        for (int i = 0; i < 3; ++i) {
            ProducerRecord record;
            record.topic = topic;
            record.key = "same";
            record.value = "v";
            REQUIRE(producer->send(record, kPatience,
                                   [&](const Result<Offset>& at) { offset = at ? at->value : -2; }));
        }
        REQUIRE(producer->flush(kPatience));
        CHECK(offset == 2);
        ProducerRecord large;
        large.topic = topic;
        const std::string value(2'000'000, 'x');
        large.value = value;
        CHECK(producer->send(large, kPatience).error().code == Errc::invalid_argument);
        CHECK(producer->counts().sent == 3);
    });
}

namespace {

std::unique_ptr<KafkaProducer> transactor(const KafkaForTests& kafka, const std::string& name) {
    KafkaSettings settings = kafka.settings("");
    settings.properties.clear();
    settings.transactional_id = name;
    auto producer = KafkaProducer::open(settings, KafkaRole::transactor, [](const Error&) {});
    REQUIRE(producer);
    REQUIRE((*producer)->claim(kPatience));
    return std::move(*producer);
}

void send(KafkaProducer& producer, const std::string& topic, const std::string& value) {
    ProducerRecord record;
    record.topic = topic;
    record.partition = PartitionId{0};
    record.value = value;
    record.headers = {{"name", value}};
    REQUIRE(producer.send(record, kPatience));
}

// The values of a partition of a topic that are committed by now.
std::vector<std::string> committed(const KafkaForTests& kafka, const std::string& topic) {
    KafkaReports silent([](const Error&) {});
    auto reader = KafkaTopicReader::open(kafka.settings("reader"), silent);
    auto queries = KafkaQueries::open(kafka.settings("reader"), silent);
    REQUIRE(reader);
    REQUIRE(queries);
    const auto range = (*queries)->range({topic, PartitionId{0}}, kPatience);
    REQUIRE(range);
    std::vector<std::string> values;
    REQUIRE((*reader)->read(topic, {{PartitionId{0}, *range}}, kPatience, [&](const TopicRecord& record) {
        values.emplace_back(record.value.value_or(""));
        CHECK(record.headers == std::vector<std::pair<std::string, std::string>>{{"name", values.back()}});
        return true;
    }));
    return values;
}

}  // namespace

TEST_CASE("a transaction's records are read all or none") {
    on_each_kafka([](KafkaForTests& kafka) {
        const std::string topic = kafka.create_topic("all-or-none", 1);
        const auto producer = transactor(kafka, topic);
        REQUIRE(producer->begin());
        send(*producer, topic, "1");
        send(*producer, topic, "2");
        REQUIRE(producer->commit(kPatience));
        wait_until("both", [&] { return committed(kafka, topic) == std::vector<std::string>{"1", "2"}; });
        if (!kafka.real()) return;  // the mock shows what was abandoned
        REQUIRE(producer->begin());
        send(*producer, topic, "3");
        CHECK(producer->flush(kPatience));
        CHECK(committed(kafka, topic).size() == 2);
        REQUIRE(producer->abandon(kPatience));
        REQUIRE(producer->begin());
        send(*producer, topic, "4");
        REQUIRE(producer->commit(kPatience));
        wait_until("the third", [&] { return committed(kafka, topic).size() > 2; });
        CHECK(committed(kafka, topic) == std::vector<std::string>{"1", "2", "4"});
    });
}

TEST_CASE("of two transactors of one name only the later goes on") {
    on_each_kafka([](KafkaForTests& kafka) {
        if (!kafka.real()) return;  // the mock lets both go on
        const std::string topic = kafka.create_topic("one-name", 1);
        const auto first = transactor(kafka, topic);
        REQUIRE(first->begin());
        send(*first, topic, "first");
        CHECK(first->flush(kPatience));
        CHECK(!first->fatal());
        const auto second = transactor(kafka, topic);
        const auto late = first->commit(kPatience);
        REQUIRE_FALSE(late);
        CHECK(late.error().code == Errc::fenced);
        CHECK(first->fatal().value_or(Error{Errc::corrupt, ""}).code == Errc::fenced);
        REQUIRE(second->begin());
        send(*second, topic, "second");
        REQUIRE(second->commit(kPatience));
        wait_until("the second", [&] { return !committed(kafka, topic).empty(); });
        CHECK(committed(kafka, topic) == std::vector<std::string>{"second"});
    });
}

TEST_CASE("reports of one kind are let through once in a while, and counted meanwhile") {
    std::vector<std::string> seen;
    KafkaReports reports([&](const Error& error) { seen.push_back(error.message); }, Duration{100});
    for (int i = 0; i < 5; ++i) reports.report("a", {Errc::unavailable, "down"});
    reports.report("b", {Errc::unavailable, "other"});
    CHECK(seen == std::vector<std::string>{"down", "other"});
    wait_until("the next report", [&] {
        reports.report("a", {Errc::unavailable, "down"});
        return seen.size() == 3;
    });
    CHECK(seen[2].find("down (and ") == 0);
}
