// What every user of librdkafka here shares: owners of its handles, its errors as ours, and reports that do not
// flood.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "model/ids.hpp"
#include "model/result.hpp"

struct rd_kafka_s;
struct rd_kafka_conf_s;
struct rd_kafka_topic_s;
struct rd_kafka_topic_partition_list_s;

namespace freshet {

struct KafkaDeleter {
    void operator()(rd_kafka_s* client) const;
    void operator()(rd_kafka_conf_s* conf) const;
    void operator()(rd_kafka_topic_s* topic) const;
    void operator()(rd_kafka_topic_partition_list_s* list) const;
};
using KafkaClient = std::unique_ptr<rd_kafka_s, KafkaDeleter>;
using KafkaConf = std::unique_ptr<rd_kafka_conf_s, KafkaDeleter>;
using KafkaTopic = std::unique_ptr<rd_kafka_topic_s, KafkaDeleter>;
using KafkaPartitions = std::unique_ptr<rd_kafka_topic_partition_list_s, KafkaDeleter>;

KafkaPartitions kafka_partitions();
// `offset`: as librdkafka has it, so that its logical ones can be said.
KafkaPartitions kafka_partitions(const Partition& partition, std::int64_t offset);

// `code`: a rd_kafka_resp_err_t.
Error kafka_error(int code, const std::string& what);

// A timeout as librdkafka takes it.
inline int kafka_ms(Duration timeout) { return static_cast<int>(timeout.count()); }

// Hands errors on, but of one kind only one in `every`, with the number of those left out. Any thread may
// report.
class KafkaReports {
public:
    using Sink = std::function<void(const Error&)>;

    explicit KafkaReports(Sink sink, Duration every = std::chrono::seconds{10});

    void report(std::string_view kind, const Error& error);

private:
    struct Kind {
        std::chrono::steady_clock::time_point last;
        std::uint64_t left_out = 0;
    };

    const Sink sink_;
    const Duration every_;
    std::mutex mutex_;
    std::map<std::string, Kind, std::less<>> kinds_;
};

// What a client's callbacks find in its opaque pointer. Must outlive the client.
struct KafkaContext {
    KafkaReports* reports = nullptr;
    void* owner = nullptr;
};

enum class KafkaClientKind { consumer, producer };

// Makes a client whose log and errors go to `context.reports`. Other callbacks are set on `conf` before.
Result<KafkaClient> make_kafka_client(KafkaClientKind kind, KafkaConf conf, KafkaContext& context);

}  // namespace freshet
