#!/usr/bin/env python3
"""The self-audit against real Kafka and Redis: under load with late and broken events it finds nothing, also when the node
restarts, a feature is added or a view begins at the end of the log; a wrong value that is planted it finds, over whatever Redis
the node has."""
import pathlib
import shutil
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "chaos"))

from services import Broker, Node, Redis, wait_until

from config import configuration
from certificates import Authority
from configuration import parse_config
from load import Load
from redis_cluster import RedisCluster
from redis_sentinels import Sentinels
from self_audit import count, entity_of, plant
from test_redis_tls import TlsRedis

PARTITIONS = 3
WITHIN = 180                            # a minute is the promise; machines of tests may be busy
LATEST = """
  city_latest:
    source: orders
    entity: city
    start: latest
    features:
      orders_10s: {count: "*", window: 10s, hop: 1s}
      ever: {count: "*", window: lifetime}
"""
ADDED = '      items_max_10s: {max: items, window: 10s}\n'


class AuditTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        kafka = pathlib.Path(tempfile.mkdtemp(prefix="freshet-audit-"))
        cls.addClassCleanup(shutil.rmtree, kafka, ignore_errors=True)
        cls.broker = Broker(kafka)
        cls.addClassCleanup(cls.broker.stop)

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="freshet-audit-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.topic = self.id().rpartition(".")[2].replace("_", "-")
        self.broker.create_topic(self.topic, PARTITIONS)
        self.broker.create_topic(f"{self.topic}.dlq", 1)

    def single_redis(self, *options):
        redis = Redis(self.folder, *options)
        self.addCleanup(redis.stop)
        return redis

    def configuration(self, redis, lookup="127.0.0.1:0"):
        """`redis`: options that say how it is reached."""
        text = configuration(self.broker.brokers, "REDIS", lookup, topic=self.topic, group=self.topic, audit=True)
        return text.replace('address: "REDIS"', redis)

    def node(self, redis, more=""):
        node = Node(self.topic, self.folder, lambda lookup: self.configuration(redis, lookup) + more)
        self.addCleanup(node.end)
        return node.start()

    def load(self):
        source = parse_config(self.configuration('address: "127.0.0.1:1"')).sources["orders"]
        load = Load(self.broker.port, self.topic, PARTITIONS, source, 1, 200, 200 * 60 * 30).start()
        self.addCleanup(load.abandon)
        return load

    def rounds(self, node):
        words = node.statuses().get("audit", "not yet").split()
        return int(words[1]) if words[0] == "round" else 0

    def after_rounds(self, node, rounds):
        """Those that began after this call."""
        first = self.rounds(node) + 1
        wait_until(lambda: self.rounds(node) >= first + rounds, WITHIN, f"{rounds} rounds of the audit")

    def expect_nothing_wrong(self, node):
        self.assertEqual(count(node, "mismatches"), 0, node.statuses().get("audit last mismatch"))
        self.assertNotIn("audit mismatch", node.log)

    def test_under_load_nothing_is_found_but_what_is_planted_through_restarts_and_other_definitions(self):
        load = self.load()
        wait_until(lambda: len(load.acked) > 1000, WITHIN, "the first events are acked")
        server = self.single_redis()
        redis = f'address: "{server.address}"'
        node = self.node(redis)
        self.after_rounds(node, 4)
        self.expect_nothing_wrong(node)
        for view in ("store_totals", "store_recent", "customer", "city_express"):
            self.assertGreater(count(node, "entities", f'"{view}"'), 0, view)
        node.stop()
        node = self.node(redis)
        self.after_rounds(node, 2)
        node.kill()
        node = self.node(redis, ADDED + LATEST)
        self.after_rounds(node, 4)
        wait_until(lambda: count(node, "entities", '"city_latest"') > 0, WITHIN,
                   "the view that began at the end of the log is audited once its window has passed")
        self.after_rounds(node, 2)
        self.expect_nothing_wrong(node)
        self.assertGreater(count(node, "skipped", "incomplete"), 0)
        load.stop()
        self.after_rounds(node, 2)
        self.expect_nothing_wrong(node)
        self.expect_planted_value_found(node, [self.client(server)])

    def expect_only_planted_value_found(self, node, servers):
        load = self.load()
        wait_until(lambda: len(load.acked) > 1000, WITHIN, "the first events are acked")
        wait_until(lambda: sum(node.recorded().values()) >= len(load.acked), WITHIN, "all is counted")
        load.stop()
        self.after_rounds(node, 2)
        self.expect_nothing_wrong(node)
        for view in ("store_totals", "store_recent", "customer", "city_express"):
            self.assertGreater(count(node, "entities", f'"{view}"'), 0, view)
        self.expect_planted_value_found(node, servers)

    def expect_planted_value_found(self, node, servers):
        """And nothing else; `servers` call what holds the keys."""
        with node.client() as client:
            places = [(server, key) for server in servers
                      for key in server.call("KEYS", f"{self.topic}:{{customer@1:*}}")]
            server, key, origin, right = plant(places, lambda key: client.call("FS.GET", "customer", entity_of(key)))
        wait_until(lambda: count(node, "mismatches", '"customer"') >= 1, WITHIN, "the planted value is found")
        told = node.statuses()["audit last mismatch"]
        self.assertIn(f'view customer@1, entity "{entity_of(key)}"', told)
        self.assertIn(f"{self.topic}/{origin.decode().split('.')[0]}:", told)
        self.assertRegex(told, r"is \S+ as served .* by a recount of offsets \d+ to \d+")
        self.assertIn("audit mismatch: " + told[:40], node.log)
        self.assertEqual(count(node, "mismatches"), count(node, "mismatches", '"customer"'))
        server.call("HSET", key, origin, right)
        self.after_rounds(node, 1)
        found = count(node, "mismatches")
        self.after_rounds(node, 3)
        self.assertEqual(count(node, "mismatches"), found)

    def client(self, redis):
        client = redis.client()
        self.addCleanup(client.close)
        return client

    def test_a_planted_value_is_found_over_tls(self):
        authority = Authority(self.folder).sign("server").sign("node")
        redis = TlsRedis(self.folder, authority, "server")
        self.addCleanup(redis.stop)
        node = self.node(f'address: "127.0.0.1:{redis.tls_port}", '
                         "tls: {ca: ca.pem, certificate: node.pem, key: node.key}")
        self.expect_only_planted_value_found(node, [self.client(redis)])

    def test_a_planted_value_is_found_in_a_cluster(self):
        cluster = RedisCluster(self.folder, primaries=3)
        self.addCleanup(cluster.stop)
        self.expect_only_planted_value_found(self.node(f'address: "{cluster.nodes[0].address}"'), cluster.nodes)

    def test_a_planted_value_is_found_at_the_primary_that_sentinels_name(self):
        """After a fail-over: where the audit began is a replica."""
        former = self.single_redis()
        (self.folder / "replica").mkdir()
        primary = Redis(self.folder / "replica", "--replicaof", "127.0.0.1", str(former.port),
                        "--repl-diskless-sync-delay", "0")
        self.addCleanup(primary.stop)
        # None but the one below: what is planted would be lost with another.
        sentinels = Sentinels(self.folder, former.port, down_after_ms=120_000)
        self.addCleanup(sentinels.stop)
        node = self.node(sentinels.yaml())
        self.after_rounds(node, 1)
        wait_until(sentinels.fail_over, WITHIN, "a sentinel begins it")
        sentinels.wait_for_primary(primary.port)
        self.expect_only_planted_value_found(node, [self.client(primary)])


if __name__ == "__main__":
    unittest.main(verbosity=2)
