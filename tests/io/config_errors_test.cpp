// What load_config says of YAML that it does not take, and of wrong settings and sources.
#include "support/config_errors.hpp"

#include <utility>

namespace freshet {
namespace {

using namespace test::config_errors;

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
    for (const auto& pair : cases) {
        CAPTURE(pair.first.substr(0, 80));
        CHECK(error_of(pair.first).starts_with("c.yaml:" + pair.second));
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

}  // namespace
}  // namespace freshet
