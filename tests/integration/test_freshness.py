#!/usr/bin/env python3
"""The freshness contract against real Kafka and Redis: whatever stands still, a node that serves says so within
max_staleness and two seconds, says what holds the view back, and says that it is fresh again. The prober compares all
that while what is served with what was acked, by the clock outside."""
import json
import signal
import subprocess
import sys
import time
import unittest

import test_faults
import verdict
from config import configuration
from configuration import parse_config
from load import Load
from prober import Prober
from freshet_process import binary
from services import Node, wait_until
from test_faults import FaultTest

MAX_STALENESS = 2.0
TOLD_WITHIN = MAX_STALENESS + 2.0
VIEW, ENTITY, FEATURE = "store_totals", "s1", "total"


def setUpModule():
    test_faults.setUpModule()


class FreshnessTest(FaultTest):
    """One node that counts, and one that serves and looks at the freshness of what it serves."""

    def prepare(self, partitions=4):
        self.broker.create_topic(self.topic, partitions)
        self.counting, self.serving = (self._node(role).start() for role in ("ingest", "serve"))
        self.config = parse_config(configuration("", "", "", self.topic))
        self.load = Load(self.broker.port, self.topic, partitions, self.config.sources["orders"], self.topic,
                         test_faults.EVENTS_A_SECOND, test_faults.MOST_EVENTS).start()
        self.addCleanup(self.load.abandon)
        self.prober = Prober([self.serving], self.load.ledger, VIEW, FEATURE).start()
        self.addCleanup(self.prober.stop)
        self.nodes = [self.serving]     # those that are asked
        self.wait_for_fresh()
        self.wait(lambda: self.status() == "fresh", "the status is fresh")
        self.wait(lambda: self.objective().startswith("kept"), "the objective is kept")

    def _node(self, role):
        def text(lookup):
            plain = configuration(self.broker.brokers, self.redis.address, lookup, self.topic, self.topic, "letters")
            head = f"  {VIEW}:\n"
            limit = f"    freshness: {{max_staleness: {MAX_STALENESS:.0f}s}}\n"
            return f"roles: [{role}]\n" + plain.replace(head, head + limit)
        node = Node(role, self.directory, text)
        self.addCleanup(node.end)
        return node

    def status(self):
        """Of a value; none while there is no answer."""
        with self.serving.client(timeout=2) as client:
            row = client.command("FS.GET", VIEW, ENTITY, "FEATURES", 1, FEATURE, "META")
        return None if isinstance(row, Exception) else row[1][0].decode()

    def objective(self):
        return self.serving.statuses()[f"objective {VIEW}"]

    def metric(self, name):
        return self.serving.metrics().get(f'freshet_{name}{{view="{VIEW}"}}', 0.0)

    def expect_stale(self, begun):
        """Told in time by every way there is, with the partition that holds the view back."""
        self.wait(lambda: self.status() == "stale", "the status is stale")
        self.assertLess(time.monotonic() - begun, TOLD_WITHIN)
        self.wait(lambda: self.objective().startswith("in breach"), "the objective is in breach")
        self.assertIn(f"furthest behind is {self.topic}/", self.objective())
        self.assertIn(f"view {VIEW} is in breach: ", self.serving.statuses()["transition 1"])
        self.wait(lambda: self.metric("view_staleness_seconds") > MAX_STALENESS, "the metric tells")
        self.assertGreater(self.metric("freshness_breaches_total"), 0)

    def expect_fresh(self):
        """Again, and everything that was served on the way was right."""
        begun = time.monotonic()
        self.wait_for_fresh()
        self.wait(lambda: self.status() == "fresh", "the status is fresh again")
        took = time.monotonic() - begun
        self.wait(lambda: self.objective().startswith("kept"), "the objective is kept again")
        self.wait(lambda: self.metric("view_staleness_seconds") <= MAX_STALENESS, "the metric tells")
        self.assertIn(f"view {VIEW} is fresh again", self.serving.statuses()["transition 1"])
        self.judge_served()
        print(f"fresh {took:.1f} s after the fault", file=sys.stderr)

    def judge_served(self):
        """By the node that serves: the one that counts answers nobody."""
        self.load.stop()
        self.prober.stop()
        moment = time.time()
        log = verdict.log_of(self.broker, self.topic)
        verdict.wait_for_watermarks(self.serving, moment, test_faults.WITHIN)
        self.assertEqual(verdict.check_log(log, self.load.acked) + self.prober.complaints, [])
        oracle = verdict.oracle_of(self.config, self.topic, log)
        comparison, _ = verdict.compare_all(oracle, [self.serving], int(time.time() * 1000))
        self.assertFalse(comparison.mismatches, comparison.report())


class StandStill(FreshnessTest):
    def test_the_node_that_counts_is_killed(self):
        self.prepare()
        self.counting.kill()
        self.expect_stale(time.monotonic())
        self.counting.start()
        self.expect_fresh()

    def test_the_node_that_counts_is_stopped(self):
        self.prepare()
        self.counting.hold()
        self.expect_stale(time.monotonic())
        self.counting.go_on()
        self.expect_fresh()

    def test_kafka_is_stopped(self):
        """Nobody knows then whether there is anything new."""
        self.prepare()
        self.broker.hold()
        try:
            self.expect_stale(time.monotonic())
        finally:
            self.broker.go_on()
        self.expect_fresh()

    def test_redis_is_stopped(self):
        """No values at all, and the objective is in breach."""
        self.prepare()
        with self.redis_away():
            self.redis.hold()
            begun = time.monotonic()
            try:
                self.wait(lambda: self.status() is None, "look-ups fail")
                self.assertLess(time.monotonic() - begun, TOLD_WITHIN)
                self.wait(lambda: self.objective().startswith("in breach"), "the objective is in breach")
                self.assertIn("staleness not known", self.objective())
                self.wait(lambda: self.metric("view_staleness_seconds") == float("inf"), "the metric tells")
            finally:
                self.redis.go_on()
        self.expect_fresh()

    def test_a_topic_without_events_is_fresh(self):
        """For longer than max_staleness, and with partitions that never had an event."""
        self.prepare(partitions=40)
        self.load.stop()
        breaches = self.metric("freshness_breaches_total")
        end = time.monotonic() + 3 * MAX_STALENESS
        while time.monotonic() < end:
            self.assertEqual(self.status(), "fresh")
            time.sleep(0.1)             # so that what is looked at is time, not a number of answers
        self.assertTrue(self.objective().startswith("kept"))
        self.assertEqual(self.metric("freshness_breaches_total"), breaches)


class Watching(FreshnessTest):
    def test_status_is_watched_until_it_is_interrupted(self):
        """And goes on when the node does not answer for a while."""
        self.prepare()
        command = [binary(), "status", "-c", str(self.serving.config_path), "--watch", "0.1", "--json"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as watching:
            self.addCleanup(watching.kill)
            seen = [json.loads(watching.stdout.readline()) for _ in range(2)]
            self.assertIn(f"objective {VIEW}", seen[0])
            self.assertLessEqual(int(seen[0]["requests"]), int(seen[1]["requests"]))
            self.serving.kill()
            self.assertIn("Connection refused", watching.stderr.readline())
            self.serving.start()
            wait_until(lambda: int(json.loads(watching.stdout.readline())["uptime_s"]) <= 1, test_faults.WITHIN,
                       "the new node is seen")
            watching.send_signal(signal.SIGINT)
            watching.communicate(timeout=10)
            self.assertEqual(watching.returncode, 0)


if __name__ == "__main__":
    unittest.main(verbosity=2)
