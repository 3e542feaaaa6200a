// From an event's sending to the first answer that holds it, and to its receipt by a bare consumer, which is
// what Kafka itself takes. One probe after the other, each of an entity of its own, at random moments.
#include <hiredis/hiredis.h>
#include <librdkafka/rdkafka.h>

#include <CLI/CLI.hpp>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <memory>
#include <random>
#include <stdexcept>
#include <thread>
#include <vector>

#include "histogram.hpp"

namespace freshet::bench {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::microseconds;

struct Options {
    std::string brokers;
    std::string topic = "payments";
    std::int32_t partitions = 4;
    std::string host = "127.0.0.1";
    int port = 0;
    std::string view = "payments";
    std::string feature = "count_1h";
    std::size_t probes = 500;
    std::uint64_t first_entity = 1'000'000;  // beyond those of the load
    int most_pause_ms = 40;
    int most_seconds = 10;  // for one probe
};

void set(rd_kafka_conf_t* conf, const char* name, const char* value) {
    char error[512];
    if (rd_kafka_conf_set(conf, name, value, error, sizeof error) != RD_KAFKA_CONF_OK)
        throw std::runtime_error(error);
}

rd_kafka_t* open(rd_kafka_type_t type, rd_kafka_conf_t* conf) {
    char error[512];
    rd_kafka_t* kafka = rd_kafka_new(type, conf, error, sizeof error);
    if (!kafka) throw std::runtime_error(error);
    return kafka;
}

std::int64_t micros(Clock::time_point at) {
    return std::chrono::duration_cast<microseconds>(at.time_since_epoch()).count();
}

// Receives all of the topic, and notes when each probe came: a probe's key is its number, and only probes have
// one.
class BareConsumer {
public:
    explicit BareConsumer(const Options& options) : received_(options.probes) {
        rd_kafka_conf_t* conf = rd_kafka_conf_new();
        set(conf, "bootstrap.servers", options.brokers.c_str());
        set(conf, "group.id", "bare");
        set(conf, "enable.auto.commit", "false");
        kafka_ = open(RD_KAFKA_CONSUMER, conf);
        rd_kafka_poll_set_consumer(kafka_);
        rd_kafka_topic_partition_list_t* parts = rd_kafka_topic_partition_list_new(options.partitions);
        for (std::int32_t p = 0; p < options.partitions; ++p) {
            std::int64_t low = 0, end = 0;  // asked for now, so that it misses no probe
            const auto refused =
                rd_kafka_query_watermark_offsets(kafka_, options.topic.c_str(), p, &low, &end, 10'000);
            if (refused != RD_KAFKA_RESP_ERR_NO_ERROR) throw std::runtime_error(rd_kafka_err2str(refused));
            rd_kafka_topic_partition_list_add(parts, options.topic.c_str(), p)->offset = end;
        }
        rd_kafka_assign(kafka_, parts);
        rd_kafka_topic_partition_list_destroy(parts);
        thread_ = std::thread([this] { run(); });
    }
    BareConsumer(const BareConsumer&) = delete;
    BareConsumer& operator=(const BareConsumer&) = delete;
    ~BareConsumer() {
        stopping_ = true;
        thread_.join();
        rd_kafka_consumer_close(kafka_);
        rd_kafka_destroy(kafka_);
    }

    // Microseconds of the steady clock; 0: not yet.
    std::int64_t received(std::size_t probe) const { return received_[probe]; }

private:
    // One message at a time: a batch would wait until it is full.
    void run() {
        while (!stopping_) {
            const std::unique_ptr<rd_kafka_message_t, decltype(&rd_kafka_message_destroy)> message(
                rd_kafka_consumer_poll(kafka_, 100), &rd_kafka_message_destroy);
            if (!message || message->err || message->key_len != sizeof(std::size_t)) continue;
            std::size_t probe = 0;
            std::memcpy(&probe, message->key, sizeof probe);
            if (probe < received_.size()) received_[probe] = micros(Clock::now());
        }
    }

    rd_kafka_t* kafka_ = nullptr;
    std::vector<std::atomic<std::int64_t>> received_;
    std::atomic<bool> stopping_{false};
    std::thread thread_;
};

class Prober {
public:
    explicit Prober(const Options& options) : options_(options), bare_(options) {
        rd_kafka_conf_t* conf = rd_kafka_conf_new();
        set(conf, "bootstrap.servers", options.brokers.c_str());
        set(conf, "linger.ms", "0");
        kafka_ = open(RD_KAFKA_PRODUCER, conf);
        redis_ = redisConnect(options.host.c_str(), options.port);
        if (!redis_ || redis_->err) throw std::runtime_error("cannot connect to the look-up server");
    }
    Prober(const Prober&) = delete;
    Prober& operator=(const Prober&) = delete;
    ~Prober() {
        rd_kafka_destroy(kafka_);
        redisFree(redis_);
    }

    void run() {
        std::mt19937 random(1);
        std::uniform_int_distribution<int> pause(0, options_.most_pause_ms * 1000);
        // The first one waits for connections and for the bare consumer's first fetch, and is not counted.
        for (std::size_t probe = 0; probe < options_.probes; ++probe) {
            const std::int64_t sent = send(probe);
            const std::int64_t readable = await_readable(probe), received = await_received(probe);
            if (probe > 0) {
                readable_.record(readable - sent);
                received_.record(received - sent);
            }
            std::this_thread::sleep_for(microseconds(pause(random)));
        }
        std::printf("{\"probes\": %llu", static_cast<unsigned long long>(readable_.total()));
        print("readable", readable_);
        print("received", received_);
        std::printf("}\n");
    }

private:
    std::int64_t send(std::size_t probe) {
        const std::uint64_t user = options_.first_entity + probe;
        char text[128];
        const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(
                            std::chrono::system_clock::now().time_since_epoch())
                            .count();
        const int size =
            std::snprintf(text, sizeof text, "{\"user\": %llu, \"amount\": 1.5, \"items\": 1, \"ts\": %lld}",
                          static_cast<unsigned long long>(user), static_cast<long long>(ms));
        const auto partition =
            static_cast<std::int32_t>(user % static_cast<std::uint64_t>(options_.partitions));
        const std::int64_t now = micros(Clock::now());
        const auto refused = rd_kafka_producev(
            kafka_, RD_KAFKA_V_TOPIC(options_.topic.c_str()), RD_KAFKA_V_PARTITION(partition),
            RD_KAFKA_V_KEY(&probe, sizeof probe), RD_KAFKA_V_VALUE(text, static_cast<std::size_t>(size)),
            RD_KAFKA_V_TIMESTAMP(ms), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END);
        if (refused != RD_KAFKA_RESP_ERR_NO_ERROR) throw std::runtime_error(rd_kafka_err2str(refused));
        return now;
    }

    // Asked for again and again; the moment is that of the answer's arrival.
    std::int64_t await_readable(std::size_t probe) {
        const std::string user = std::to_string(options_.first_entity + probe);
        const auto deadline = Clock::now() + std::chrono::seconds(options_.most_seconds);
        while (Clock::now() < deadline) {
            const std::unique_ptr<redisReply, decltype(&freeReplyObject)> reply(
                static_cast<redisReply*>(redisCommand(redis_, "FS.GET %s %s FEATURES 1 %s",
                                                      options_.view.c_str(), user.c_str(),
                                                      options_.feature.c_str())),
                &freeReplyObject);
            const std::int64_t now = micros(Clock::now());
            if (!reply) throw std::runtime_error("the look-up server closed the connection");
            if (reply->type == REDIS_REPLY_ERROR) throw std::runtime_error(reply->str);
            if (reply->element[0]->type == REDIS_REPLY_INTEGER && reply->element[0]->integer > 0) return now;
            rd_kafka_poll(kafka_, 0);
            std::this_thread::sleep_for(microseconds(100));
        }
        throw std::runtime_error("a probe was not readable in time");
    }

    std::int64_t await_received(std::size_t probe) const {
        const auto deadline = Clock::now() + std::chrono::seconds(options_.most_seconds);
        while (bare_.received(probe) == 0) {
            if (Clock::now() > deadline) throw std::runtime_error("a probe did not come to the bare consumer");
            std::this_thread::sleep_for(microseconds(100));
        }
        return bare_.received(probe);
    }

    static void print(const char* name, const Histogram& times) {
        const auto ms = [&](double share) { return static_cast<double>(times.percentile(share)) / 1000; };
        std::printf(", \"%s\": {\"p50\": %.3f, \"p90\": %.3f, \"p99\": %.3f, \"max\": %.3f}", name, ms(0.5),
                    ms(0.9), ms(0.99), static_cast<double>(times.max()) / 1000);
    }

    const Options options_;
    BareConsumer bare_;
    rd_kafka_t* kafka_ = nullptr;
    redisContext* redis_ = nullptr;
    Histogram readable_, received_;
};

}  // namespace
}  // namespace freshet::bench

int main(int argc, char** argv) {
    CLI::App app("Measures how long an event takes until look-ups see it.");
    freshet::bench::Options options;
    app.add_option("--brokers", options.brokers)->required();
    app.add_option("--topic", options.topic);
    app.add_option("--partitions", options.partitions);
    app.add_option("--port", options.port, "of the look-up server on this machine")->required();
    app.add_option("--view", options.view);
    app.add_option("--feature", options.feature, "a count");
    app.add_option("--probes", options.probes);
    app.add_option("--first-entity", options.first_entity);
    app.add_option("--most-seconds", options.most_seconds, "for one probe");
    CLI11_PARSE(app, argc, argv);
    if (!options.brokers.starts_with("127.0.0.1:")) {
        std::fprintf(stderr, "bench_freshness talks to 127.0.0.1 only\n");
        return 2;
    }
    try {
        freshet::bench::Prober(options).run();
    } catch (const std::exception& error) {
        std::fprintf(stderr, "bench_freshness: %s\n", error.what());
        return 1;
    }
}
