// Fills a topic of a broker on this machine with events of about a hundred bytes, and says which events the
// first entities got, for the oracle. An entity's events go to one partition.
#include <librdkafka/rdkafka.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <stdexcept>
#include <thread>

#include "load_commands.hpp"

namespace freshet::bench {
namespace {

struct Options {
    std::string brokers;
    std::string topic = "payments";
    std::int32_t partitions = 4;
    std::uint64_t events = 2'000'000;
    KeyChoice keys;
    double rate = 0;
    std::string compression = "lz4";
    std::int64_t spread_ms = 0;  // event times are now minus up to this, ascending; 0: now
    std::uint64_t recorded_entities = 200;
    std::string record_to;
};

std::int64_t now_ms() {
    using namespace std::chrono;
    return duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count();
}

void set(rd_kafka_conf_t* conf, const char* name, const std::string& value) {
    char error[512];
    if (rd_kafka_conf_set(conf, name, value.c_str(), error, sizeof error) != RD_KAFKA_CONF_OK)
        throw std::runtime_error(error);
}

class Producer {
public:
    explicit Producer(const Options& options) : options_(options), random_(options.keys.seed) {
        rd_kafka_conf_t* conf = rd_kafka_conf_new();
        set(conf, "bootstrap.servers", options.brokers);
        set(conf, "compression.type", options.compression);
        set(conf, "linger.ms", options.rate > 0 ? "5" : "50");
        set(conf, "batch.size", "1000000");
        set(conf, "queue.buffering.max.messages", "200000");
        set(conf, "max.in.flight.requests.per.connection", "1");  // keeps the order
        rd_kafka_conf_set_opaque(conf, this);
        rd_kafka_conf_set_dr_msg_cb(conf, [](rd_kafka_t*, const rd_kafka_message_t* message, void* self) {
            if (message->err) ++static_cast<Producer*>(self)->failed_;
        });
        char error[512];
        kafka_ = rd_kafka_new(RD_KAFKA_PRODUCER, conf, error, sizeof error);
        if (!kafka_) throw std::runtime_error(error);
        topic_ = rd_kafka_topic_new(kafka_, options.topic.c_str(), nullptr);
        if (!options.record_to.empty()) records_.open(options.record_to);
    }
    Producer(const Producer&) = delete;
    Producer& operator=(const Producer&) = delete;
    ~Producer() {
        rd_kafka_topic_destroy(topic_);
        rd_kafka_destroy(kafka_);
    }

    void run() {
        const std::vector<std::uint32_t> drawn = draw_keys(options_.keys, 1 << 20);
        const auto begin = Clock::now();
        const std::int64_t started = now_ms();
        for (std::uint64_t i = 0; i < options_.events; ++i) {
            if (options_.rate > 0) keep_pace(begin, i);
            const double done = static_cast<double>(i + 1) / static_cast<double>(options_.events);
            const std::int64_t time =
                options_.spread_ms == 0
                    ? now_ms()
                    : started - static_cast<std::int64_t>(static_cast<double>(options_.spread_ms) * (1 - done));
            // Each entity once, then as drawn; the newest event is one that is recorded, so that the clock is
            // known.
            const bool last = i + 1 == options_.events;
            send(i < options_.keys.keys ? i : last ? 0 : drawn[i % drawn.size()], time);
            if (i % 1024 == 0) rd_kafka_poll(kafka_, 0);
        }
        if (rd_kafka_flush(kafka_, 60'000) != RD_KAFKA_RESP_ERR_NO_ERROR)
            throw std::runtime_error("flush timed out");
        if (failed_ > 0) throw std::runtime_error(std::to_string(failed_) + " events were not delivered");
        std::printf("{\"events\": %llu, \"bytes\": %llu, \"seconds\": %.2f}\n",
                    static_cast<unsigned long long>(options_.events), static_cast<unsigned long long>(bytes_),
                    std::chrono::duration<double>(Clock::now() - begin).count());
    }

private:
    using Clock = std::chrono::steady_clock;

    void keep_pace(Clock::time_point begin, std::uint64_t i) {
        std::this_thread::sleep_until(
            begin + std::chrono::duration_cast<Clock::duration>(
                        std::chrono::duration<double>(static_cast<double>(i / 64 * 64) / options_.rate)));
    }

    void send(std::uint64_t entity, std::int64_t time) {
        static constexpr const char* kChannels[] = {"web", "shop", "phone", "agent"};
        const std::uint64_t r = random_();
        const int n =
            std::snprintf(text_, sizeof text_,
                          "{\"user\": %llu, \"amount\": %.2f, \"items\": %llu, \"ts\": %lld, \"merchant\": "
                          "\"m%05llu\", \"channel\": \"%s\"}",
                          static_cast<unsigned long long>(entity), static_cast<double>(100 + r % 50'000) / 100,
                          static_cast<unsigned long long>((r >> 20) % 20), static_cast<long long>(time),
                          static_cast<unsigned long long>((r >> 30) % 100'000), kChannels[r >> 62]);
        const auto size = static_cast<std::size_t>(n);
        bytes_ += size;
        const auto partition =
            static_cast<std::int32_t>(entity % static_cast<std::uint64_t>(options_.partitions));
        rd_kafka_resp_err_t refused;
        while ((refused = rd_kafka_producev(kafka_, RD_KAFKA_V_RKT(topic_), RD_KAFKA_V_PARTITION(partition),
                                            RD_KAFKA_V_VALUE(text_, size), RD_KAFKA_V_TIMESTAMP(time),
                                            RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END)) != 0) {
            if (refused != RD_KAFKA_RESP_ERR__QUEUE_FULL) throw std::runtime_error(rd_kafka_err2str(refused));
            rd_kafka_poll(kafka_, 20);
        }
        const std::uint64_t offset = offsets_[static_cast<std::size_t>(partition)]++;
        if (records_.is_open() && entity < options_.recorded_entities) record(partition, offset, time);
    }

    void record(std::int32_t partition, std::uint64_t offset, std::int64_t time) {
        records_ << "{\"topic\": \"" << options_.topic << "\", \"partition\": " << partition
                 << ", \"offset\": " << offset << ", \"timestamp\": " << time << ", \"value\": \"";
        for (const char* c = text_; *c != 0; ++c) records_ << (*c == '"' ? "\\\"" : std::string(1, *c));
        records_ << "\"}\n";
    }

    Options options_;
    std::mt19937_64 random_;
    rd_kafka_t* kafka_ = nullptr;
    rd_kafka_topic_t* topic_ = nullptr;
    std::vector<std::uint64_t> offsets_ = std::vector<std::uint64_t>(1024);
    std::ofstream records_;
    std::uint64_t failed_ = 0;
    std::uint64_t bytes_ = 0;
    char text_[512] = {};
};

}  // namespace
}  // namespace freshet::bench

int main(int argc, char** argv) {
    CLI::App app("Fills a topic with events for a benchmark.");
    freshet::bench::Options options;
    app.add_option("--brokers", options.brokers)->required();
    app.add_option("--topic", options.topic);
    app.add_option("--partitions", options.partitions, "of the topic")->check(CLI::Range(1, 1024));
    app.add_option("--events", options.events);
    app.add_option("--entities", options.keys.keys)->check(CLI::PositiveNumber);
    app.add_option("--zipf", options.keys.zipf, "exponent of the choice of entities; 0: uniform");
    app.add_option("--seed", options.keys.seed);
    app.add_option("--rate", options.rate, "events a second; 0: as fast as the broker takes them");
    app.add_option("--compression", options.compression);
    app.add_option("--spread-ms", options.spread_ms,
                   "event times rise over this long, up to now; 0: each is now");
    app.add_option("--record-entities", options.recorded_entities);
    app.add_option("--record-to", options.record_to, "the first entities' events as records");
    CLI11_PARSE(app, argc, argv);
    try {
        freshet::bench::Producer(options).run();
    } catch (const std::exception& error) {
        std::fprintf(stderr, "produce: %s\n", error.what());
        return 1;
    }
    return 0;
}
