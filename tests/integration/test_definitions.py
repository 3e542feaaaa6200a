#!/usr/bin/env python3
"""Definitions that change on a live topic, over real Kafka and Redis: features come and go under one version, nodes of
different configurations take turns, a view is added, a version raised; every value equals the oracle's, or says that
it is incomplete."""
import json
import random
import subprocess
import time
import unittest

from kafka_services import Services

from compare import Comparison
from configuration import parse_config
from events import read_records
from freshet_process import FreshetProcess, binary, wait_until
from oracle import Oracle
from resp import RespClient, RespError

PARTITIONS = 4
MINUTE = 60_000
HOUR = 60 * MINUTE
BEGIN = int(time.time() * 1000) // MINUTE * MINUTE - 6 * HOUR     # Kafka's retention spares it
STORES = 12
WITHIN = 120

HEADER = """
kafka: {{brokers: "{brokers}", group: "{topic}"}}
redis: {{address: "{redis}", prefix: "{topic}:"}}
lookup: {{listen: "127.0.0.1:0"}}
metrics: {{listen: "127.0.0.1:0"}}
roles: {roles}
"""
SOURCE = """
sources:
  orders:
    topic: {topic}
    time: {{field: ts, format: unix_ms}}
    fields: {{store: string, customer: string, amount: int}}
    max_future: 1h
views:
"""
VIEW = """
  {name}:
    source: orders
    entity: {entity}
    clock: event
    retain: 1m
{more}
    features:
"""
OLD = {"orders_10m": '{count: "*", window: 10m}',
       "amount_30m": "{sum: amount, window: 30m}",
       "last_30m": "{last: customer, window: 30m}"}
# One in a resolution that is there, one in another, and one over the longest window.
ADDED = {"amount_max_10m": "{max: amount, window: 10m}",
         "customers_1h": "{count_distinct: customer, window: 1h}",
         "amount_mean_2h": "{mean: amount, window: 2h}"}


def view(features, name="store_orders", entity="store", more=""):
    lines = [f"      {feature}: {body}\n" for feature, body in features.items()]
    return VIEW.format(name=name, entity=entity, more=more) + "".join(lines)


class DefinitionsTest(unittest.TestCase):
    """A topic of its own, whose events come in stages of some minutes of event time."""
    topics = 0

    @classmethod
    def setUpClass(cls):
        cls.services = Services().__enter__()
        cls.addClassCleanup(cls.services.__exit__)

    def setUp(self):
        DefinitionsTest.topics += 1
        self.topic = f"orders-{self.topics}"
        self.services.kafka.create_topic(self.topic, PARTITIONS)
        self.random = random.Random(self.topics)
        self.now = BEGIN
        self.offsets = [0] * PARTITIONS
        self.stages = []                # files of records
        self.nodes = 0

    def config(self, *views, roles="[ingest, serve]"):
        """A file for the program."""
        self.nodes += 1
        path = self.services.directory / f"{self.topic}-{self.nodes}.yaml"
        path.write_text(HEADER.format(brokers=self.services.kafka.brokers, redis=self.services.redis.address,
                                      topic=self.topic, roles=roles) +
                        SOURCE.format(topic=self.topic) + "".join(views))
        return path

    def oracle(self, *views, stages=None):
        """What a program with these views would say that had counted all stages, or those named."""
        oracle = Oracle(parse_config(SOURCE.format(topic=self.topic) + "".join(views)))
        for stage in self.stages if stages is None else stages:
            oracle.add(read_records(stage))
        return oracle

    def produce(self, length, stores):
        """A stage: some ten events a minute and store, the last one of each partition at its end."""
        end = self.now + length
        times = sorted(self.random.randrange(self.now, end) for _ in range(length // MINUTE * 10 * len(stores)))
        path = self.services.directory / f"{self.topic}-{len(self.stages)}.jsonl"
        with open(path, "w", encoding="utf-8") as out:
            for number, time in enumerate(times + [end] * PARTITIONS):
                partition = self.random.randrange(PARTITIONS) if number < len(times) else number - len(times)
                value = {"store": f"s{self.random.choice(stores)}", "customer": f"c{self.random.randrange(300)}",
                         "amount": self.random.randrange(1, 10_000), "ts": time}
                print(json.dumps({"topic": self.topic, "partition": partition, "offset": self.offsets[partition],
                                  "timestamp": time, "value": json.dumps(value)}), file=out)
                self.offsets[partition] += 1
        subprocess.run([binary(), "replay", "-c", str(self.config(view(OLD))), "--records", str(path)], check=True,
                       stdout=subprocess.DEVNULL)
        self.stages.append(path)
        self.now = end

    def run_node(self, config):
        return FreshetProcess(["run", "-c", str(config)], self.services.directory / f"{config.stem}.log")

    def count_all(self, config):
        """A node that has counted all there is; the caller ends it."""
        node = self.run_node(config)
        self.addCleanup(lambda: node.running and node.stop())
        client = node.client()
        self.addCleanup(client.close)
        self.wait_for_all(client)
        return node, client

    def wait_for_all(self, client):
        def recorded():
            texts = [f.decode() if isinstance(f, bytes) else str(f) for f in client.call("FS.STATUS")]
            words = [word.split("=", 1) for text in texts for word in text.split() if "=" in word]
            return sum(int(value) for name, value in words if name == "next")
        wait_until(lambda: recorded() >= sum(self.offsets), WITHIN, "all records are counted")

    def rows(self, client, name, features, entities, at=None):
        """{entity: ({feature: value}, {feature: status})}"""
        command = ["FS.MGET", name, len(entities), *entities, "FEATURES", len(features), *features]
        rows = client.command(*command, *([] if at is None else ["AT", at]), "META")
        self.assertNotIsInstance(rows, RespError, str(rows))
        return {entity: (dict(zip(features, values)), dict(zip(features, (s.decode() for s in statuses))))
                for entity, (values, statuses, _, _) in zip(entities, rows, strict=True)}

    def expect_whole(self, client, oracle, name, features, at=(None,), entities=None):
        """All of it, values and statuses, equals the oracle's."""
        comparison = Comparison(oracle)
        for t in at:
            moment = oracle.clock(name) if t is None else t
            asked = entities or sorted(oracle.entities(name)) + ["nobody"]
            for entity, (values, statuses) in self.rows(client, name, features, asked, t).items():
                for feature in features:
                    comparison.add(name, entity, moment, feature, values[feature], statuses[feature])
        self.assertFalse(comparison.mismatches, comparison.report())
        self.assertGreater(comparison.nontrivial, 0)

    def expect_incomplete(self, client, name, features, entities, oracle=None):
        """Says so everywhere; and the values are of the events since, where `oracle` knows only these."""
        rows = self.rows(client, name, features, entities)
        for entity, (values, statuses) in rows.items():
            self.assertEqual(statuses, dict.fromkeys(features, "incomplete"), entity)
        if oracle is None:
            return
        comparison = Comparison(oracle)
        for entity in set(rows) & set(oracle.entities(name)):
            for feature, value in rows[entity][0].items():
                comparison.add(name, entity, oracle.clock(name), feature, value)
        self.assertFalse(comparison.mismatches, comparison.report())
        self.assertGreater(comparison.nontrivial, 0)

    def stores(self):
        return [f"s{i}" for i in range(STORES)]

    def test_features_added_are_incomplete_and_then_whole_while_the_others_go_on(self):
        before, after = view(OLD), view({**ADDED, **OLD})
        old, added = list(OLD), list(ADDED)
        self.produce(40 * MINUTE, range(STORES))
        node, client = self.count_all(self.config(before))
        self.expect_whole(client, self.oracle(before), "store_orders", old)
        node.stop()

        node, client = self.count_all(self.config(after))
        at = [None, self.now - MINUTE, self.now + 7 * MINUTE, self.now + 25 * MINUTE]
        # Nothing was touched since: every stored value is of the layout before.
        self.expect_whole(client, self.oracle(after), "store_orders", old, at, self.stores())
        self.expect_incomplete(client, "store_orders", added, self.stores() + ["nobody"])

        # Stores that are touched, and others whose values are still of the layout before.
        self.produce(5 * MINUTE, range(STORES // 2))
        self.wait_for_all(client)
        at = [None, self.now - MINUTE, self.now + 4 * MINUTE, self.now + 20 * MINUTE]
        self.expect_whole(client, self.oracle(after), "store_orders", old, at, self.stores())
        self.expect_incomplete(client, "store_orders", added, self.stores() + ["nobody"],
                               oracle=self.oracle(after, stages=self.stages[-1:]))

        self.produce(10 * MINUTE, range(3, STORES // 2 + 3))
        self.wait_for_all(client)
        self.expect_whole(client, self.oracle(after), "store_orders", old + ["amount_max_10m"], entities=self.stores())
        self.expect_incomplete(client, "store_orders", ["customers_1h", "amount_mean_2h"], self.stores())

        self.produce(2 * HOUR, range(6))
        self.wait_for_all(client)
        at = [None, self.now - MINUTE, self.now + 50 * MINUTE]
        self.expect_whole(client, self.oracle(after), "store_orders", old + added, at)

        # Those that leave are not missed, and when they come back they are counted anew.
        node.stop()
        node, client = self.count_all(self.config(view({"orders_10m": OLD["orders_10m"]})))
        self.produce(3 * MINUTE, range(6))
        self.wait_for_all(client)
        self.expect_whole(client, self.oracle(view({"orders_10m": OLD["orders_10m"]})), "store_orders", ["orders_10m"])
        node.stop()
        node, client = self.count_all(self.config(after))
        self.expect_whole(client, self.oracle(after), "store_orders", ["orders_10m"], entities=self.stores()[:6])
        self.expect_incomplete(client, "store_orders", ["amount_30m", "last_30m"] + added, self.stores()[:6])

    def test_a_node_of_the_former_configuration_counts_for_a_while(self):
        before, after = view(OLD), view({**OLD, **ADDED})
        for config, minutes in ((before, 20), (after, 15), (before, 2), (after, 1)):
            self.produce(minutes * MINUTE, range(STORES))
            node, client = self.count_all(self.config(config))
            node.stop()
        node, client = self.count_all(self.config(after))
        self.expect_whole(client, self.oracle(after), "store_orders", list(OLD), [None, self.now - MINUTE], self.stores())
        # It would be whole but for what the other node has counted without it.
        self.expect_incomplete(client, "store_orders", list(ADDED), self.stores())
        self.produce(11 * MINUTE, range(STORES))
        self.wait_for_all(client)
        self.expect_whole(client, self.oracle(after), "store_orders", list(OLD) + ["amount_max_10m"],
                          entities=self.stores())
        self.produce(2 * HOUR, range(3))
        self.wait_for_all(client)
        self.expect_whole(client, self.oracle(after), "store_orders", list(OLD) + list(ADDED))

    def test_nodes_of_both_configurations_serve_what_the_other_writes(self):
        before, after = view(OLD), view({**ADDED, **OLD})
        serving = [self.run_node(self.config(v, roles="[serve]")) for v in (before, after)]
        for node in serving:
            self.addCleanup(node.stop)
        old_reader, new_reader = (node.client() for node in serving)
        for reader in (old_reader, new_reader):
            self.addCleanup(reader.close)
        for config in (before, after, before):
            self.produce(12 * MINUTE, range(STORES))
            node, writer = self.count_all(self.config(config))
            self.produce(2 * MINUTE, range(STORES // 2))
            self.wait_for_all(writer)
            at = [None, self.now - MINUTE, self.now + 8 * MINUTE]
            for reader, oracle in ((old_reader, self.oracle(before)), (new_reader, self.oracle(after))):
                self.expect_whole(reader, oracle, "store_orders", list(OLD), at, self.stores())
            self.expect_incomplete(new_reader, "store_orders", ["amount_mean_2h"], self.stores())
            node.stop()

    def test_a_view_added_reads_from_its_own_start_while_the_others_skip(self):
        stores = view(OLD)
        customers = view({"orders_10m": OLD["orders_10m"], "amount_2h": "{sum: amount, window: 2h}"}, "customer_orders",
                         "customer", "    start: earliest")
        self.produce(40 * MINUTE, range(STORES))
        node, client = self.count_all(self.config(stores))
        node.stop()
        node, client = self.count_all(self.config(stores, customers))
        for more in (0, 3):
            if more:
                self.produce(more * MINUTE, range(STORES))
                self.wait_for_all(client)
            oracle = self.oracle(stores, customers)
            at = [None, self.now - MINUTE, self.now + 5 * MINUTE]
            self.expect_whole(client, oracle, "store_orders", list(OLD), at)
            self.expect_whole(client, oracle, "customer_orders", ["orders_10m", "amount_2h"], at)

    def test_a_raised_version_counts_anew_and_leaves_the_old_values_alone(self):
        changed = {**OLD, "amount_30m": "{sum: amount, window: 30m, where: amount > 5000}"}
        self.produce(40 * MINUTE, range(STORES))
        node, client = self.count_all(self.config(view(OLD)))
        node.stop()
        former = self.stored("store_orders@1")
        self.assertTrue(former)
        raised = view(changed, more="    version: 2")
        node, client = self.count_all(self.config(raised))
        self.expect_whole(client, self.oracle(view(changed)), "store_orders", list(OLD), [None, self.now - MINUTE])
        self.assertEqual(client.command("FS.GET", "store_orders@1", "s1").code, "NOVIEW")
        self.assertEqual(self.stored("store_orders@1"), former)

    def stored(self, view_id):
        with RespClient("127.0.0.1", self.services.redis.port) as client:
            return {key: client.call("DUMP", key) for key in client.call("KEYS", f"{self.topic}:{{{view_id}:*")}

    def test_what_changed_under_the_same_version_is_refused_by_name_with_the_mend(self):
        self.produce(2 * MINUTE, range(STORES))
        node, _ = self.count_all(self.config(view(OLD)))
        node.stop()
        for features, more, complaint in (
                ({**OLD, "amount_30m": "{sum: amount, window: 31m}"}, "",
                 "view store_orders@1: feature amount_30m has another definition than is recorded; give the changed "
                 "feature another name, raise the view's `version:` to count anew, or restore the definition"),
                (OLD, "    where: amount > 1",
                 "view store_orders@1: another source, entity, clock or `where` than is recorded; raise the view's "
                 "`version:`")):
            config = self.config(view(features, more=more))
            log = self.services.directory / f"{config.stem}.log"
            node = FreshetProcess(["run", "-c", str(config)], log, ready_within=None)
            wait_until(lambda n=node: not n.running, WITHIN, "the node refuses")
            self.assertEqual(node.stop(), 1)
            self.assertIn(complaint, log.read_text())
        node, client = self.count_all(self.config(view(OLD)))
        self.expect_whole(client, self.oracle(view(OLD)), "store_orders", list(OLD))


if __name__ == "__main__":
    unittest.main(verbosity=2)
