#include "io/kafka/kafka_queries.hpp"

#include <doctest/doctest.h>

#include "support/kafka_for_tests.hpp"

using namespace freshet;
using namespace freshet::test;

namespace {

std::unique_ptr<KafkaLog> log_of(KafkaSettings settings) {
    auto log = KafkaLog::open(std::move(settings));
    REQUIRE(log);
    return std::move(*log);
}

class NobodyListens : public GroupListener {
    void assigned(const std::vector<Partition>&) override {}
    void revoked(const std::vector<Partition>&, bool) override {}
    void log_error(const Error&) override {}
    void expelled(const Error&) override {}
};

}  // namespace

TEST_CASE("the log tells its ranges, its partitions and its cluster without joining the group") {
    on_each_kafka([](KafkaForTests& kafka) {
        const std::string topic = kafka.create_topic("asked", 3);
        const std::string other = kafka.create_topic("asked", 1);
        fill(*producer_for(kafka), topic, 3, 0, 42);
        const auto log = log_of(kafka.settings("nobody"));
        const auto range = log->range(part(topic, 2), kPatience);
        REQUIRE(range);
        CHECK(range->low == Offset{0});
        CHECK(range->end == Offset{42});
        const auto counts = log->partition_counts({topic, other}, kPatience);
        REQUIRE(counts);
        CHECK(*counts == std::map<std::string, std::int32_t>{{topic, 3}, {other, 1}});
        const auto id = log->cluster_id(kPatience);
        REQUIRE(id);
        CHECK_FALSE(id->empty());
        CHECK(*log->cluster_id(kPatience) == *id);
        CHECK(log->range(part(topic, 99), kPatience).error().code == Errc::not_found);
    });
}

TEST_CASE("an offset is found by time, and a time behind the last record is the end") {
    on_each_kafka([](KafkaForTests& kafka) {
        const std::string topic = kafka.create_topic("times", 1);
        auto producer = producer_for(kafka);
        for (int i = 0; i < 10; ++i) {
            ProducerRecord record;
            record.topic = topic;
            record.partition = PartitionId{0};
            record.value = "v";
            record.timestamp = from_unix_ms(1'700'000'000'000 + i * 1000);
            REQUIRE(producer->send(record, kPatience));
        }
        REQUIRE(producer->flush(kPatience));
        const auto log = log_of(kafka.settings("nobody"));
        const auto at = log->offset_at(part(topic, 0), from_unix_ms(1'700'000'003'500), kPatience);
        REQUIRE(at);
        CHECK(*at == Offset{kafka.real() ? 4 : 10});  // the mock knows no times
        CHECK(*log->offset_at(part(topic, 0), from_unix_ms(1'800'000'000'000), kPatience) == Offset{10});
    });
}

TEST_CASE("subscribing to a topic that is missing names it and how to make it") {
    on_each_kafka([](KafkaForTests& kafka) {
        const std::string topic = kafka.create_topic("there", 1);
        const std::string missing = kafka.missing_topic("missing");
        const auto log = log_of(kafka.settings("nobody"));
        NobodyListens listener;
        const auto done = log->subscribe({topic, missing}, listener);
        REQUIRE_FALSE(done);
        CHECK(done.error().code == Errc::not_found);
        CHECK(done.error().message.find(": " + missing + "; create it") != std::string::npos);
    });
}

TEST_CASE("brokers out of reach are named, within the timeout") {
    KafkaSettings settings;
    settings.brokers = "127.0.0.1:1";
    settings.group = "nobody";
    const auto log = log_of(settings);
    const auto before = SteadyClock::now();
    const auto counts = log->partition_counts({"any"}, Duration{300});
    CHECK(SteadyClock::now() - before < 3s);
    REQUIRE_FALSE(counts);
    CHECK(counts.error().code == Errc::unavailable);
    CHECK(counts.error().message.find("127.0.0.1:1") != std::string::npos);
    CHECK(log->cluster_id(Duration{100}).error().code == Errc::unavailable);
}

TEST_CASE("a property that is ours or unknown is refused by name") {
    KafkaSettings settings;
    settings.brokers = "127.0.0.1:1";
    settings.group = "g";
    settings.properties = {{"enable.auto.commit", "true"}};
    CHECK(KafkaLog::open(settings).error().message.find("enable.auto.commit is ours") != std::string::npos);
    settings.properties = {{"fetch.wait.max.ms", "soon"}};
    CHECK(KafkaLog::open(settings).error().message.find("kafka.properties.fetch.wait.max.ms") !=
          std::string::npos);
    settings.properties = {{"no.such.thing", "1"}};
    CHECK(KafkaLog::open(settings).error().code == Errc::invalid_argument);
}

TEST_CASE("marked messages are found again, and tell of messages that are not there") {
    on_each_kafka([](KafkaForTests& kafka) {
        const std::string topic = kafka.create_topic("marked", 2);
        auto producer = producer_for(kafka);
        for (int i = 0; i < 5; ++i) {
            ProducerRecord record;
            record.topic = topic;
            record.partition = PartitionId{1};
            record.key = "k";
            const std::string value = "v" + std::to_string(i);
            if (i != 2) record.value = value;
            record.timestamp = from_unix_ms(1'700'000'000'000 + i);
            REQUIRE(producer->send(record, kPatience));
        }
        REQUIRE(producer->flush(kPatience));
        const auto log = log_of(kafka.settings("nobody"));
        for (int again = 0; again < 2; ++again) {
            const auto marks = log->marks_at(
                part(topic, 1), {Offset{0}, Offset{2}, Offset{4}, Offset{5}, Offset{900}}, kPatience);
            REQUIRE(marks);
            REQUIRE(marks->size() == 5);
            CHECK((*marks)[0] == mark_of(Offset{0}, from_unix_ms(1'700'000'000'000), "k", "v0"));
            CHECK((*marks)[1] == mark_of(Offset{2}, from_unix_ms(1'700'000'000'002), "k", std::nullopt));
            CHECK((*marks)[2] == mark_of(Offset{4}, from_unix_ms(1'700'000'000'004), "k", "v4"));
            CHECK((*marks)[3] == std::nullopt);
            CHECK((*marks)[4] == std::nullopt);
        }
        const auto none = log->marks_at(part(topic, 0), {}, kPatience);
        REQUIRE(none);
        CHECK(none->empty());
    });
}
