#include "io/kafka/kafka_settings.hpp"

#include <librdkafka/rdkafka.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <random>
#include <span>

#include "io/config/config_sections.hpp"

namespace freshet {
namespace {

constexpr const char* kQueueMessages = "queued.min.messages";
constexpr const char* kQueueKbytes = "queued.max.messages.kbytes";
constexpr std::size_t kMostMessages = 200'000;
constexpr std::size_t kMostKbytes = 32'768;

struct Setting {
    const char* name;
    const char* value;
};

// Good for most; `kafka.properties` may say otherwise.
constexpr Setting kConsumerAdvice[] = {
    // A fetch in flight holds up a re-positioning on the same broker, and Kafka answers as soon as there is
    // data.
    {"fetch.wait.max.ms", "50"},
    {"fetch.error.backoff.ms", "100"},
    // librdkafka looks at a full partition only once a second, so that what it holds must last longer than
    // that; and memory is the number of partitions times this when nobody drains. With a memory limit there is
    // less (QueueLimits).
    {kQueueMessages, "200000"},
    {kQueueKbytes, "32768"},
    {"heartbeat.interval.ms", "1000"},
};
// One message at a time, from one place after the other.
constexpr Setting kQueryAdvice[] = {
    {"fetch.wait.max.ms", "1"},
    {"max.partition.fetch.bytes", "65536"},
};
constexpr Setting kProducerAdvice[] = {
    {"compression.type", "lz4"},
    {"linger.ms", "5"},
    {"partitioner", "murmur2_random"},  // Java's: a key goes where other producers send it
    {"topic.metadata.propagation.max.ms", "5000"},
    {"queue.buffering.max.messages", "100000"},
    {"queue.buffering.max.kbytes", "65536"},
};
// Readers of what is committed wait behind a transaction whose owner died, for so long.
constexpr Setting kTransactionAdvice[] = {
    {"transaction.timeout.ms", "15000"},
};
constexpr Setting kCommonAdvice[] = {
    {"socket.keepalive.enable", "true"},
    {"reconnect.backoff.max.ms", "2000"},
};

// What exactly-once depends on.
constexpr Setting kConsumerOurs[] = {
    {"auto.offset.reset", "error"},
    {"enable.auto.commit", "false"},
    {"enable.auto.offset.store", "false"},
    {"enable.partition.eof", "true"},
    {"isolation.level", "read_committed"},
    {"partition.assignment.strategy", "cooperative-sticky"},
    {"topic.metadata.refresh.interval.ms", "1000"},
    {"allow.auto.create.topics", "false"},
};

Result<void> set(rd_kafka_conf_t* conf, const std::string& name, const std::string& value) {
    char reason[512];
    if (rd_kafka_conf_set(conf, name.c_str(), value.c_str(), reason, sizeof reason) == RD_KAFKA_CONF_OK)
        return {};
    return Error{Errc::invalid_argument, "kafka.properties." + name + ": " + reason};
}

Result<void> set_all(rd_kafka_conf_t* conf, std::span<const Setting> settings) {
    for (const auto& [name, value] : settings) {
        if (auto done = set(conf, name, value); !done) return done;
    }
    return {};
}

// Two members with one client id may send cooperative-sticky round in circles.
std::string unique_client_id(const std::string& base) {
    std::random_device random;
    char end[40];
    std::snprintf(end, sizeof end, "-%d-%08x", static_cast<int>(getpid()), random());
    return base + end;
}

bool consumes(KafkaRole role) {
    return role == KafkaRole::member || role == KafkaRole::query || role == KafkaRole::reader;
}

Result<void> set_advice(rd_kafka_conf_t* conf, KafkaRole role) {
    if (auto done = set_all(conf, kCommonAdvice); !done) return done;
    if (role == KafkaRole::transactor)
        if (auto done = set_all(conf, kTransactionAdvice); !done) return done;
    if (!consumes(role)) return set_all(conf, kProducerAdvice);
    if (auto done = set_all(conf, kConsumerAdvice); !done) return done;
    if (role == KafkaRole::query) return set_all(conf, kQueryAdvice);
    return {};
}

Result<void> set_users(rd_kafka_conf_t* conf, const std::map<std::string, std::string>& properties) {
    for (const auto& [name, value] : properties) {
        if (const auto reason = reserved_property(name)) {
            return Error{Errc::invalid_argument, "the Kafka property " + name + " is ours: " + *reason};
        }
        if (auto done = set(conf, name, value); !done) return done;
    }
    return {};
}

Result<void> set_ours(rd_kafka_conf_t* conf, const KafkaSettings& settings, KafkaRole role) {
    const std::string session = std::to_string(settings.session_timeout.count());
    std::vector<std::pair<std::string, std::string>> ours = {
        {"bootstrap.servers", settings.brokers}, {"client.id", unique_client_id(settings.client_id)}};
    if (consumes(role)) {
        ours.insert(ours.end(), {{"group.id", settings.group}, {"session.timeout.ms", session}});
        if (role == KafkaRole::member && !settings.instance.empty())
            ours.emplace_back("group.instance.id", settings.instance);
        if (auto done = set_all(conf, kConsumerOurs); !done) return done;
    } else if (role == KafkaRole::transactor) {
        ours.insert(ours.end(),
                    {{"enable.idempotence", "true"}, {"transactional.id", settings.transactional_id}});
    } else if (role == KafkaRole::producer) {
        ours.emplace_back("enable.idempotence", "true");
    } else {
        // Without idempotence, since that ends for good at its first unsolvable doubt; and without a time
        // limit.
        ours.insert(ours.end(),
                    {{"enable.idempotence", "false"}, {"acks", "all"}, {"message.timeout.ms", "0"}});
    }
    for (const auto& [name, value] : ours) {
        if (auto done = set(conf, name, value); !done) return done;
    }
    return {};
}

}  // namespace

QueueLimits QueueLimits::of(std::size_t bytes, std::size_t partitions) {
    const std::size_t half = bytes / std::max<std::size_t>(1, partitions) / 2;
    return {std::clamp(half / kMessageBytes, kLeastMessages, kMostMessages),
            std::clamp(half / 1024, kLeastKbytes, kMostKbytes)};
}

bool sets_queues(const std::map<std::string, std::string>& properties) {
    return properties.contains(kQueueMessages) || properties.contains(kQueueKbytes);
}

Result<KafkaConf> kafka_conf(const KafkaSettings& settings, KafkaRole role) {
    KafkaConf conf{rd_kafka_conf_new()};
    if (auto done = set_advice(conf.get(), role); !done) return done.error();
    if (auto done = set_users(conf.get(), settings.properties); !done) return done.error();
    if (auto done = set_ours(conf.get(), settings, role); !done) return done.error();
    return conf;
}

}  // namespace freshet
