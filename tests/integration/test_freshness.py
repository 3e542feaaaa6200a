#!/usr/bin/env python3
"""The freshness contract against real Kafka and Redis: whatever stands still, a node that serves says so within
max_staleness and two seconds, says what holds the view back, and says that it is fresh again. The prober compares all
that while what is served with what was acked, by the clock outside: nothing that is called fresh may lack an event that
was acked max_staleness before."""
import contextlib
import datetime
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import time
import unittest

import test_faults
import verdict
from config import COUNTED, MAX_STALENESS, configuration
from configuration import parse_config
from kafka_proxy import KafkaProxy
from load import Load
from prober import Prober
from freshet_process import ROOT, binary
from services import HOST, Node, wait_until
from test_faults import FaultTest

TOLD_WITHIN = MAX_STALENESS + 2.0
VIEW, FEATURE = COUNTED
ENTITY = "s1"
TESTS = ROOT / "build/release/tests"
PLANTED = os.environ.get("FRESHET_PLANTED", str(TESTS / "planted_node"))
SHIFTED_CLOCK = os.environ.get("FRESHET_SHIFTED_CLOCK", str(TESTS / "libshifted_clock.so"))
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z")


def setUpModule():
    test_faults.setUpModule()


def planted(what, file=""):
    """How a node runs with a fault in its log (tests/plants)."""
    return {"program": PLANTED, "environment": {"FRESHET_PLANT": what, "FRESHET_PLANT_FILE": str(file)}}


def clock(seconds):
    """How a node runs whose wall clock is ahead by so much."""
    return {"environment": {"FRESHET_CLOCK_SHIFT": str(seconds), "LD_PRELOAD": SHIFTED_CLOCK}}


def clock_error(node):
    """By how many seconds the clock of a node is ahead: what its last line says, and when that was written."""
    told = datetime.datetime.fromisoformat(TIME.findall(node.log)[-1].replace("Z", "+00:00"))
    return told.timestamp() - node.log_path.stat().st_mtime


class FreshnessTest(FaultTest):
    """One node that counts, and one that serves and looks at the freshness of what it serves."""

    def prepare(self, partitions=4, brokers=None, letters="letters", counting=None, serving=None):
        """`brokers` of the node that counts; the last two say how a node runs."""
        self.broker.create_topic(self.topic, partitions)
        self.counting = self._node("ingest", brokers or self.broker.brokers, letters, counting or {})
        self.serving = self._node("serve", self.broker.brokers, letters, serving or {})
        self.config = parse_config(configuration("", "", "", self.topic))
        self.load = Load(self.broker.port, self.topic, partitions, self.config.sources["orders"], self.topic,
                         test_faults.EVENTS_A_SECOND, test_faults.MOST_EVENTS).start()
        self.addCleanup(self.load.abandon)
        self.prober = Prober([self.serving], self.load.ledger, VIEW, FEATURE, max_staleness=MAX_STALENESS).start()
        self.addCleanup(self.prober.stop)
        self.nodes = [self.serving]     # those that are asked
        self.wait_for_fresh()
        self.wait(lambda: self.status() == "fresh", "the status is fresh")
        self.wait(lambda: self.objective().startswith("kept"), "the objective is kept")

    def _node(self, role, brokers, letters, how):
        node = Node(role, self.directory, lambda lookup: f"roles: [{role}]\n" + configuration(
            brokers, self.redis.address, lookup, self.topic, self.topic, letters), **how)
        self.addCleanup(node.end)
        return node.start()

    def status(self):
        """Of a value; none while there is no answer."""
        with self.serving.client(timeout=2) as client:
            row = client.command("FS.GET", VIEW, ENTITY, "FEATURES", 1, FEATURE, "META")
        return None if isinstance(row, Exception) else row[1][0].decode()

    def objective(self):
        return self.serving.statuses()[f"objective {VIEW}"]

    def transition(self):
        """What was told last of a view that became stale or fresh."""
        return self.serving.statuses()["transition 1"]

    def metric(self, name):
        return self.serving.metrics().get(f'freshet_{name}{{view="{VIEW}"}}', 0.0)

    def expect_stale(self, begun):
        """Told in time by every way there is, with the partition that holds the view back."""
        self.wait(lambda: self.status() == "stale", "the status is stale")
        self.stale_after = time.monotonic() - begun
        self.assertLess(self.stale_after, TOLD_WITHIN)
        self.wait(lambda: self.objective().startswith("in breach"), "the objective is in breach")
        self.assertIn(f"furthest behind is {self.topic}/", self.objective())
        self.assertIn(f"view {VIEW} is in breach: ", self.transition())
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
        self.assertIn(f"view {VIEW} is fresh again", self.transition())
        self.judge_served()
        self.assertGreater(self.prober.called_fresh, 1000)
        print(f"told {self.stale_after:.1f} s after the fault began, fresh {took:.1f} s after its end; of "
              f"{self.prober.called_fresh} values called fresh the oldest was {self.prober.oldest_fresh:.2f} s behind",
              file=sys.stderr)

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

    @contextlib.contextmanager
    def proxy(self):
        """Between the node that counts and Kafka."""
        with KafkaProxy(self.broker.port) as proxy:
            yield proxy

    def hold_fetches(self, proxy):
        proxy.hold_fetches()
        self.wait(lambda: proxy.held > 0, "a fetch is held")


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

    def test_a_fetch_is_held(self):
        """Kafka answers everything else, and nothing says that there are events but the ends that it tells."""
        with self.proxy() as proxy:
            self.prepare(brokers=f"{HOST}:{proxy.port}")
            begun = time.monotonic()
            self.hold_fetches(proxy)
            self.expect_stale(begun)
            proxy.go_on()
            self.expect_fresh()
        self.assertNotIn("beginning again", self.counting.log)

    def test_a_fetch_of_a_topic_without_events_is_held(self):
        """Nothing is missing, and no alarm is raised."""
        with self.proxy() as proxy:
            self.prepare(brokers=f"{HOST}:{proxy.port}")
            self.load.stop()
            self.wait_for_fresh()
            self.hold_fetches(proxy)
            self.expect_no_alarm()

    def test_a_consumer_is_stuck(self):
        """In code: it takes no message, as its partition goes on."""
        stuck = self.directory / "stuck"
        self.prepare(counting=planted("stuck_consumer", stuck))
        begun = time.monotonic()
        stuck.touch()
        self.expect_stale(begun)
        self.assertIn(f"furthest behind is {self.topic}/0", self.objective())
        stuck.unlink()
        self.expect_fresh()

    def test_a_consumer_makes_no_progress(self):
        """For the dead letters that stand before it are refused."""
        letters = f"{self.topic}.letters"
        self.broker.create_topic(letters, 1)
        self.prepare(letters=letters)
        begun = time.monotonic()
        self.broker.set_topic(letters, max_message_bytes=10)
        self.wait(lambda: "a dead letter" in self.counting.log, "a dead letter is refused")
        self.expect_stale(time.monotonic())
        self.stale_after = time.monotonic() - begun
        self.broker.set_topic(letters, max_message_bytes=1_000_000)
        self.expect_fresh()

    def test_redis_is_stopped(self):
        """No values at all, and the objective is in breach."""
        self.prepare()
        with self.redis_away():
            self.redis.hold()
            begun = time.monotonic()
            try:
                self.wait(lambda: self.status() is None, "look-ups fail")
                self.stale_after = time.monotonic() - begun
                self.assertLess(self.stale_after, TOLD_WITHIN)
                self.wait(lambda: self.objective().startswith("in breach"), "the objective is in breach")
                self.assertIn("staleness not known", self.objective())
                self.wait(lambda: self.metric("view_staleness_seconds") == float("inf"), "the metric tells")
            finally:
                self.redis.go_on()
        self.expect_fresh()

    def test_a_topic_without_events_is_fresh(self):
        """And with partitions that never had an event."""
        self.prepare(partitions=40)
        self.load.stop()
        self.expect_no_alarm()

    def expect_no_alarm(self):
        """For longer than max_staleness."""
        breaches = self.metric("freshness_breaches_total")
        end = time.monotonic() + 3 * MAX_STALENESS
        while time.monotonic() < end:
            self.assertEqual(self.status(), "fresh")
            time.sleep(0.1)             # so that what is looked at is time, not a number of answers
        self.assertTrue(self.objective().startswith("kept"))
        self.assertEqual(self.metric("freshness_breaches_total"), breaches)


class Turns(FaultTest):
    """One node that counts and serves; so few events are a backlog that a source is soon late with one."""
    more_config = "ingest: {batch_events: 80, max_inflight_events: 320}\n"

    def turns(self):
        """What was told of the source's rank, the oldest first."""
        texts = [text for name, text in self.nodes[0].statuses().items() if name.startswith("turn ")]
        return [text.split(" ", 1)[1] for text in reversed(texts)]

    def test_a_source_that_is_held_up_loses_its_rank_once_and_wins_it_again_once(self):
        self.prepare()
        with self.redis_away():
            self.redis.hold()
            try:
                self.wait(lambda: self.turns() and " others go first" in self.turns()[-1], "others go first")
                lost = self.turns()
                end = time.monotonic() + 2 * MAX_STALENESS
                while time.monotonic() < end:       # for as long as nothing is stored, that is told once
                    self.assertEqual(self.turns(), lost)
                    time.sleep(0.1)
            finally:
                self.redis.go_on()
        self.wait(lambda: " takes its turn again" in self.turns()[-1], "it takes its turn again")
        turns = self.turns()
        self.assertIn("rank 0 to 2, ", lost[-1])
        self.assertIn("rank 2 to 0, ", turns[-1])
        for before, after in zip(turns, turns[1:]):
            self.assertNotEqual("first" in before, "first" in after)
        self.assertEqual([self.nodes[0].log.count(turn) for turn in turns], [1] * len(turns))
        self.judge()


class WrongClocks(FreshnessTest):
    """The clocks of hosts play no part, only Redis's."""

    def check(self, seconds, counting=None, serving=None):
        self.prepare(counting=counting, serving=serving)
        self.counting.hold()
        self.expect_stale(time.monotonic())
        self.assertAlmostEqual(clock_error(self.counting if counting else self.serving), seconds, delta=1)
        self.counting.go_on()
        self.expect_fresh()

    def test_a_node_that_serves_is_behind(self):
        self.check(-10, serving=clock(-10))

    def test_a_node_that_serves_is_ahead(self):
        self.check(10, serving=clock(10))

    def test_a_node_that_counts_is_behind(self):
        self.check(-10, counting=clock(-10))

    def test_a_node_that_counts_is_ahead(self):
        self.check(10, counting=clock(10))


class FormerRule(FreshnessTest):
    """Of the rule that Freshet does not have, by which a partition is read to its end when a poll returns nothing: the
    prober must notice that what is called fresh is not."""

    def expect_wrong(self):
        self.assertEqual(self.prober.complaints, [])
        self.wait(lambda: self.prober.oldest_fresh > MAX_STALENESS, "a value is called fresh wrongly")
        self.assertNotEqual(self.prober.complaints, [])
        self.assertEqual(self.status(), "fresh")

    def test_a_held_fetch_is_not_noticed(self):
        with self.proxy() as proxy:
            self.prepare(brokers=f"{HOST}:{proxy.port}", counting=planted("last_empty_poll"))
            self.hold_fetches(proxy)
            self.expect_wrong()


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
            self.assertIn("connection refused", watching.stderr.readline())
            self.serving.start()
            wait_until(lambda: int(json.loads(watching.stdout.readline())["uptime_s"]) <= 1, test_faults.WITHIN,
                       "the new node is seen")
            watching.send_signal(signal.SIGINT)
            watching.communicate(timeout=10)
            self.assertEqual(watching.returncode, 0)


if __name__ == "__main__":
    unittest.main(verbosity=2)
