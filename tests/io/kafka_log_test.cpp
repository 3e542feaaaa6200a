#include "io/kafka/kafka_log.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <future>
#include <random>
#include <thread>

#include "support/kafka_for_tests.hpp"

using namespace freshet;
using namespace freshet::test;

// One join for many: it takes the mock three seconds.
TEST_CASE("a member reads its partitions in order, ends at their ends, and starts them anew anywhere") {
    on_each_kafka([](KafkaForTests& kafka) {
        const std::string topic = kafka.create_topic("ordered", 4);
        const std::string empty = kafka.create_topic("empty", 1);
        auto producer = producer_for(kafka);
        fill(*producer, topic, 4, 0, 5000);
        Member member(kafka, kafka.unused_name("group"));
        member.join_and_get({topic, empty}, 5);
        std::vector<std::unique_ptr<Reader>> readers;
        for (int p = 0; p < 4; ++p) readers.push_back(std::make_unique<Reader>(member, part(topic, p)));

        {
            INFO("nothing is handed out before the start");
            CHECK(member.log->drain(part(topic, 0), 10, [](const LogRecord&) { FAIL("a record"); }).records ==
                  0);
        }
        {
            INFO("all records of four partitions come in order");
            for (auto& reader : readers) reader->start(0);
            for (auto& reader : readers) reader->read_to(5000);
            for (auto& reader : readers) CHECK(reader->in_order());
            CHECK(readers[0]->next() == Offset{5000});
        }
        {
            INFO("new records wake a reader that had drained everything");
            fill(*producer, topic, 4, 5000, 10);
            for (auto& reader : readers) reader->read_to(5010);
        }
        {
            INFO("the end of a partition says where it is, though no record came");
            Reader reader(member, part(empty, 0));
            reader.start(0);
            wait_until("the end", [&] { return (void)reader.turn(), reader.next().has_value(); });
            CHECK(reader.next() == Offset{0});
        }
        {
            INFO("a drain that stops at its maximum says that there may be more");
            Reader& reader = *readers[1];
            reader.start(0);
            Drained drained;
            wait_until("a full drain", [&] { return (drained = reader.turn(7)).records == 7; });
            CHECK(drained.more);
            reader.read_to(5010);
            CHECK(reader.in_order());
        }
        {
            INFO("a stopped partition hands out nothing until it is started");
            Reader& reader = *readers[2];
            reader.start(100);
            member.log->stop(part(topic, 2));
            CHECK(member.log->drain(part(topic, 2), 10, [](const LogRecord&) { FAIL("a record"); }).records ==
                  0);
            reader.start(4000);
            reader.read_to(5010);
            CHECK(reader.seen() == 1010);
            CHECK(reader.in_order());
        }
        {
            INFO("an offset that Kafka does not have is reported, and mended by another start");
            Reader reader(member, part(topic, 3));
            reader.start(1'000'000);
            wait_until("the failure", [&] { return (void)reader.turn(), reader.failed().has_value(); });
            CHECK(reader.failed()->code == Errc::not_found);
            CHECK(reader.failed()->message.find(topic + "/3 at offset 1000000") != std::string::npos);
            Reader again(member, part(topic, 3));
            again.start(5000);
            again.read_to(5010);
            CHECK(again.in_order());
        }
        CHECK_FALSE(member.log->start(part("other", 0), Offset{0}, [] {}));
        CHECK(member.errors().empty());
    });
}

TEST_CASE("fifty re-positionings under load leak nothing of a former position") {
    on_each_kafka([](KafkaForTests& kafka) {
        const std::string topic = kafka.create_topic("moved", 2);
        auto producer = producer_for(kafka);
        fill(*producer, topic, 2, 0, 20'000);
        Member member(kafka, kafka.unused_name("group"));
        member.join_and_get({topic}, 2);

        Load load(kafka, topic, 2, 20'000);
        std::mt19937 random(7);
        Reader first(member, part(topic, 0));
        Reader second(member, part(topic, 1));
        second.start(0);
        for (int i = 0; i < 50; ++i) {
            const std::int64_t from = random() % 20'000;
            first.start(from);
            if (random() % 4 == 0) first.start(from / 2);  // before anything of the first has come
            const auto enough = static_cast<std::int64_t>(random() % 3000);
            wait_until("records from the new position", [&] {
                first.turn(1 + random() % 400);
                second.turn();
                return first.seen() > enough;
            });
        }
        const std::int64_t produced = load.stop();
        first.read_to(produced);
        second.read_to(produced);
        CHECK(first.in_order());
        CHECK(second.in_order());
        CHECK(second.seen() == produced);
    });
}

TEST_CASE("two members share the partitions and hand them over once the listener has returned") {
    on_each_kafka([](KafkaForTests& kafka) {
        const std::string topic = kafka.create_topic("shared", 4);
        fill(*producer_for(kafka), topic, 4, 0, 1000);
        const std::string group = kafka.unused_name("group");
        std::promise<void> let_go;
        std::promise<std::vector<Partition>> asked;
        std::atomic<bool> once = false;
        Member first(kafka, group);
        first.join_and_get({topic}, 4);
        std::map<Partition, std::unique_ptr<Reader>> readers;
        for (int p = 0; p < 4; ++p) {
            auto& reader = readers[part(topic, p)] = std::make_unique<Reader>(first, part(topic, p));
            reader->start(0);
            reader->read_to(1000);
            first.log->commit(part(topic, p), Offset{100});
        }

        first.on_revoked = [&](const std::vector<Partition>& partitions) {
            if (once.exchange(true)) return;
            asked.set_value(partitions);
            let_go.get_future().wait();
            // What is committed now is through before another member gets the partition.
            for (const Partition& partition : partitions) first.log->commit(partition, Offset{777});
        };
        Member second(kafka, group);
        second.join({topic});
        auto asking = asked.get_future();
        REQUIRE(asking.wait_for(kPatience) == std::future_status::ready);
        const std::vector<Partition> moving = asking.get();
        CHECK(moving.size() == 2);
        {
            INFO(
                "while the listener is busy: starts are refused, other calls return, nobody else gets the "
                "partitions");
            CHECK_FALSE(first.log->start(moving[0], Offset{0}, [] {}));
            first.log->drain(moving[0], 10, [](const LogRecord&) {});
            for (const auto& [partition, reader] : readers) {
                if (partition == moving[0] || partition == moving[1]) continue;
                REQUIRE(first.log->start(partition, Offset{500}, [] {}));
            }
            CHECK(second.owned().empty());
        }
        let_go.set_value();
        wait_until("the hand-over", [&] { return second.owned().size() == 2; });
        CHECK(second.owned() == std::set<Partition>(moving.begin(), moving.end()));
        for (const Partition& partition : moving) {
            CHECK_FALSE(first.log->start(partition, Offset{0}, [] {}));
            const auto committed = second.log->committed(partition, kPatience);
            REQUIRE(committed);
            // Kafka may refuse it, since there is a rebalance; not without a word.
            if (first.errors().empty()) CHECK((*committed ? (*committed)->value : -1) == 777);
            Reader reader(second, partition);
            reader.start(777);
            reader.read_to(1000);
            CHECK(reader.in_order());
        }
        for (const Partition& partition : first.owned()) {
            Reader& reader = *readers[partition];
            reader.start(900);
            reader.read_to(1000);
            CHECK(reader.seen() == 100);
            CHECK(reader.in_order());
        }
        {
            INFO("a member that leaves gives up what it holds");
            second.log->close();
            CHECK(second.owned().empty());
        }
    });
}

TEST_CASE(
    "rebalances under load, with commits all the time, neither lose nor double a record, nor a partition") {
    on_each_kafka([](KafkaForTests& kafka) {
        const std::string topic = kafka.create_topic("rebalanced", 4);
        const std::string group = kafka.unused_name("group");
        Load load(kafka, topic, 4);
        Member first(kafka, group);
        first.join_and_get({topic}, 4);
        std::atomic<bool> done = false;
        std::vector<std::unique_ptr<Reader>> readers;
        std::vector<std::thread> threads;
        for (int p = 0; p < 4; ++p) {
            readers.push_back(std::make_unique<Reader>(first, part(topic, p)));
            threads.emplace_back([&, p, &reader = *readers.back()] {
                bool reading = false;
                while (!done) {
                    const bool owned = first.owned().contains(part(topic, p));
                    // Given up while it was started: what comes next is a new assignment.
                    if (owned && !reading) reading = reader.try_start(reader.expected());
                    if (!owned) reading = false;
                    reader.turn();
                    if (owned) first.log->commit(part(topic, p), Offset{reader.expected()});
                }
            });
        }
        for (int i = 0; i < 2; ++i) {
            Member second(kafka, group);
            second.join_and_get({topic}, 2);
            second.log->close();
            wait_until("all partitions to come back", [&] { return first.owned().size() == 4; });
        }
        const std::int64_t produced = load.stop();
        wait_until("all records", [&] {
            return std::ranges::all_of(readers,
                                       [&](const auto& reader) { return reader->expected() >= produced; });
        });
        done = true;
        for (std::thread& thread : threads) thread.join();
        for (const auto& reader : readers) CHECK(reader->in_order());
        CHECK(first.losses() == 0);
    });
}

TEST_CASE("what is committed is read again by the next member of the group") {
    on_each_kafka([](KafkaForTests& kafka) {
        const std::string topic = kafka.create_topic("committed", 2);
        fill(*producer_for(kafka), topic, 2, 0, 10);
        const std::string group = kafka.unused_name("group");
        {
            Member member(kafka, group);
            CHECK(*member.log->committed(part(topic, 0), kPatience) == std::nullopt);
            member.join_and_get({topic}, 2);
            for (std::int64_t next = 1; next <= 9; ++next) member.log->commit(part(topic, 0), Offset{next});
            member.log->commit(part("other", 0), Offset{1});
            wait_until("the refusal of a strange partition", [&] { return member.errors().size() == 1; });
            CHECK(member.errors()[0].code == Errc::fenced);
        }
        Member next(kafka, group);
        CHECK(*next.log->committed(part(topic, 0), kPatience) == Offset{9});
        CHECK(*next.log->committed(part(topic, 1), kPatience) == std::nullopt);
    });
}

TEST_CASE("compressed topics are read like any other") {
    on_each_kafka([](KafkaForTests& kafka) {
        std::vector<std::string> topics;
        for (const char* codec : {"none", "gzip", "snappy", "lz4", "zstd"}) {
            topics.push_back(kafka.create_topic(codec, 1));
            fill(*producer_for(kafka, {{"compression.type", codec}}), topics.back(), 1, 0, 2000);
        }
        Member member(kafka, kafka.unused_name("group"));
        member.join_and_get(topics, topics.size());
        for (const std::string& topic : topics) {
            CAPTURE(topic);
            Reader reader(member, part(topic, 0));
            reader.start(0);
            reader.read_to(2000);
            CHECK(reader.in_order());
        }
    });
}

TEST_CASE("closing right after subscribing neither hangs nor crashes") {
    on_each_kafka([](KafkaForTests& kafka) {
        const std::string topic = kafka.create_topic("brief", 1);
        const auto before = SteadyClock::now();
        {
            Member member(kafka, kafka.unused_name("group"));
            member.join({topic});
        }
        CHECK(SteadyClock::now() - before < 8s);
    });
}
