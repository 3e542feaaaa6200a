#!/usr/bin/env python3
"""A source that has more to count than its node can, against real Kafka and Redis: views of low priority are left out,
called incomplete, and counted again when it keeps its limit; then all values equal the oracle's."""
import pathlib
import shutil
import sys
import tempfile
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "chaos"))

from services import HOST, Broker, Node, Redis, wait_until

import verdict
from configuration import parse_config
from delaying_proxy import DelayingProxy
from generate_events import SOURCE_YAML
from load import Load
from resp import RespError

EVENTS_A_SECOND = 400
MOST_EVENTS = 60_000
WITHIN = 60
TOPIC = "orders"
DELAY = 0.3                             # of Redis, so that a partition stores less than arrives
ENTITY = "s1"
LOW = ("store_slow", "store_newest")

NODE = """
kafka: {{brokers: "{brokers}", group: shedding, dead_letter_topic: letters}}
redis: {{address: "{redis}", prefix: "shedding:"}}
lookup: {{listen: "{lookup}"}}
metrics: {{listen: "127.0.0.1:0"}}
ingest: {{batch_events: 32, max_inflight_events: 64, shed_after: 4s, resume_after: 2s}}
audit: {{enabled: true, every: 1s, rate: 8MiB}}
roles: [{roles}]
"""
VIEWS = """
sources:
  orders:
{source}
views:
  store_now:
    source: orders
    entity: store
    freshness: {{max_staleness: 3s}}
    features:
      orders_ever: {{count: "*", window: lifetime}}
      items_5s: {{sum: items, window: 5s}}
  store_slow:
    source: orders
    entity: store
    priority: low
    freshness: {{max_staleness: 3s}}
    features:
      orders_5s: {{count: "*", window: 5s}}
      items_8s: {{sum: items, window: 8s}}
  store_newest:
    source: orders
    entity: store
    clock: event
    priority: low
    features:
      orders_5s: {{count: "*", window: 5s}}
      amount_max_8s: {{max: amount, window: 8s}}
""".format(source=SOURCE_YAML.replace("max_future: 1m", "max_future: 1s"))


class Shedding(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="freshet-shedding-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.broker = Broker(self.folder / "kafka")
        self.addCleanup(self.broker.stop)
        for topic in (TOPIC, "letters"):
            self.broker.create_topic(topic, 1)
        self.redis = Redis(self.folder)
        self.addCleanup(self.redis.stop)
        self.proxy = DelayingProxy(self.redis.port)
        self.addCleanup(self.proxy.close)
        self.counting = self.node("ingest, serve", f"{HOST}:{self.proxy.port}")
        self.serving = self.node("serve", self.redis.address)
        self.config = parse_config(VIEWS)
        self.load = Load(self.broker.port, TOPIC, 1, self.config.sources["orders"], 7, EVENTS_A_SECOND,
                         MOST_EVENTS).start()
        self.addCleanup(self.load.abandon)

    def node(self, roles, redis):
        node = Node(roles[:5], self.folder, lambda lookup: NODE.format(
            brokers=self.broker.brokers, redis=redis, lookup=lookup, roles=roles) + VIEWS)
        self.addCleanup(node.end)
        return node.start()

    def wait(self, condition, what):
        def checked():
            self.load.check()
            return condition()
        wait_until(checked, WITHIN, what)

    def statuses_of(self, view):
        """Of the features of an entity, by the node that serves alone."""
        with self.serving.client() as client:
            row = client.command("FS.GET", view, ENTITY, "META")
        return set() if isinstance(row, RespError) else {status.decode() for status in row[1]}

    def is_fresh(self, view):
        """By FS.FRESHNESS."""
        with self.serving.client() as client:
            return client.command("FS.FRESHNESS", view, 3)[1] == 1

    def told(self):
        """What was told of the source, the oldest first."""
        texts = [text for name, text in self.counting.statuses().items() if name.startswith("shed ")]
        return [text.split(" ", 1)[1] for text in reversed(texts)]

    def shed(self, view):
        return self.counting.metrics()[f'freshet_view_shed{{view="{view}"}}']

    def shed_by_status(self):
        """The views that the status page calls left out, in the order of the configuration."""
        views = self.counting.site().json("/api/status")[1]["views"]
        return tuple(view["name"] for view in views if view["shed"])

    def next_offset(self):
        return next(iter(self.counting.recorded().values()), 0)

    def wait_for_events(self, number):
        """Until so many more are counted."""
        goal = self.next_offset() + number
        self.wait(lambda: self.next_offset() >= goal, f"{number} more events are counted")

    def test_views_of_low_priority_are_left_out_in_an_overload_and_whole_again_afterwards(self):
        for view in self.config.views:
            self.wait(lambda v=view: self.statuses_of(v) == {"fresh"}, f"{view} is fresh")
        self.assertEqual([self.shed(view) for view in self.config.views], [0, 0, 0])

        self.proxy.delay = DELAY
        self.wait(self.told, "the source sheds")
        begun = self.told()[0]
        self.assertIn("source orders has more to count than it can: leaves out store_slow@1, store_newest@1", begun)
        self.assertEqual([self.shed(view) for view in self.config.views], [0, 1, 1])
        self.assertEqual(self.shed_by_status(), LOW)
        for view in LOW:
            self.wait(lambda v=view: self.statuses_of(v) == {"incomplete"}, f"{view} is incomplete")
            self.assertIn("incomplete: 2 of 2 features", self.serving.statuses()[f"view {view}@1"])
        self.wait(lambda: not self.is_fresh("store_slow"), "a view that is left out is not fresh")
        self.wait_for_events(100)
        for view in LOW:
            self.assertEqual(self.statuses_of(view), {"incomplete"})
        self.assertNotIn("incomplete", self.statuses_of("store_now"))
        self.assertNotIn("incomplete", self.serving.statuses()["view store_now@1"])

        self.proxy.delay = 0.0
        self.wait(lambda: len(self.told()) == 2, "the source resumes")
        self.assertIn("keeps its limit again: counts store_slow@1, store_newest@1 again", self.told()[1])
        self.assertEqual([self.shed(view) for view in self.config.views], [0, 0, 0])
        self.assertEqual(self.shed_by_status(), ())
        for view in LOW:
            self.assertEqual(self.statuses_of(view), {"incomplete"})
        for view in self.config.views:
            self.wait(lambda v=view: self.statuses_of(v) == {"fresh"}, f"{view} is whole again")
        self.wait_for_events(2 * EVENTS_A_SECOND)   # so that the view as of a moment ago is whole, too
        self.judge()
        told = self.told()
        self.assertEqual(len(told), 2)
        self.assertEqual([self.counting.log.count(text) for text in told], [1, 1])

    def judge(self):
        self.load.stop()
        log = verdict.catch_up(self.broker, TOPIC, [self.counting], WITHIN, {view: [ENTITY] for view in self.config.views})
        self.assertEqual(verdict.check_log(log, self.load.acked), [])
        oracle = verdict.oracle_of(self.config, TOPIC, log)
        comparison, statuses = verdict.compare_all(oracle, [self.serving], int(time.time() * 1000))
        self.assertFalse(comparison.mismatches, comparison.report())
        self.assertGreater(comparison.nontrivial, 100)
        self.assertEqual(verdict.audit_alarms([self.counting]), [])
        print(f"{len(log)} events, {comparison.compared} values equal the oracle's: {dict(statuses)}", file=sys.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
