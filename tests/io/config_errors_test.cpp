// What load_config says of wrong configurations: every message with its exact place.
#include <doctest/doctest.h>

#include <sstream>
#include <string>
#include <utility>

#include "io/config/config_file.hpp"

namespace freshet {
namespace {

const std::string kSource = "sources: {s: {topic: t, fields: {n: int, x: float, name: string, ok: bool}}}\n";
const std::string kView = "views: {v: {source: s, entity: name, features: {c: {count: \"*\", window: 1h}}}}\n";

std::string error_of(const std::string& text) {
    const auto config = parse_config(text, "c.yaml");
    return config ? "no error" : config.error().message;
}

// Every input of a table stands on a line, below it its error without the file's name; the first line is empty.
void check_table(const std::string& table, const std::string& before, const std::string& after = "") {
    std::istringstream lines{table.substr(1)};
    std::string input;
    std::string expected;
    int rows = 0;
    for (; std::getline(lines, input) && std::getline(lines, expected); ++rows) {
        CAPTURE(input);
        CHECK(error_of(before + input + after) == "c.yaml:" + expected.substr(expected.find_first_not_of(' ')));
    }
    CHECK(rows > 0);
}

TEST_CASE("what is not the YAML we take is refused where it stands") {
    const std::pair<std::string, std::string> cases[] = {
        {"", "1:1: the file is empty"},
        {"# nothing", "1:1: the file is empty"},
        {"- a", "1:1: a configuration is a map"},
        {"\xEF\xBB\xBFview: {}", "1:1: unknown key \"view\"; did you mean \"views\"?"},
        {std::string("a: \0", 4), "1:1: this is not UTF-8 text"},
        {"kafka: {grüp: 1, x: 2}", "1:9: unknown key \"grüp\""},
        {"log: {level: ä, format: ö, x: 1}", "1:14: log.level: unknown value \"ä\""},
        {"sources: [a]", "1:10: sources is not a map"},
        {"a: 1\na: 2", "2:1: the key \"a\" is already written in line 1; remove or rename one of the two"},
        {"kafka: {group: a,\n group: b}", "2:2: the key \"group\" is already written in line 1"},
        {"kafka: &k {group: a}", "1:8: anchors (&) and aliases (*) are not supported"},
        {"kafka: {group: a}\nredis: *k", "2:8: this is not valid YAML (the referenced anchor is not defined)"},
        {"kafka:\n  <<: {group: a}", "2:3: merge keys (<<) are not supported; write the entries out"},
        {"kafka: {group: !!str a}", "1:16: YAML tags (!) are not supported"},
        {"? [a]\n: b", "1:3: a key must be text"},
        {"~: b", "1:1: a key must be text"},
        {"kafka: {}\n---\nredis: {}", "2:1: the configuration ends above this line"},
        {"a: b: c", "1:5: this is not valid YAML (illegal map value); put text that holds \": \" in quotes"},
        {"kafka:\n\tgroup: a", "2:7: this is not valid YAML (illegal map value)"},
        {"kafka: {group: a\n", "2:1: this is not valid YAML (end of map flow not found); close the {"},
        {"kafka: {group: \"a}", "1:19: this is not valid YAML (illegal EOF in scalar); close the quotes"},
        {"kafka: {group: @a}", "1:16: this is not valid YAML (unknown token)"},
        {"kafka: {group: ${A}}", "1:17: this is not valid YAML (end of map flow not found)"},
        {"kafka: {}", "1:1: no view is declared; add one under `views:`"},
        {kSource + "views: {v: }", "2:9: view v is empty"},
        {"sources: {s: }", "1:11: source s is empty"},
        {std::string(100'000, '['), "1:"},
    };
    for (const auto& [input, expected] : cases) {
        CAPTURE(input.substr(0, 80));
        CHECK(error_of(input).starts_with("c.yaml:" + expected));
    }
}

TEST_CASE("a wrong setting is told with its place and the mend") {
    check_table(R"(
kafak: {}
    3:1: unknown key "kafak"; did you mean "kafka"?
zzzzzz: {}
    3:1: unknown key "zzzzzz"; there are: sources, views, services, kafka, redis, lookup, metrics, store, ingest, audit, roles, log, include
kafka: 3
    3:8: kafka has a single value; write a map with keys among: brokers, group, dead_letter_topic, client_id, instance, properties
kafka: {brokres: a}
    3:9: unknown key "brokres"; did you mean "brokers"? (in kafka)
kafka: {group.id: a}
    3:9: unknown key "group.id"; write "group" (in kafka)
kafka: {brokers: localhost}
    3:18: kafka.brokers: "localhost" is not an address: it has no port; write host:port, such as 127.0.0.1:7600
kafka: {brokers: []}
    3:18: kafka.brokers has an empty list; write a list, such as [a, b]
kafka: {brokers: }
    3:9: kafka.brokers has no value; write a list, such as [a, b]
kafka: {brokers: "a:1,,b:2"}
    3:18: kafka.brokers: "" is not an address: it has no port; write host:port, such as 127.0.0.1:7600
kafka: {brokers: [embedded, "a:1"]}
    3:19: kafka.brokers: "embedded" is not an address: it has no port; write host:port, such as 127.0.0.1:7600
kafka: {group: }
    3:9: kafka.group has no value; write text, or remove the key
kafka: {group: ""}
    3:16: kafka.group is empty; give it a text, or remove the key
kafka: {dead_letter_topic: "a b"}
    3:28: kafka.dead_letter_topic is not a topic's name; write at most 249 of a-z, A-Z, 0-9, . _ and -
kafka: {dead_letter_topic: t}
    1:22: source s.topic is its own dead-letter topic, so that a dead letter would come back for ever; choose another dead_letter_topic
kafka: {properties: {enable.auto.commit: true}}
    3:22: the Kafka property enable.auto.commit is ours: it is false, because an offset is committed only after its events are in Redis; remove it
kafka: {properties: {a: {b: c}}}
    3:25: kafka.properties.a has a map; write text
kafka: {properties: {enable.ssl.certificate.verification: No}}
    3:59: kafka.properties.enable.ssl.certificate.verification: "No" is no boolean to Kafka; write false, or put it in quotes
kafka: {properties: {auto.offset.reset: x}}
    3:22: the Kafka property auto.offset.reset is ours: it is error, because every start offset comes from the progress record; write `start:` at the source or view
kafka: {properties: {enable.auto.offset.store: x}}
    3:22: the Kafka property enable.auto.offset.store is ours: it is false, because an offset counts only once its events are in Redis; remove it
kafka: {properties: {enable.partition.eof: x}}
    3:22: the Kafka property enable.partition.eof is ours: it is true, because the end of a partition moves the offset over transaction markers; remove it
kafka: {properties: {isolation.level: x}}
    3:22: the Kafka property isolation.level is ours: it is read_committed, because an aborted event must never be counted; remove it
kafka: {properties: {partition.assignment.strategy: x}}
    3:22: the Kafka property partition.assignment.strategy is ours: it is cooperative-sticky, because all members of the group must agree on it; remove it
kafka: {properties: {topic.metadata.refresh.interval.ms: x}}
    3:22: the Kafka property topic.metadata.refresh.interval.ms is ours: it is 1000, because a new partition must be noticed before values are called fresh; remove it
kafka: {properties: {session.timeout.ms: x}}
    3:22: the Kafka property session.timeout.ms is ours: it is 6000, because it bounds how long the partitions of a dead node stand still; remove it
kafka: {properties: {bootstrap.servers: x}}
    3:22: the Kafka property bootstrap.servers is ours: write kafka.brokers instead
kafka: {properties: {group.id: x}}
    3:22: the Kafka property group.id is ours: write kafka.group instead
kafka: {properties: {client.id: x}}
    3:22: the Kafka property client.id is ours: write kafka.client_id instead
kafka: {properties: {group.instance.id: x}}
    3:22: the Kafka property group.instance.id is ours: write kafka.instance instead
kafka: {instance: "a b"}
    3:19: kafka.instance is not a name to Kafka; write at most 249 of a-z, A-Z, 0-9, . _ and -
redis: {address: "localhost"}
    3:18: redis.address: "localhost" is not an address: it has no port; write host:port, such as 127.0.0.1:7600
redis: {address: "unix:a"}
    3:18: redis.address: a socket needs an absolute path of at most 107 bytes; write /run/redis/redis.sock
redis: {cluster: ["a:1"]}
    3:9: unknown key "cluster"; write "address" (in redis)
redis: {address: ["a:1", "b"]}
    3:26: redis.address: "b" is not an address: it has no port; write host:port, such as 127.0.0.1:7600
redis: {address: "/a.sock", mode: cluster}
    3:35: redis.mode is cluster, but its nodes must be reached by host:port; write such an address
redis: {address: "a:1, b:2", mode: standalone}
    3:18: redis.address names several servers, but redis.mode is standalone; write one address, or `mode: cluster`
redis: {prefix: "a{b}"}
    3:17: redis.prefix holds a brace, a blank or a control character, which would change the slot of a key; write one such as "fs:"
redis: {user: me}
    3:15: redis.user has no password; add `password: ${REDIS_PASSWORD}`
redis: {host: a}
    3:9: unknown key "host"; write "address" (in redis)
redis: {tls: yes}
    3:14: redis.tls is no map; write {ca: ca.pem}, or true to trust whom the system trusts
redis: {tls: {cert: a.pem}}
    3:15: unknown key "cert"; write "certificate" (in redis.tls)
redis: {tls: {certificate: a.pem}}
    3:14: redis.tls has one of certificate and key; write both, or neither
redis: {address: /a.sock, tls: true}
    3:32: redis.tls is of TCP, but redis.address is a socket on this machine; remove one
redis: {sentinel: {addresses: "a:1"}}
    3:19: redis.sentinel has no "master"; add it, such as master: mymaster
redis: {sentinel: {addresses: "a", master: m}}
    3:31: redis.sentinel.addresses: "a" is not an address: it has no port; write host:port, such as 127.0.0.1:7600
redis: {sentinel: {addresses: "a:1", master: m, user: u}}
    3:55: redis.sentinel.user has no password; add `password: ${SENTINEL_PASSWORD}`
redis: {address: "a:1", sentinel: {addresses: "a:1", master: m}}
    3:18: redis.address is what the sentinels are asked for; remove one of the two
redis: {mode: cluster, sentinel: {addresses: "a:1", master: m}}
    3:15: redis.mode is cluster, but sentinels watch a single primary; remove one of the two
redis: {read_from: replica}
    3:20: redis.read_from: unknown value "replica"; write "replica_preferred"
redis: {address: embedded, read_from: replica_preferred}
    3:39: redis.read_from is replica_preferred, but redis.address is embedded, and replicas are read in a Redis Cluster only; write `read_from: primary`, or remove it
redis: {address: /a.sock, read_from: replica_preferred}
    3:38: redis.read_from is replica_preferred, but redis.address is a socket, and replicas are read in a Redis Cluster only; write `read_from: primary`, or remove it
redis: {mode: standalone, read_from: replica_preferred}
    3:38: redis.read_from is replica_preferred, but redis.mode is standalone, and replicas are read in a Redis Cluster only; write `read_from: primary`, or remove it
redis: {sentinel: {addresses: "a:1", master: m}, read_from: replica_preferred}
    3:61: redis.read_from is replica_preferred, but sentinels watch a single primary, and replicas are read in a Redis Cluster only; write `read_from: primary`, or remove it
lookup: {listen: 7600}
    3:18: lookup.listen: "7600" is not an address: it has no port; write host:port, such as 127.0.0.1:7600
lookup: {listen: "::1:7600"}
    3:18: lookup.listen: "::1:7600" is not an address: an IPv6 host stands in brackets, as in [::1]:7600; write host:port, such as 127.0.0.1:7600
lookup: {listen: ":7600"}
    3:18: lookup.listen: ":7600" is not an address: it has no host (0.0.0.0 is every IPv4 address of this machine); write host:port, such as 127.0.0.1:7600
lookup: {listen: "a:70000"}
    3:18: lookup.listen: "a:70000" is not an address: the port is not a number from 0 to 65535; write host:port, such as 127.0.0.1:7600
lookup: {readers: 012}
    3:19: lookup.readers: "012" has a leading zero, which some read as octal; write 12
lookup: {readers: yes}
    3:19: lookup.readers: "yes" is not a whole number; write it in plain decimal digits
lookup: {readers: "1"}
    3:19: lookup.readers is text; write a whole number without quotes
lookup: {readers: 0}
    3:19: lookup.readers is out of range; write a number from 1 to 256
lookup: {readers: 99999999999999999999}
    3:19: lookup.readers: "99999999999999999999" is out of range; write a number of at most 18 digits
lookup: {readers: }
    3:10: lookup.readers has no value; write a whole number, or remove the key
lookup: {max_request_bytes: 1MB}
    3:29: lookup.max_request_bytes: "1MB" is not a size; write a number of bytes, or one with a unit such as 64KiB, 1MiB or 2GiB
lookup: {max_request_bytes: 1}
    3:29: lookup.max_request_bytes is out of range; write a number of bytes from 1024 to 536870912
store: {encoding: msgpack}
    3:19: store.encoding: the value "msgpack" is not supported yet; there are: protobuf
store: {encoding: json}
    3:19: store.encoding: the value "json" is not supported yet; there are: protobuf
ingest: {batch_events: 5, max_inflight_events: 4}
    3:48: ingest.max_inflight_events is below ingest.batch_events, so that no batch would be full; raise it to several times 5
ingest: {memory_limit: 1GB}
    3:24: ingest.memory_limit: "1GB" is not a size; write a number of bytes, or one with a unit such as 64KiB, 1MiB or 2GiB
ingest: {memory_limit: 1MiB}
    3:24: ingest.memory_limit is out of range; write a number of bytes from 67108864 to 1125899906842624
audit: true
    3:8: audit has a single value; write a map with keys among: enabled, every, rate, memory, max_events
audit: {enable: true}
    3:9: unknown key "enable"; did you mean "enabled"? (in audit)
audit: {enabled: maybe}
    3:18: audit.enabled: unknown value "maybe"; there are: false, true
audit: {every: 10ms}
    3:16: audit.every is out of range; write a duration from 1s to 1d
audit: {rate: 1MB}
    3:15: audit.rate: "1MB" is not a size; write a number of bytes, or one with a unit such as 64KiB, 1MiB or 2GiB
audit: {memory: 1}
    3:17: audit.memory is out of range; write a number of bytes from 1048576 to 1099511627776
audit: {max_events: 0}
    3:21: audit.max_events is out of range; write a number from 1 to 1000000000000
roles: []
    3:8: roles has an empty list; write a list, such as [a, b]
roles: [serve, serve]
    3:16: the role "serve" is written twice; remove one
log: {level: warning}
    3:14: log.level: unknown value "warning"; write "warn"
include: no_such_file.yaml
    3:10: include: there is no file "no_such_file.yaml"; the path is relative to this file
)",
                kSource + kView);
}

TEST_CASE("a wrong source is told with its place and the mend") {
    check_table(R"(
{}
    3:6: source s has no "topic"; add it, such as topic: s
t
    3:6: source s has a single value; write a map with keys among: topic, format, start, time, fields, max_future, max_jump, dead_letter_topic, priority
{topic: t}
    3:6: source s has no "fields"; add it, such as fields: {amount: float}
{topic: "a b", fields: {n: int}}
    3:14: source s.topic: "a b" is not a topic's name; write at most 249 of a-z, A-Z, 0-9, . _ and -
{topic: t, fields: {n: integer}}
    3:29: source s.fields.n: unknown value "integer"; write "int"
{topic: t, fields: {n: yes}}
    3:29: source s.fields.n: unknown value "yes"; there are: int, float, string, bool
{topic: t, fields: {userId: int}}
    3:26: "userId" cannot name a field; write a lower-case name of a-z, 0-9 and _, and the key of the event as its path, such as user_id: {type: int, path: userId}
{topic: t, fields: {in: int}}
    3:26: "in" is a word of `where` and cannot name a field; choose another name and write path: in
{topic: t, fields: {n: {type: int, path: a..b}}}
    3:47: source s.fields.n.path is no path; write the keys from the outside in, such as a.b
{topic: t, fields: {n: {type: int, pth: a}}}
    3:41: unknown key "pth"; did you mean "path"? (in source s.fields.n)
{topic: t, fields: {n: int, n: int}}
    3:34: the key "n" is already written in line 3; remove or rename one of the two
{topic: t, fields: {n: int}, format: avro}
    3:43: source s.format: the value "avro" is not supported yet; there are: json
{topic: t, fields: {n: int}, start: now}
    3:42: source s.start: "now" is no start; write earliest, latest or a time with its zone, such as 2024-05-01T00:00:00Z
{topic: t, fields: {n: int}, start: "2024-05-01T00:00:00"}
    3:42: source s.start: "2024-05-01T00:00:00" is no start; write earliest, latest or a time with its zone, such as 2024-05-01T00:00:00Z
{topic: t, fields: {n: int}, time: n}
    3:41: source s.time is neither `kafka` nor a map; write {field: ts, format: unix_ms}
{topic: t, fields: {n: int}, time: {field: n}}
    3:41: source s.time has no "format"; add it, such as format: iso8601
{topic: t, fields: {n: int}, time: {field: n, format: iso8601}}
    3:49: source s.time.field: n is declared as int, which the format cannot read; change the format or the field's type
{topic: t, fields: {n: int}, time: {field: n, format: unix_sm}}
    3:60: source s.time.format: unknown time format "unix_sm"; did you mean "unix_ms"? (or a pattern such as "%Y-%m-%d %H:%M:%S")
{topic: t, fields: {n: int}, time: {field: d, format: "%Y-%m"}}
    3:60: source s.time.format: a pattern needs at least %Y, %m and %d; write a pattern such as "%Y-%m-%d %H:%M:%S"
{topic: t, fields: {n: int}, time: {field: d, format: "%Y-%m-%d %I"}}
    3:60: source s.time.format: %I is not one of %Y %m %d %H %M %S; write a pattern such as "%Y-%m-%d %H:%M:%S"
{topic: t, fields: {n: int}, time: {field: d, format: "%Y%m%d%M"}}
    3:60: source s.time.format: %M needs %H, and %S needs %M; write a pattern such as "%Y-%m-%d %H:%M:%S"
{topic: t, fields: {n: int}, time: {field: d, format: "%Y%m%d", zone: Berlin!}}
    3:76: source s.time.zone: "Berlin!" is no IANA time zone; write one such as UTC or Europe/Berlin
{topic: t, fields: {n: int}, time: {field: n, format: unix, zone: UTC}}
    3:72: source s.time.zone only goes with a pattern, other formats say their zone; remove it
{topic: t, fields: {n: int}, time: {field: .a, format: unix}}
    3:49: source s.time.field is no path; write the keys from the outside in, such as a.b
{topic: t, fields: {n: int}, max_future: 5}
    3:47: source s.max_future: "5" has no unit; write 5s for seconds, or ms, m, h, d
{topic: t, fields: {n: int}, max_jump: 10ms}
    3:45: source s.max_jump is out of range; write a duration from 1s to 3650d
{topic: t, fields: {n: int}, max_jump: 1h30m}
    3:45: source s.max_jump: "1h30m" is not a duration; write a whole number and one unit, such as 500ms, 30s, 5m, 1h or 7d
{topic: t, fields: {n: int}, dead_letter_topic: t}
    3:54: source s.topic is its own dead-letter topic, so that a dead letter would come back for ever; choose another dead_letter_topic
)",
                kView + "sources:\n  s: ");
}

TEST_CASE("a wrong view is told with its place and the mend") {
    check_table(R"(
{}
    3:6: view v has no "source"; add it, such as source: events
{source: x, entity: name, features: {c: {count: "*", window: 1h}}}
    3:15: view v: unknown source "x"; there are: s
{source: s, features: {c: {count: "*", window: 1h}}}
    3:6: view v has no "entity"; add it, such as entity: user_id
{source: s, entity: nam, features: {c: {count: "*", window: 1h}}}
    3:26: view v.entity: unknown field "nam"; did you mean "name"? (of source s)
{source: s, entity: x, features: {c: {count: "*", window: 1h}}}
    3:26: view v.entity: x is a float, which does not identify anything; use an int, string or bool field
{source: s, entity: [n, n], features: {c: {count: "*", window: 1h}}}
    3:30: view v.entity names n twice; remove one
{source: s, entity: n}
    3:6: view v has no "features"; add it, such as features: {events_1h: {count: "*", window: 1h}}
{source: s, entity: n, features: {}}
    3:39: view v has no features; write {events_1h: {count: "*", window: 1h}}
{source: s, entity: n, features: {c: {count: "*", window: 1h}, c: {count: n, window: 1h}}}
    3:69: the key "c" is already written in line 3; remove or rename one of the two
{source: s, entity: n, features: {Count: {count: "*", window: 1h}}}
    3:40: "Count" cannot name a feature; write a lower-case letter and at most 63 further of a-z, 0-9 and _, such as "count"
)",
                kSource + "views:\n  v: ");
}

TEST_CASE("a wrong option of a view is told with its place and the mend") {
    check_table(R"(
version: 0
    3:79: view v.version is out of range; write a number from 1 to 1000000
version: 1.5
    3:79: view v.version: "1.5" is not a whole number; write it in plain decimal digits
clock: evnt
    3:77: view v.clock: unknown value "evnt"; did you mean "event"?
start: sometime
    3:77: view v.start: "sometime" is no start; write earliest, latest or a time with its zone, such as 2024-05-01T00:00:00Z
retain: 1
    3:78: view v.retain: "1" has no unit; write 1s for seconds, or ms, m, h, d
where: n >
    3:80: view v.where: expected a field or a value, found the end; write it like amount > 10 and country in ['de', 'fr']
where: "nn > 1"
    3:78: view v.where: unknown field 'nn'; did you mean 'n'?
where: 'name > 1'
    3:85: view v.where: name is string and cannot be compared with an int; write it like amount > 10 and country in ['de', 'fr']
"where": "n\u0020> x x"
    3:79: view v.where: column 7: expected the end, found 'x'; write it like amount > 10 and country in ['de', 'fr']
freshness: 5s
    3:81: view v.freshness has a single value; write a map with keys among: max_staleness, on_breach, cache_for
freshness: 
    3:70: view v.freshness is empty; write {max_staleness: 5s}
freshness: {}
    3:81: view v.freshness has no "max_staleness"; add it, such as max_staleness: 5s
freshness: {max_staleness: 0s}
    3:97: view v.freshness.max_staleness is below 1s, but freshness is measured about once a second; write at least 1s, better 3s
freshness: {max_staleness: -1s}
    3:97: view v.freshness.max_staleness is negative; write at least 1s
freshness: {cache_for: -1s}
    3:93: view v.freshness.cache_for is negative; write 100ms, or 0s for none
freshness: {max_staleness: 2s, cache_for: 2s}
    3:112: view v.freshness.cache_for is not below max_staleness, so that what is kept would be stale before it is read again; write at most half of max_staleness
freshness: {max_staleness: 500ms}
    3:97: view v.freshness.max_staleness is below 1s, but freshness is measured about once a second; write at least 1s, better 3s
freshness: {max_staleness: 5s, on_breach: nul}
    3:112: view v.freshness.on_breach: unknown value "nul"; did you mean "null"?
freshness: {max_staleness: 5s, on_breach: }
    3:101: view v.freshness.on_breach has no value; write one of flag, null, default, error, or remove the key
priority: high
    3:80: view v.priority is low or normal, since all views of a source are counted together; write `priority: high` at the source, or `priority: low` at the views that may be left out for others
priority: lo
    3:80: view v.priority: unknown value "lo"; did you mean "low"?
priority:
    3:70: view v.priority has no value; write one of low, normal, or remove the key
owner: Risk
    3:77: view v.owner: "Risk" cannot name an owner; write a lower-case letter and at most 63 further of a-z, 0-9, _ and -
owner: [risk]
    3:77: view v.owner has a list; write text
entities: n
    3:70: unknown key "entities"; write "entity" (in view v)
ttl: 1d
    3:70: unknown key "ttl"; there are: version, source, entity, clock, start, where, retain, features, freshness, priority, owner (in view v)
)",
                kSource + "views:\n  v: {source: s, entity: n, features: {c: {count: \"*\", window: 1h}}, ",
                "}");
}

TEST_CASE("a wrong feature is told with its place and the mend") {
    check_table(R"(
5
    7:10: feature v.f has a single value; write a map with keys among: count, sum, mean, min, max, variance, stddev, first, last, count_distinct, quantile, q, window, hop, where, freshness, default
{}
    7:10: feature v.f has no aggregate; add one, such as count: "*" or mean: amount
{count: "*"}
    7:10: feature v.f has no window; add one, such as window: 1h or window: lifetime
{count: *, window: 1h}
    7:19: this is not valid YAML (alias not found after *); put * in quotes, as in {count: "*"}
{count: "*", mean: n, window: 1h}
    7:23: feature v.f has two aggregates, count and mean; make two features of it
{avg: n, window: 1h}
    7:11: unknown key "avg"; write "mean" (in feature v.f)
{mean: m, window: 1h}
    7:17: feature v.f: unknown field "m"; there are: n, x, name, ok (of source s)
{mean: name, window: 1h}
    7:17: feature v.f: mean needs a number, but name is a string; name an int or float field, or use count, count_distinct, first or last
{quantile: name, q: 0.5, window: 1h}
    7:21: feature v.f: quantile needs a number, but name is a string; name an int or float field, or use count, count_distinct, first or last
{sum: "*", window: 1h}
    7:16: feature v.f: only count takes "*"; name a field after sum
{quantile: n, window: 1h}
    7:21: feature v.f: quantile needs q; add q: 0.95 for the 95th percentile
{quantile: n, q: 1.5, window: 1h}
    7:27: feature v.f.q is out of range; write a number from 0 to 1, such as 0.95
{quantile: n, q: nan, window: 1h}
    7:27: feature v.f.q: "nan" is not a number; write one such as 0.95
{quantile: n, q: "0.5", window: 1h}
    7:27: feature v.f.q is text; write a number without quotes
{mean: n, q: 0.5, window: 1h}
    7:23: feature v.f: q only goes with quantile; remove it
{mean: n, window: 1h, hop: 7m}
    7:37: feature v.f.hop of 7m does not divide the window of 1h; the nearest that does is 400s
{mean: n, window: 1h, hop: 2h}
    7:37: feature v.f.hop is longer than 1h, its window; write one that divides the window
{mean: n, window: 1h, hop: 500ms}
    7:37: feature v.f.hop is not a whole number of seconds, at least one; write 1s
{mean: n, window: 1500ms}
    7:28: feature v.f.window is not a whole number of seconds, at least one; write 2s
{mean: n, window: 0s}
    7:28: feature v.f.window is not a whole number of seconds, at least one; write 1s
{mean: n, window: 3651d}
    7:28: feature v.f.window is longer than 3650d; write a shorter one, or window: lifetime
{mean: n, window: one hour}
    7:28: feature v.f.window: "one hour" is not a duration; write a whole number and one unit, such as 500ms, 30s, 5m, 1h or 7d
{mean: n, window: lifetime, hop: 1d}
    7:43: feature v.f: a lifetime window has no hop; remove it
{mean: n, window: 1h, where: delay > 3}
    7:39: feature v.f.where: unknown field 'delay'; there are: n, x, name, ok
{mean: n, window: 1h, where: "n = 3"}
    7:42: feature v.f.where: expected '==', found '='; write it like amount > 10 and country in ['de', 'fr']
{last_n: n, window: 1h}
    7:11: the key "last_n" is not supported yet; there are: count, sum, mean, min, max, variance, stddev, first, last, count_distinct, quantile, q, window, hop, where, freshness, default (in feature v.f)
{count: "*", window: {tumbling: 1d}}
    7:31: feature v.f: tumbling windows are not supported yet; write a sliding one, such as window: 1h, or window: lifetime
{count: "*", window: session}
    7:31: feature v.f: session windows are not supported yet; write a sliding one, such as window: 1h, or window: lifetime
{count: "*", window: 1h, freshness: 5s}
    7:46: feature v.f.freshness has a single value; write a map with keys among: max_staleness, on_breach
{count: "*", window: 1h, freshness: {}}
    7:46: feature v.f.freshness is empty; write {max_staleness: 5s}, or {on_breach: null} to differ from the view in that alone
{count: "*", window: 1h, freshness: {max_staleness: 0s}}
    7:62: feature v.f.freshness.max_staleness is below 1s, but freshness is measured about once a second; write at least 1s, better 3s
{count: "*", window: 1h, freshness: {max_staleness: -3s}}
    7:62: feature v.f.freshness.max_staleness is negative; write at least 1s
{count: "*", window: 1h, freshness: {max_staleness: 5s, cache_for: 1s}}
    7:66: unknown key "cache_for"; there are: max_staleness, on_breach (in feature v.f.freshness)
{count: "*", window: 1h, freshness: {max_staleness: 5s, on_breach: nil}}
    7:77: feature v.f.freshness.on_breach: unknown value "nil"; there are: flag, null, default, error
{count: "*", window: 1h, freshness: {on_breach: null}}
    7:58: feature v.f.freshness.on_breach never applies, since neither the feature nor the view has a max_staleness; add one, such as max_staleness: 5s
{count: "*", window: 1h, default: 1.5}
    7:44: feature v.f.default: "1.5" is not a whole number; write it in plain decimal digits
{mean: n, window: 1h, default: none}
    7:41: feature v.f.default: "none" is not a number; write one such as 0.95
{last: ok, window: 1h, default: maybe}
    7:42: feature v.f.default: unknown value "maybe"; there are: false, true
)",
                kSource + "views:\n  v:\n    source: s\n    entity: name\n    features:\n      f: ");
}

TEST_CASE("a wrong service is told with its place and the mend") {
    check_table(R"(
[]
    4:6: service m is not a list of features; write [view.feature, view.feature]
[c]
    4:7: service m: "c" is not view.feature; write the view, a dot and the feature
[w.c]
    4:7: service m: unknown view "w"; there are: v
[vv.c]
    4:7: service m: unknown view "vv"; did you mean "v"?
[v.d]
    4:7: service m: unknown feature "d"; there are: c (of view v)
[v.c, v.c]
    4:12: service m holds v.c twice; remove one
)",
                kSource + kView + "services:\n  m: ");
}

}  // namespace
}  // namespace freshet
