// The bare limit of reading: librdkafka's batches of a topic, each event parsed by simdjson, and nothing else.
#include <librdkafka/rdkafka.h>
#include <simdjson.h>
#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <stdexcept>

namespace freshet::bench {
namespace {

struct Options {
    std::string brokers;
    std::string topic = "payments";
    std::int32_t partitions = 4;
    std::uint64_t events = 0;
    double limit_seconds = 120;
};

void set(rd_kafka_conf_t* conf, const char* name, const char* value) {
    char error[512];
    if (rd_kafka_conf_set(conf, name, value, error, sizeof error) != RD_KAFKA_CONF_OK)
        throw std::runtime_error(error);
}

struct Sums {
    std::uint64_t events = 0;
    std::uint64_t users = 0;
    double amount = 0;
    std::int64_t items = 0;
    std::int64_t newest = 0;
};

// Copies into padded memory, as whoever does not own the payload must.
class Parser {
public:
    void add(const rd_kafka_message_t& message, Sums& sums) {
        if (text_.size() < message.len + simdjson::SIMDJSON_PADDING)
            text_.resize(2 * (message.len + simdjson::SIMDJSON_PADDING));
        std::memcpy(text_.data(), message.payload, message.len);
        auto document = parser_.iterate(text_.data(), message.len, text_.size());
        sums.users ^= document["user"].get_uint64().value();
        sums.amount += document["amount"].get_double().value();
        sums.items += document["items"].get_int64().value();
        sums.newest = std::max(sums.newest, document["ts"].get_int64().value());
        ++sums.events;
    }

private:
    simdjson::ondemand::parser parser_;
    std::string text_;
};

void run(const Options& options) {
    rd_kafka_conf_t* conf = rd_kafka_conf_new();
    set(conf, "bootstrap.servers", options.brokers.c_str());
    set(conf, "group.id", "bare");
    set(conf, "enable.auto.commit", "false");
    char error[512];
    rd_kafka_t* kafka = rd_kafka_new(RD_KAFKA_CONSUMER, conf, error, sizeof error);
    if (!kafka) throw std::runtime_error(error);
    rd_kafka_poll_set_consumer(kafka);
    rd_kafka_topic_partition_list_t* parts = rd_kafka_topic_partition_list_new(options.partitions);
    for (std::int32_t p = 0; p < options.partitions; ++p)
        rd_kafka_topic_partition_list_add(parts, options.topic.c_str(), p)->offset = RD_KAFKA_OFFSET_BEGINNING;
    rd_kafka_assign(kafka, parts);
    rd_kafka_topic_partition_list_destroy(parts);
    rd_kafka_queue_t* queue = rd_kafka_queue_get_consumer(kafka);

    using Clock = std::chrono::steady_clock;
    const auto begin = Clock::now();
    const auto deadline = begin + std::chrono::duration<double>(options.limit_seconds);
    std::vector<rd_kafka_message_t*> batch(4096);
    Parser parser;
    Sums sums;
    while (sums.events < options.events && Clock::now() < deadline) {
        const ssize_t n = rd_kafka_consume_batch_queue(queue, 100, batch.data(), batch.size());
        for (ssize_t i = 0; i < n; ++i) {
            if (!batch[static_cast<std::size_t>(i)]->err) parser.add(*batch[static_cast<std::size_t>(i)], sums);
            rd_kafka_message_destroy(batch[static_cast<std::size_t>(i)]);
        }
    }
    const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
    rusage used{};
    getrusage(RUSAGE_SELF, &used);
    const double cpu = static_cast<double>(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
                       static_cast<double>(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
    rd_kafka_queue_destroy(queue);
    rd_kafka_consumer_close(kafka);
    rd_kafka_destroy(kafka);
    if (sums.events < options.events) throw std::runtime_error("the topic held fewer events, or time was up");
    std::printf(
        "{\"events\": %llu, \"seconds\": %.3f, \"cpu_seconds\": %.3f, \"amount\": %.2f, \"items\": %lld}\n",
        static_cast<unsigned long long>(sums.events), seconds, cpu, sums.amount,
        static_cast<long long>(sums.items));
}

}  // namespace
}  // namespace freshet::bench

int main(int argc, char** argv) {
    CLI::App app("Reads a topic and parses its events, nothing else.");
    freshet::bench::Options options;
    app.add_option("--brokers", options.brokers)->required();
    app.add_option("--topic", options.topic);
    app.add_option("--partitions", options.partitions)->check(CLI::Range(1, 1024));
    app.add_option("--events", options.events, "how many the topic holds")->required();
    app.add_option("--limit", options.limit_seconds, "seconds at most")->check(CLI::Range(1.0, 600.0));
    CLI11_PARSE(app, argc, argv);
    try {
        freshet::bench::run(options);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "bare_consume: %s\n", error.what());
        return 1;
    }
    return 0;
}
