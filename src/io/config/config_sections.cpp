#include "io/config/config_sections.hpp"

#include <algorithm>
#include <filesystem>

#include "io/config/config_text.hpp"

namespace freshet {
namespace {

using Kind = ConfigNode::Kind;

struct Reserved {
    std::string_view name;
    std::string_view reason;
};

constexpr Reserved kReserved[] = {
    {"auto.offset.reset",
     "it is error, because every start offset comes from the progress record; write `start:` at the source or "
     "view"},
    {"enable.auto.commit",
     "it is false, because an offset is committed only after its events are in Redis; remove it"},
    {"auto.commit.enable",
     "it is false, because an offset is committed only after its events are in Redis; remove it"},
    {"enable.auto.offset.store",
     "it is false, because an offset counts only once its events are in Redis; remove it"},
    {"enable.partition.eof",
     "it is true, because the end of a partition moves the offset over transaction markers; remove it"},
    {"isolation.level", "it is read_committed, because an aborted event must never be counted; remove it"},
    {"partition.assignment.strategy",
     "it is cooperative-sticky, because all members of the group must agree on it; remove it"},
    {"topic.metadata.refresh.interval.ms",
     "it is 1000, because a new partition must be noticed before values are called fresh; remove it"},
    {"session.timeout.ms",
     "it is 6000, because it bounds how long the partitions of a dead node stand still; remove it"},
    {"bootstrap.servers", "write kafka.brokers instead"},
    {"metadata.broker.list", "write kafka.brokers instead"},
    {"group.id", "write kafka.group instead"},
    {"client.id", "write kafka.client_id instead"},
    {"group.instance.id", "write kafka.instance instead"},
};

// Of a list, each item of which may hold several with commas between.
std::vector<Endpoint> read_endpoints(const ConfigNode& node, const std::string& what, ConfigErrors& errors) {
    std::vector<Endpoint> endpoints;
    for (const ConfigNode* item : read_list(node, what, errors)) {
        const auto text = read_text(*item, what, errors);
        if (!text) continue;
        for (std::size_t start = 0; start <= text->size();) {
            const std::size_t comma = std::min(text->find(',', start), text->size());
            std::string one = text->substr(start, comma - start);
            one.erase(0, one.find_first_not_of(' '));
            one.erase(one.find_last_not_of(' ') + 1);
            if (const auto endpoint = parse_endpoint(one, 1)) {
                endpoints.push_back(*endpoint);
            } else {
                errors.add(item->place, what + ": " + endpoint.error().message);
            }
            start = comma + 1;
        }
    }
    return endpoints;
}

void read_brokers(const ConfigNode& node, KafkaConfig& kafka, ConfigErrors& errors) {
    kafka.embedded = node.kind == Kind::scalar && node.text == "embedded";
    if (kafka.embedded) return;
    if (auto brokers = read_endpoints(node, "kafka.brokers", errors); !brokers.empty())
        kafka.brokers = std::move(brokers);
}

void read_properties(const ConfigNode& node, KafkaConfig& kafka, ConfigErrors& errors) {
    if (node.kind != Kind::map && node.kind != Kind::null) {
        errors.add(node.place, "kafka.properties is not a map; write {name: value}");
    }
    for (const ConfigEntry& entry : node.entries) {
        if (const auto reason = reserved_property(entry.key)) {
            errors.add(entry.place, "the Kafka property " + entry.key + " is ours: " + *reason);
            continue;
        }
        const auto value = read_text(entry.value, "kafka.properties." + entry.key, errors);
        if (!value) continue;
        std::string lower = *value;
        std::ranges::transform(lower, lower.begin(), [](unsigned char c) { return std::tolower(c); });
        if (!entry.value.quoted && (lower == "yes" || lower == "no" || lower == "on" || lower == "off")) {
            const std::string mend = lower == "yes" || lower == "on" ? "true" : "false";
            errors.add(entry.value.place, "kafka.properties." + entry.key + ": " + in_quotes(*value) +
                                              " is no boolean to Kafka; write " + mend +
                                              ", or put it in quotes");
        }
        kafka.properties[entry.key] = *value;
    }
}

void require_text(const MapReader& map, std::string_view key, const std::string& value, ConfigErrors& errors) {
    if (const ConfigNode* node = map.find(key); node != nullptr && value.empty()) {
        errors.add(node->place, map.name_of(key) + " is empty; give it a text, or remove the key");
    }
}

void read_kafka(const ConfigNode& node, KafkaConfig& kafka, ConfigErrors& errors) {
    const MapReader map{node,
                        "kafka",
                        {{"brokers", "group", "dead_letter_topic", "client_id", "instance", "properties"},
                         {},
                         {{"bootstrap.servers", "brokers"},
                          {"bootstrap_servers", "brokers"},
                          {"group.id", "group"},
                          {"group_id", "group"},
                          {"client.id", "client_id"},
                          {"group.instance.id", "instance"}}},
                        errors};
    if (const ConfigNode* brokers = map.find("brokers")) read_brokers(*brokers, kafka, errors);
    map.text("group", kafka.group);
    require_text(map, "group", kafka.group, errors);
    map.text("client_id", kafka.client_id);
    require_text(map, "client_id", kafka.client_id, errors);
    map.text("instance", kafka.instance);
    if (!kafka.instance.empty() && !is_topic(kafka.instance)) {
        errors.add(map.find("instance")->place,
                   "kafka.instance is not a name to Kafka; write at most 249 of a-z, A-Z, 0-9, . _ and -");
        kafka.instance.clear();
    }
    map.text("dead_letter_topic", kafka.dead_letter_topic);
    if (!kafka.dead_letter_topic.empty() && !is_topic(kafka.dead_letter_topic)) {
        errors.add(
            map.find("dead_letter_topic")->place,
            "kafka.dead_letter_topic is not a topic's name; write at most 249 of a-z, A-Z, 0-9, . _ and -");
        kafka.dead_letter_topic.clear();
    }
    if (const ConfigNode* properties = map.find("properties")) read_properties(*properties, kafka, errors);
}

void read_redis_address(const ConfigNode& node, RedisConfig& redis, ConfigErrors& errors) {
    const std::string& text = node.text;
    if (node.kind == Kind::scalar && text == "embedded") {
        redis.embedded = true;
    } else if (node.kind == Kind::scalar && (text.starts_with("/") || text.starts_with("unix:"))) {
        redis.unix_socket = text.substr(text.starts_with("unix:") ? 5 : 0);
        if (!redis.unix_socket.starts_with("/") || redis.unix_socket.size() > 107) {
            errors.add(node.place,
                       "redis.address: a socket needs an absolute path of at most 107 bytes; write "
                       "/run/redis/redis.sock");
        }
    } else if (const auto addresses = read_endpoints(node, "redis.address", errors); !addresses.empty()) {
        redis.address = addresses.front();
        redis.more_addresses.assign(addresses.begin() + 1, addresses.end());
    }
}

// A path relative to the file that it stands in.
void read_path(const MapReader& map, const ConfigNode* node, std::string_view key, std::string& path) {
    if (!node) return;
    map.text(key, path);
    if (!path.empty()) path = (std::filesystem::path{node->place.file}.parent_path() / path).string();
}

void read_client_tls(const ConfigNode& node, ClientTlsConfig& tls, ConfigErrors& errors) {
    if (node.kind == Kind::scalar) {
        if (node.text == "true" || node.text == "false") {
            tls.on = node.text == "true";
        } else {
            errors.add(node.place,
                       "redis.tls is no map; write {ca: ca.pem}, or true to trust whom the system trusts");
        }
        return;
    }
    const MapReader map{
        node,
        "redis.tls",
        {{"ca", "certificate", "key", "server_name", "verify"},
         {},
         {{"cert", "certificate"}, {"cacert", "ca"}, {"ca_file", "ca"}, {"sni", "server_name"}}},
        errors};
    tls.on = true;
    read_path(map, map.find("ca"), "ca", tls.ca);
    read_path(map, map.find("certificate"), "certificate", tls.certificate);
    read_path(map, map.find("key"), "key", tls.key);
    map.text("server_name", tls.server_name);
    map.boolean("verify", tls.verify);
    if (tls.certificate.empty() != tls.key.empty())
        errors.add(node.place, "redis.tls has one of certificate and key; write both, or neither");
    if (!tls.verify)
        errors.warn(map.find("verify")->place,
                    "redis.tls.verify is false: whoever stands between can read and change what goes to Redis");
}

void read_sentinel(const ConfigNode& node, SentinelConfig& sentinel, ConfigErrors& errors) {
    const MapReader map{node,
                        "redis.sentinel",
                        {{"addresses", "master", "user", "password"},
                         {},
                         {{"address", "addresses"},
                          {"nodes", "addresses"},
                          {"master_name", "master"},
                          {"service_name", "master"},
                          {"primary", "master"}}},
                        errors};
    if (const ConfigNode* at = map.require("addresses", "addresses: [\"10.0.0.1:26379\", ...]"))
        sentinel.addresses = read_endpoints(*at, "redis.sentinel.addresses", errors);
    if (map.require("master", "master: mymaster")) map.text("master", sentinel.master);
    require_text(map, "master", sentinel.master, errors);
    map.text("user", sentinel.user);
    map.text("password", sentinel.password);
    if (!sentinel.user.empty() && sentinel.password.empty())
        errors.add(map.find("user")->place,
                   "redis.sentinel.user has no password; add `password: ${SENTINEL_PASSWORD}`");
}

// What stands beside `sentinel` and `tls` and does not go with them.
void check_redis_ways(const MapReader& map, const RedisConfig& redis, ConfigErrors& errors) {
    const bool by_socket = redis.embedded || !redis.unix_socket.empty();
    if (redis.tls.on && by_socket)
        errors.add(map.find("tls")->place,
                   "redis.tls is of TCP, but redis.address is a socket on this machine; remove one");
    if (!map.find("sentinel")) return;
    if (map.find("address"))
        errors.add(map.find("address")->place,
                   "redis.address is what the sentinels are asked for; remove one of the two");
    if (redis.mode == RedisConfig::Mode::cluster)
        errors.add(map.find("mode")->place,
                   "redis.mode is cluster, but sentinels watch a single primary; remove one of the two");
}

void read_redis_mode(const MapReader& map, RedisConfig& redis, ConfigErrors& errors) {
    constexpr Choice modes[] = {{"auto"}, {"standalone"}, {"cluster"}};
    map.choice("mode", modes, redis.mode);
    const bool alone = redis.embedded || !redis.unix_socket.empty();
    if (redis.mode == RedisConfig::Mode::cluster && alone)
        errors.add(map.find("mode")->place,
                   "redis.mode is cluster, but its nodes must be reached by host:port; write such an address");
    if (redis.mode == RedisConfig::Mode::standalone && !redis.more_addresses.empty())
        errors.add(map.find("address")->place,
                   "redis.address names several servers, but redis.mode is standalone; write one address, or "
                   "`mode: cluster`");
}

// Only the records of a cluster say which entities a replica can vouch for.
void read_redis_read_from(const MapReader& map, RedisConfig& redis, ConfigErrors& errors) {
    constexpr Choice places[] = {{"primary"},
                                 {"replica_preferred"},
                                 {"master", true, "primary"},
                                 {"replica", true, "replica_preferred"}};
    map.choice("read_from", places, redis.read_from);
    if (redis.read_from == RedisConfig::ReadFrom::primary) return;
    std::string_view what;
    if (map.find("sentinel")) what = "sentinels watch a single primary";
    if (redis.mode == RedisConfig::Mode::standalone) what = "redis.mode is standalone";
    if (!redis.unix_socket.empty()) what = "redis.address is a socket";
    if (redis.embedded) what = "redis.address is embedded";
    if (what.empty()) return;
    errors.add(map.find("read_from")->place,
               "redis.read_from is replica_preferred, but " + std::string(what) +
                   ", and replicas are read in a Redis Cluster only; write `read_from: primary`, or remove it");
}

void read_redis(const ConfigNode& node, RedisConfig& redis, ConfigErrors& errors) {
    const MapReader map{node,
                        "redis",
                        {{"address", "mode", "prefix", "user", "password", "tls", "sentinel", "read_from"},
                         {},
                         {{"host", "address"}, {"cluster", "address"}}},
                        errors};
    if (const ConfigNode* address = map.find("address")) read_redis_address(*address, redis, errors);
    read_redis_mode(map, redis, errors);
    map.text("prefix", redis.prefix);
    if (std::ranges::any_of(redis.prefix,
                            [](unsigned char c) { return c <= ' ' || c == 127 || c == '{' || c == '}'; })) {
        errors.add(map.find("prefix")->place,
                   "redis.prefix holds a brace, a blank or a control character, which would "
                   "change the slot of a key; write one such as \"fs:\"");
    }
    map.text("user", redis.user);
    map.text("password", redis.password);
    if (!redis.user.empty() && redis.password.empty()) {
        errors.add(map.find("user")->place, "redis.user has no password; add `password: ${REDIS_PASSWORD}`");
    }
    if (const ConfigNode* tls = map.find("tls")) read_client_tls(*tls, redis.tls, errors);
    if (const ConfigNode* sentinel = map.find("sentinel")) read_sentinel(*sentinel, redis.sentinel, errors);
    check_redis_ways(map, redis, errors);
    read_redis_read_from(map, redis, errors);
}

void read_tls(const ConfigNode& node, const std::string& what, TlsConfig& tls, ConfigErrors& errors) {
    const MapReader map{
        node,
        what,
        {{"certificate", "key", "client_ca"}, {}, {{"cert", "certificate"}, {"ca", "client_ca"}}},
        errors};
    read_path(map, map.require("certificate", "certificate: node.pem"), "certificate", tls.certificate);
    read_path(map, map.require("key", "key: node.key"), "key", tls.key);
    read_path(map, map.find("client_ca"), "client_ca", tls.client_ca);
}

void read_lookup(const ConfigNode& node, LookupConfig& lookup, ConfigErrors& errors) {
    const MapReader map{node,
                        "lookup",
                        {{"listen", "users", "insecure", "readers", "cache", "max_connections",
                          "max_request_bytes", "max_entities", "tls"},
                         {},
                         {}},
                        errors};
    map.endpoint("listen", 0, lookup.listen);
    map.boolean("insecure", lookup.insecure);
    if (const ConfigNode* tls = map.find("tls")) read_tls(*tls, "lookup.tls", lookup.tls, errors);
    map.integer("readers", 1, 256, lookup.readers);
    map.bytes("cache", 0, 1LL << 40, lookup.cache);
    map.integer("max_connections", 1, 1'000'000, lookup.max_connections);
    map.bytes("max_request_bytes", 1 << 10, 512 << 20, lookup.max_request_bytes);
    map.integer("max_entities", 1, 1'000'000, lookup.max_entities);
}

void read_metrics(const ConfigNode& node, MetricsConfig& metrics, ConfigErrors& errors) {
    const MapReader map{node, "metrics", {{"listen", "auth", "insecure", "tls"}, {}, {}}, errors};
    map.endpoint("listen", 0, metrics.listen);
    map.boolean("auth", metrics.auth);
    map.boolean("insecure", metrics.insecure);
    if (const ConfigNode* tls = map.find("tls")) read_tls(*tls, "metrics.tls", metrics.tls, errors);
}

void read_store(const ConfigNode& node, StoreConfig& store, ConfigErrors& errors) {
    const MapReader map{node, "store", {{"encoding"}, {}, {}}, errors};
    constexpr Choice encodings[] = {{"protobuf"}, {"msgpack", false}, {"json", false}};
    map.choice("encoding", encodings, store.encoding);
}

void read_ingest(const ConfigNode& node, IngestConfig& ingest, ConfigErrors& errors) {
    const MapReader map{node,
                        "ingest",
                        {{"aggregators", "batch_events", "max_inflight_events", "max_inflight_bytes",
                          "memory_limit", "shed_after", "resume_after"},
                         {},
                         {}},
                        errors};
    const std::size_t before = errors.count();
    map.integer("aggregators", 1, 64, ingest.aggregators_per_partition);
    map.integer("batch_events", 1, 65'536, ingest.batch_events);
    map.integer("max_inflight_events", 1, 100'000'000, ingest.max_inflight_events);
    map.bytes("max_inflight_bytes", 64 << 10, 64LL << 30, ingest.max_inflight_bytes);
    const ConfigNode* const limit = map.find("memory_limit");
    if (!limit || limit->text != "none") map.bytes("memory_limit", 64 << 20, 1LL << 50, ingest.memory_limit);
    const auto read_time = [&](const char* name, Duration least, Duration& into) {
        if (const ConfigNode* time = map.find(name))
            into =
                read_duration(*time, map.name_of(name), least, std::chrono::hours{24}, errors).value_or(into);
    };
    read_time("shed_after", Duration{4'000}, ingest.shed_after);
    read_time("resume_after", Duration{1'000}, ingest.resume_after);
    if (errors.count() == before && ingest.max_inflight_events < ingest.batch_events) {
        const ConfigNode* at = map.find("max_inflight_events");
        if (at == nullptr) at = map.find("batch_events");
        errors.add(at->place,
                   "ingest.max_inflight_events is below ingest.batch_events, so that no batch would be full; "
                   "raise it to several times " +
                       std::to_string(ingest.batch_events));
    }
}

void read_audit(const ConfigNode& node, AuditConfig& audit, ConfigErrors& errors) {
    const MapReader map{node, "audit", {{"enabled", "every", "rate", "memory", "max_events"}, {}, {}}, errors};
    map.boolean("enabled", audit.enabled);
    if (const ConfigNode* every = map.find("every"))
        audit.every =
            read_duration(*every, map.name_of("every"), Duration{1000}, std::chrono::hours{24}, errors)
                .value_or(audit.every);
    map.bytes("rate", 1 << 10, 1LL << 40, audit.rate);
    map.bytes("memory", 1 << 20, 1LL << 40, audit.memory);
    if (const ConfigNode* most = map.find("max_events"))
        audit.max_events = read_integer(*most, map.name_of("max_events"), 1, 1'000'000'000'000, errors)
                               .value_or(audit.max_events);
}

void read_roles(const ConfigNode& node, Roles& roles, ConfigErrors& errors) {
    constexpr Choice choices[] = {{"ingest"}, {"serve"}};
    roles = {false, false};
    for (const ConfigNode* item : read_list(node, "roles", errors)) {
        const auto role = read_choice(*item, "roles", choices, errors);
        if (!role) continue;
        bool& flag = *role == 0 ? roles.ingest : roles.serve;
        if (flag)
            errors.add(item->place, "the role " + in_quotes(item->text) + " is written twice; remove one");
        flag = true;
    }
}

void read_log(const ConfigNode& node, LogConfig& log, ConfigErrors& errors) {
    const MapReader map{node, "log", {{"level", "format"}, {}, {}}, errors};
    constexpr Choice levels[] = {{"trace"}, {"debug"}, {"info"},
                                 {"warn"},  {"error"}, {"warning", true, "warn"}};
    constexpr Choice formats[] = {{"text"}, {"json"}};
    map.choice("level", levels, log.level);
    map.choice("format", formats, log.format);
}

}  // namespace

std::optional<std::string> reserved_property(std::string_view name) {
    const auto found = std::ranges::find(kReserved, name, &Reserved::name);
    if (found == std::end(kReserved)) return std::nullopt;
    return std::string{found->reason};
}

const std::vector<std::string>& section_names() {
    static const std::vector<std::string> names{"kafka",  "redis", "lookup", "metrics", "store",
                                                "ingest", "audit", "roles",  "log"};
    return names;
}

void read_sections(const ConfigNode& root, Config& config, ConfigErrors& errors) {
    if (const ConfigNode* node = root.find("kafka")) read_kafka(*node, config.kafka, errors);
    if (const ConfigNode* node = root.find("redis")) read_redis(*node, config.redis, errors);
    if (const ConfigNode* node = root.find("lookup")) read_lookup(*node, config.lookup, errors);
    if (const ConfigNode* node = root.find("metrics")) read_metrics(*node, config.metrics, errors);
    if (const ConfigNode* node = root.find("store")) read_store(*node, config.store, errors);
    if (const ConfigNode* node = root.find("ingest")) read_ingest(*node, config.ingest, errors);
    if (const ConfigNode* node = root.find("audit")) read_audit(*node, config.audit, errors);
    if (const ConfigNode* node = root.find("roles")) read_roles(*node, config.roles, errors);
    if (const ConfigNode* node = root.find("log")) read_log(*node, config.log, errors);
}

}  // namespace freshet
