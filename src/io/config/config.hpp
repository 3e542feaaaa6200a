// Every option of a node, with its default, its unit and when to change it. examples/complete.yaml shows the
// same as a file, and a test compares the two. Plain data; `config_file` fills it in.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "model/definition.hpp"

namespace freshet {

// A TCP address. An IPv6 host stands without brackets here.
struct Endpoint {
    std::string host;
    std::uint16_t port = 0;

    std::string text() const {
        const bool v6 = host.find(':') != std::string::npos;
        return (v6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
    }
    // Whether nobody but this machine can connect to it.
    bool on_this_machine() const {
        const bool v4 = host.starts_with("127.") && host.find_first_not_of("0123456789.") == std::string::npos;
        return v4 || host == "localhost" || host == "::1";
    }
    friend bool operator==(const Endpoint&, const Endpoint&) = default;
};

struct KafkaConfig {
    // One or two are enough to find the rest of the cluster. Unused when `embedded`.
    std::vector<Endpoint> brokers{{"localhost", 9092}};
    // `brokers: embedded` starts a small Kafka inside the program: for trying out and for tests, it keeps 5 MiB
    // a partition and nothing across a restart.
    bool embedded = false;
    // The consumer group: every node of one deployment has the same, two deployments must differ.
    std::string group = "freshet";
    // Empty: <topic>.dlq for each source. Resolved into Source::dead_letter_topic.
    std::string dead_letter_topic;
    // Shown in the brokers' logs and quotas; the node makes it unique by itself.
    std::string client_id = "freshet";
    // Empty: none. A name of this node that it keeps across restarts and that no other node has: Kafka then
    // gives it its partitions back without a rebalance when it is back within the session timeout.
    std::string instance;
    // Handed to librdkafka as they are: security.protocol, sasl.*, ssl.*, fetch sizes. Those that exactly-once
    // depends on are refused by name.
    std::map<std::string, std::string> properties;

    friend bool operator==(const KafkaConfig&, const KafkaConfig&) = default;
};

// The end of a client. Files in PEM.
struct ClientTlsConfig {
    bool on = false;
    std::string ca;           // who vouches for the server; empty: whom this system trusts
    std::string certificate;  // shown to the server, with those that vouch for it behind; empty: none
    std::string key;
    std::string server_name;  // that the server's certificate must bear; empty: the host it is reached by
    bool verify = true;       // false: whoever answers is taken for the server

    friend bool operator==(const ClientTlsConfig&, const ClientTlsConfig&) = default;
};

// Who knows which server of a replicated set is the primary.
struct SentinelConfig {
    std::vector<Endpoint> addresses;  // empty: there are none
    std::string master;               // the name that they watch it by
    // Of the sentinels themselves. Empty: no AUTH.
    std::string user;
    std::string password;

    friend bool operator==(const SentinelConfig&, const SentinelConfig&) = default;
};

struct RedisConfig {
    // Of a cluster, one of its nodes. Unused when `embedded` or when `unix_socket` is set. All three are
    // written as `address:`.
    Endpoint address{"localhost", 6379};
    std::vector<Endpoint> more_addresses;  // nodes of the same cluster, asked where the first does not answer
    enum class Mode : std::uint8_t { automatic, standalone, cluster };
    Mode mode = Mode::automatic;  // automatic: what the server says it is
    std::string unix_socket;      // a path; saves the TCP stack when Redis runs on the same host
    bool embedded = false;  // `address: embedded` starts a private redis-server: for trying out and for tests
    // Before every key. Two deployments on one Redis need two prefixes.
    std::string prefix = "fs:";
    // Empty: no AUTH. A password without a user is the one of `requirepass`.
    std::string user;
    std::string password;
    ClientTlsConfig tls;      // to every server, sentinels too
    SentinelConfig sentinel;  // where there are some, they are asked for `address`
    // Look-ups in a cluster: at primaries, or at replicas as far as these can answer.
    enum class ReadFrom : std::uint8_t { primary, replica_preferred };
    ReadFrom read_from = ReadFrom::primary;

    friend bool operator==(const RedisConfig&, const RedisConfig&) = default;
};

// Who may look up what. `AUTH password` without a name is of the user `default`.
struct LookupUser {
    std::string name;
    std::string password_sha256;     // 32 bytes; written as `password`, `password_file` or, in hex, like this
    std::vector<std::string> views;  // that it may read, by name; patterns are resolved

    friend bool operator==(const LookupUser&, const LookupUser&) = default;
};

// Files in PEM. No certificate: no TLS.
struct TlsConfig {
    std::string certificate;  // of this node, and those that vouch for it behind
    std::string key;
    std::string client_ca;  // empty: no certificate is asked of clients

    friend bool operator==(const TlsConfig&, const TlsConfig&) = default;
};

struct LookupConfig {
    // Port 0 takes any free one. Beyond this machine it wants `users`, or `insecure`.
    Endpoint listen{"127.0.0.1", 7600};
    // None: whoever can connect reads everything.
    std::vector<LookupUser> users;
    // Says that others than this machine may read everything.
    bool insecure = false;
    TlsConfig tls;
    // Threads that answer. One does some 100 thousand single look-ups a second; more than cores gains nothing.
    int readers = 1;
    // Memory for answers of views with `freshness.cache_for`, shared out among the readers.
    std::int64_t cache = 0;
    // Over all readers; a connection costs some 20 kB. Further ones are refused.
    int max_connections = 10'000;
    // Of one request. Raise it together with max_entities.
    std::int64_t max_request_bytes = 1 << 20;
    // That one request may ask for; bounds how long it keeps a reader from the others.
    int max_entities = 10'000;

    friend bool operator==(const LookupConfig&, const LookupConfig&) = default;
};

struct MetricsConfig {
    // Serves the status page, its API, health checks, and /metrics for Prometheus. Port 0 takes any free one.
    // Beyond this machine it gives values of entities only to `lookup.users`, unless `insecure`.
    Endpoint listen{"127.0.0.1", 9464};
    // Asks for a user of `lookup.users` at /metrics, too; everything else but health checks does so anyway.
    bool auth = false;
    // Says that others than this machine may read everything here.
    bool insecure = false;
    TlsConfig tls;

    friend bool operator==(const MetricsConfig&, const MetricsConfig&) = default;
};

struct StoreConfig {
    enum class Encoding : std::uint8_t { protobuf };
    // Of the values in Redis.
    Encoding encoding = Encoding::protobuf;

    friend bool operator==(const StoreConfig&, const StoreConfig&) = default;
};

struct IngestConfig {
    // Window aggregators a partition. More than one only where a single partition outruns a core.
    int aggregators_per_partition = 1;
    // Events handed to an aggregator at once. Smaller costs throughput (64: a seventh), larger costs latency.
    int batch_events = 1024;
    // Events a partition may have read and not yet written to Redis: what is read again after a crash. In a
    // backlog, flushes gather up to half of it, so that an entity is written once for many events.
    int max_inflight_events = 1'048'576;
    // Bytes of decoded events that a partition may hold until they are counted; whichever is reached first
    // stops the reading.
    std::int64_t max_inflight_bytes = 16 << 20;
    // Bytes that this node's part that reads Kafka may take, all partitions together: entities that rest are
    // forgotten and loaded from Redis when they are touched again. 0: no limit, all entities stay in memory.
    std::int64_t memory_limit = 0;
    // How long the backlog of a source in breach stands until its views of low priority are left out, and how
    // long it keeps its limit until they are counted again.
    Duration shed_after{30'000};
    Duration resume_after{60'000};

    friend bool operator==(const IngestConfig&, const IngestConfig&) = default;
};

// Entities of the partitions that this node owns, counted again from Kafka and compared with what look-ups read
// (docs/audit.md).
struct AuditConfig {
    // Off unless asked for: it reads the log once more, and asks Kafka for the settings of its topics.
    bool enabled = false;
    // How often it goes through all partitions, if it can read them that fast.
    Duration every{30'000};
    // Bytes a second that it reads from Kafka.
    std::int64_t rate = 1 << 20;
    // For the entities it counts. Where they are more, it draws from them, others each time.
    std::int64_t memory = 16 << 20;
    // Of one partition in one go. Windows that hold more are passed over.
    std::int64_t max_events = 10'000'000;

    friend bool operator==(const AuditConfig&, const AuditConfig&) = default;
};

// What this node does. Both unless told otherwise; nodes of one deployment may differ.
struct Roles {
    bool ingest = true;  // read Kafka and write Redis
    bool serve = true;   // answer look-ups

    friend bool operator==(const Roles&, const Roles&) = default;
};

struct LogConfig {
    enum class Level : std::uint8_t { trace, debug, info, warn, error };
    enum class Format : std::uint8_t { text, json };
    Level level = Level::info;     // debug says what every flush did: not for production
    Format format = Format::text;  // json: one object a line, for a log collector

    friend bool operator==(const LogConfig&, const LogConfig&) = default;
};

struct Config {
    KafkaConfig kafka;
    RedisConfig redis;
    LookupConfig lookup;
    MetricsConfig metrics;
    StoreConfig store;
    IngestConfig ingest;
    AuditConfig audit;
    Roles roles;
    LogConfig log;
    Definitions definitions;
    // What is allowed but probably not meant, each `FILE:LINE:COLUMN: message`, in file order.
    std::vector<std::string> warnings;
};

}  // namespace freshet
