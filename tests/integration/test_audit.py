#!/usr/bin/env python3
"""The self-audit against real Kafka and Redis: under load with late and broken events it finds nothing, also when the node
restarts, a feature is added or a view begins at the end of the log; a wrong value that is planted it finds."""
import pathlib
import shutil
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "chaos"))

from services import Broker, Node, Redis, wait_until

from config import configuration
from configuration import parse_config
from load import Load

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
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="freshet-audit-"))
        cls.addClassCleanup(shutil.rmtree, cls.folder, ignore_errors=True)
        cls.broker = Broker(cls.folder / "kafka")
        cls.addClassCleanup(cls.broker.stop)
        cls.redis = Redis(cls.folder)
        cls.addClassCleanup(cls.redis.stop)

    def setUp(self):
        self.topic = self.id().rpartition(".")[2].replace("_", "-")
        self.broker.create_topic(self.topic, PARTITIONS)
        self.broker.create_topic(f"{self.topic}.dlq", 1)
        self.config = configuration(self.broker.brokers, self.redis.address, "127.0.0.1:0", topic=self.topic,
                                    group=self.topic)

    def node(self, more=""):
        node = Node(self.topic, self.folder, lambda lookup: configuration(
            self.broker.brokers, self.redis.address, lookup, topic=self.topic, group=self.topic, audit=True) + more)
        self.addCleanup(node.end)
        return node.start()

    def load(self):
        source = parse_config(self.config).sources["orders"]
        load = Load(self.broker.port, self.topic, PARTITIONS, source, 1, 200, 200 * 60 * 30).start()
        self.addCleanup(load.abandon)
        return load

    def count(self, node, what, label=""):
        return sum(value for name, value in node.metrics().items()
                   if name.startswith(f"freshet_audit_{what}_total{{") and label in name)

    def rounds(self, node):
        words = node.statuses().get("audit", "not yet").split()
        return int(words[1]) if words[0] == "round" else 0

    def after_rounds(self, node, rounds):
        """Those that began after this call."""
        first = self.rounds(node) + 1
        wait_until(lambda: self.rounds(node) >= first + rounds, WITHIN, f"{rounds} rounds of the audit")

    def expect_nothing_wrong(self, node):
        self.assertEqual(self.count(node, "mismatches"), 0, node.statuses().get("audit last mismatch"))
        self.assertNotIn("audit mismatch", node.log)

    def test_under_load_nothing_is_found_through_restarts_and_other_definitions(self):
        load = self.load()
        wait_until(lambda: len(load.acked) > 1000, WITHIN, "the first events are acked")
        node = self.node()
        self.after_rounds(node, 4)
        self.expect_nothing_wrong(node)
        for view in ("store_totals", "store_recent", "customer", "city_express"):
            self.assertGreater(self.count(node, "entities", f'"{view}"'), 0, view)
        node.stop()
        node = self.node()
        self.after_rounds(node, 2)
        node.kill()
        node = self.node(ADDED + LATEST)
        self.after_rounds(node, 4)
        wait_until(lambda: self.count(node, "entities", '"city_latest"') > 0, WITHIN,
                   "the view that began at the end of the log is audited once its window has passed")
        self.after_rounds(node, 2)
        self.expect_nothing_wrong(node)
        self.assertGreater(self.count(node, "skipped", "incomplete"), 0)
        load.stop()
        self.after_rounds(node, 2)
        self.expect_nothing_wrong(node)

    def heads(self, view):
        """{key: {origin: head}} of all entities of a view."""
        found = {}
        with self.redis.client() as client:
            for key in client.call("KEYS", f"{self.topic}:{{{view}@1:*}}"):
                pairs = client.call("HGETALL", key)
                found[key] = dict(zip(pairs[::2], pairs[1::2], strict=True))
        return found

    def test_a_planted_value_is_found_and_nothing_else(self):
        load = self.load()
        wait_until(lambda: len(load.acked) > 1000, WITHIN, "the first events are acked")
        node = self.node()
        wait_until(lambda: sum(node.recorded().values()) >= len(load.acked), WITHIN, "all is counted")
        load.stop()
        self.after_rounds(node, 2)
        self.expect_nothing_wrong(node)
        # The head of another customer, as a program would leave it that takes one for the other.
        heads = self.heads("customer")
        planted, origin, head = next((key, origin, other[origin]) for key, mine in heads.items()
                                     for other in heads.values() if other is not mine
                                     for origin in mine if origin in other and other[origin] != mine[origin])
        right = heads[planted][origin]
        self.redis.command("HSET", planted, origin, head)
        wait_until(lambda: self.count(node, "mismatches", '"customer"') >= 1, WITHIN, "the planted value is found")
        told = node.statuses()["audit last mismatch"]
        entity = planted.decode().rpartition(":")[2].rstrip("}")
        self.assertIn(f'view customer@1, entity "{entity}"', told)
        self.assertIn(f"{self.topic}/{origin.decode().split('.')[0]}:", told)
        self.assertRegex(told, r"is \S+ as served .* by a recount of offsets \d+ to \d+")
        self.assertIn("audit mismatch: " + told[:40], node.log)
        self.assertEqual(self.count(node, "mismatches"), self.count(node, "mismatches", '"customer"'))
        self.redis.command("HSET", planted, origin, right)
        self.after_rounds(node, 1)
        found = self.count(node, "mismatches")
        self.after_rounds(node, 3)
        self.assertEqual(self.count(node, "mismatches"), found)


if __name__ == "__main__":
    unittest.main(verbosity=2)
