// A Kafka to test against: librdkafka's mock cluster always, and a real one where FRESHET_TEST_KAFKA names its
// brokers.
#pragma once

#include <doctest/doctest.h>
#include <librdkafka/rdkafka.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "io/kafka/embedded_broker.hpp"
#include "io/kafka/kafka_log.hpp"
#include "io/kafka/kafka_producer.hpp"

namespace freshet::test {

using namespace std::chrono_literals;
using SteadyClock = std::chrono::steady_clock;

constexpr Duration kPatience{20'000};  // before a test gives up on a condition

inline Partition part(const std::string& topic, int id) { return {topic, PartitionId{id}}; }

class KafkaForTests {
public:
    explicit KafkaForTests(std::string real_brokers) : brokers_(std::move(real_brokers)) {
        if (!brokers_.empty()) return;
        auto started = EmbeddedBroker::start();
        REQUIRE(started);
        embedded_ = std::move(*started);
        brokers_ = embedded_->brokers();
    }

    bool real() const { return embedded_ == nullptr; }
    const std::string& brokers() const { return brokers_; }

    // A name that no other run has used.
    std::string unused_name(const std::string& stem) const {
        static std::atomic<int> number = 0;
        const auto now = std::chrono::system_clock::now().time_since_epoch().count();
        return stem + "-" + std::to_string(getpid()) + "-" + std::to_string(now % 1'000'000'000) + "-" +
               std::to_string(++number);
    }
    std::string create_topic(const std::string& stem, int partitions) const {
        std::string name = unused_name(stem);
        create(name, partitions);
        return name;
    }
    void create(const std::string& name, int partitions) const {
        if (embedded_ != nullptr) {
            REQUIRE(embedded_->create_topic(name, partitions));
        } else {
            create_on_real(name, partitions);
        }
    }
    std::string missing_topic(const std::string& stem) const {
        std::string name = unused_name(stem);
        if (embedded_ != nullptr) embedded_->forbid_topic(name);
        return name;
    }

    KafkaSettings settings(const std::string& group) const {
        KafkaSettings settings;
        settings.brokers = brokers_;
        settings.group = group;
        settings.session_timeout = Duration{3000};  // the mock waits for nearly as long at a rebalance
        settings.properties["heartbeat.interval.ms"] = "300";
        if (embedded_ != nullptr) settings.properties.merge(EmbeddedBroker::properties());
        return settings;
    }

private:
    void create_on_real(const std::string& name, int partitions) const {
        KafkaReports silent([](const Error&) {});
        KafkaContext context{&silent, nullptr};
        auto conf = kafka_conf(KafkaSettings{brokers_, {}, "tests", {}, {}}, KafkaRole::courier);
        REQUIRE(conf);
        auto client = make_kafka_client(KafkaClientKind::producer, std::move(*conf), context);
        REQUIRE(client);
        char reason[512];
        rd_kafka_NewTopic_t* topic = rd_kafka_NewTopic_new(name.c_str(), partitions, 1, reason, sizeof reason);
        REQUIRE(topic != nullptr);
        rd_kafka_queue_t* queue = rd_kafka_queue_new(client->get());
        rd_kafka_CreateTopics(client->get(), &topic, 1, nullptr, queue);
        rd_kafka_event_t* event = rd_kafka_queue_poll(queue, static_cast<int>(kPatience.count()));
        CHECK(event != nullptr);
        rd_kafka_event_destroy(event);
        rd_kafka_queue_destroy(queue);
        rd_kafka_NewTopic_destroy(topic);
    }

    std::string brokers_;
    std::unique_ptr<EmbeddedBroker> embedded_;
};

// Runs a test against each Kafka there is.
inline void on_each_kafka(const std::function<void(KafkaForTests&)>& test) {
    {
        static KafkaForTests mock("");  // one for all tests: it takes a second to end
        INFO("against the mock cluster");
        test(mock);
    }
    if (const char* brokers = std::getenv("FRESHET_TEST_KAFKA")) {
        KafkaForTests real(brokers);
        INFO("against Kafka at " << real.brokers());
        test(real);
    }
}

// Waits for `condition`, which any thread may make true; fails the test when patience runs out.
template <class Condition>
void wait_until(const char* what, Condition condition, Duration patience = kPatience) {
    const auto deadline = SteadyClock::now() + patience;
    while (!condition()) {
        if (SteadyClock::now() > deadline) FAIL("waited in vain: " << what);
        usleep(500);
    }
}

// Produces `count` records with the values <partition>:<offset> for each partition of a new topic.
inline std::unique_ptr<KafkaProducer> producer_for(const KafkaForTests& kafka,
                                                   std::map<std::string, std::string> properties = {}) {
    KafkaSettings settings = kafka.settings("");
    settings.properties = std::move(properties);
    auto producer = KafkaProducer::open(settings, KafkaRole::producer, [](const Error&) {});
    REQUIRE(producer);
    return std::move(*producer);
}

inline std::string value_at(int partition, std::int64_t offset) {
    return std::to_string(partition) + ":" + std::to_string(offset);
}

inline void fill(KafkaProducer& producer, const std::string& topic, int partitions, std::int64_t from,
                 std::int64_t count) {
    for (std::int64_t offset = from; offset < from + count; ++offset) {
        for (int partition = 0; partition < partitions; ++partition) {
            const std::string value = value_at(partition, offset);
            ProducerRecord record;
            record.topic = topic;
            record.partition = PartitionId{partition};
            record.key = "k";
            record.value = value;
            REQUIRE(producer.send(record, kPatience));
        }
    }
    REQUIRE(producer.flush(kPatience));
    REQUIRE(producer.counts().failed == 0);
}

// Fills a topic on a thread of its own until it is told to stop.
class Load {
public:
    Load(const KafkaForTests& kafka, std::string topic, int partitions, std::int64_t from = 0)
        : producer_(producer_for(kafka)), topic_(std::move(topic)), partitions_(partitions), next_(from) {
        thread_ = std::thread([this] { run(); });
    }
    ~Load() { stop(); }

    // How many records each partition holds.
    std::int64_t stop() {
        stopping_ = true;
        if (thread_.joinable()) thread_.join();
        return next_;
    }

private:
    static constexpr std::int64_t kMost = 200'000;  // a partition; the mock forgets the first records at 5 MiB

    void run() {
        for (; !stopping_ && next_ < kMost; next_ += kStep) fill(*producer_, topic_, partitions_, next_, kStep);
    }

    static constexpr std::int64_t kStep = 200;
    std::unique_ptr<KafkaProducer> producer_;
    const std::string topic_;
    const int partitions_;
    std::int64_t next_;
    std::atomic<bool> stopping_ = false;
    std::thread thread_;
};

// A member of a group that remembers what the log told it.
class Member : public GroupListener {
public:
    Member(const KafkaForTests& kafka, const std::string& group) : Member(kafka.settings(group)) {}
    explicit Member(KafkaSettings settings) {
        auto opened = KafkaLog::open(std::move(settings));
        REQUIRE(opened);
        log = std::move(*opened);
    }
    ~Member() override { log->close(); }

    void join(const std::vector<std::string>& topics) { REQUIRE(log->subscribe(topics, *this)); }
    void join_and_get(const std::vector<std::string>& topics, std::size_t partitions) {
        join(topics);
        wait_until("an assignment", [&] { return owned().size() == partitions; });
    }

    void assigned(const std::vector<Partition>& partitions) override {
        const std::lock_guard lock(mutex_);
        owned_.insert(partitions.begin(), partitions.end());
    }
    void revoked(const std::vector<Partition>& partitions, bool lost) override {
        if (on_revoked) on_revoked(partitions);
        const std::lock_guard lock(mutex_);
        for (const Partition& partition : partitions) owned_.erase(partition);
        losses_ += lost ? 1 : 0;
    }
    void log_error(const Error& error) override {
        const std::lock_guard lock(mutex_);
        errors_.push_back(error);
    }

    void expelled(const Error& error) override {
        const std::lock_guard lock(mutex_);
        expelled_ = error;
    }

    std::optional<Error> expelled() {
        const std::lock_guard lock(mutex_);
        return expelled_;
    }
    std::set<Partition> owned() {
        const std::lock_guard lock(mutex_);
        return owned_;
    }
    int losses() {
        const std::lock_guard lock(mutex_);
        return losses_;
    }
    std::vector<Error> errors() {
        const std::lock_guard lock(mutex_);
        return errors_;
    }

    std::unique_ptr<KafkaLog> log;
    std::function<void(const std::vector<Partition>&)> on_revoked;

private:
    std::mutex mutex_;
    std::set<Partition> owned_;
    std::vector<Error> errors_;
    std::optional<Error> expelled_;
    int losses_ = 0;
};

// Drains one partition as an actor would: when woken, and on when there is more.
class Reader {
public:
    Reader(Member& member, Partition partition) : log_(*member.log), partition_(std::move(partition)) {}
    ~Reader() { log_.stop(partition_); }  // no more wakes

    void start(std::int64_t from) { REQUIRE(try_start(from)); }
    bool try_start(std::int64_t from) {
        if (!log_.start(partition_, Offset{from}, [this] { woken_ = true; })) return false;
        expected_ = from;
        seen_ = 0;
        return true;
    }
    // One turn: nothing without a wake. Every record must be the next.
    Drained turn(std::size_t max = 1000) {
        if (!woken_.exchange(false)) return {};
        const Drained drained = log_.drain(partition_, max, [&](const LogRecord& record) { take(record); });
        if (drained.next) next_ = drained.next;
        if (drained.failed) failed_ = drained.failed;
        if (drained.more) woken_ = true;
        return drained;
    }
    void read_to(std::int64_t end) {
        wait_until("records of a partition", [&] {
            turn();
            return expected_ >= end || failed_;
        });
        CHECK(!failed_);
        CHECK(expected_ == end);
    }

    std::int64_t expected() const { return expected_; }
    std::int64_t seen() const { return seen_; }
    std::optional<Offset> next() const { return next_; }
    const std::optional<Error>& failed() const { return failed_; }
    bool in_order() const { return out_of_order_ == 0; }

private:
    void take(const LogRecord& record) {
        if (record.offset.value != expected_ || record.value != value_at(partition_.id.value, expected_)) {
            if (out_of_order_++ == 0) MESSAGE("expected " << expected_ << " got " << record.offset.value);
        }
        expected_ = record.offset.value + 1;
        ++seen_;
    }

    KafkaLog& log_;
    const Partition partition_;
    std::atomic<bool> woken_ = false;
    std::atomic<std::int64_t> expected_ = 0;
    std::int64_t seen_ = 0;
    std::int64_t out_of_order_ = 0;
    std::optional<Offset> next_;
    std::optional<Error> failed_;
};

}  // namespace freshet::test
