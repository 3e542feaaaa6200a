#!/usr/bin/env python3
"""One fault at a time, against real Kafka and Redis: afterwards every value equals the oracle's, and meanwhile reads go
on where that is promised (docs/reliability.md)."""
import collections
import contextlib
import pathlib
import shutil
import sys
import tempfile
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "chaos"))

from services import Broker, Node, Redis, wait_until

import verdict
from config import COUNTED, MAX_STALENESS, PROBES, configuration
from configuration import parse_config
from load import Load
from prober import Prober
from producer import Refused
from resp import ProtocolError, RespError

EVENTS_A_SECOND = 500
MOST_EVENTS = 60_000
WITHIN = 60                             # before a test gives up on a condition


def setUpModule():
    """One broker for all tests; each has topics, a group and a Redis of its own."""
    FaultTest.folder = pathlib.Path(tempfile.mkdtemp(prefix="freshet-faults-"))
    unittest.addModuleCleanup(shutil.rmtree, FaultTest.folder, ignore_errors=True)
    FaultTest.broker = Broker(FaultTest.folder / "kafka")
    unittest.addModuleCleanup(FaultTest.broker.stop)
    FaultTest.broker.create_topic("letters", 1)


class FaultTest(unittest.TestCase):
    """Two nodes at most, eight partitions unless said otherwise, and a producer that goes on through the fault."""

    broker = None
    folder = None
    tests = 0
    more_config = ""

    def setUp(self):
        FaultTest.tests += 1
        self.topic = f"orders-{FaultTest.tests}"
        self.directory = self.folder / self.topic
        self.directory.mkdir()
        self.redis = Redis(self.directory)
        self.addCleanup(self.redis.stop)
        self.nodes = []

    def prepare(self, nodes=1, partitions=4, instances=(), letters="letters", start="earliest"):
        """Nodes that have counted the first events, and a load and a prober that go on."""
        self.broker.create_topic(self.topic, partitions)
        for index in range(nodes):
            self.node(instances[index] if index < len(instances) else "", letters, start)
        if start != "earliest":         # or they would rightly leave out the first events
            wait_until(lambda: sum(len(self.owned(node)) for node in self.nodes) == partitions, WITHIN, "all begin")
        # To the oracle all events count: the nodes run before the first one.
        self.config = parse_config(configuration("", "", "", self.topic))
        self.load = Load(self.broker.port, self.topic, partitions, self.config.sources["orders"], self.topic,
                         EVENTS_A_SECOND, MOST_EVENTS).start()
        self.addCleanup(self.load.abandon)
        self.prober = Prober(self.nodes, self.load.ledger, *COUNTED, max_staleness=MAX_STALENESS).start()
        self.addCleanup(self.prober.stop)
        self.wait_for_fresh()

    def node(self, instance, letters, start, ready_within=60):
        node = Node(f"node{len(self.nodes)}", self.directory, lambda lookup: self.more_config + configuration(
            self.broker.brokers, self.redis.address, lookup, self.topic, self.topic, letters, instance, start))
        self.addCleanup(node.end)
        self.nodes.append(node)
        return node.start(ready_within)

    def wait(self, condition, what):
        def checked():
            self.load.check()
            return condition()
        wait_until(checked, WITHIN, what)

    def wait_for_fresh(self, begun=None, moment=None):
        """Until all that was in Kafka at `moment` (now) is counted."""
        begun, moment = begun or time.monotonic(), moment or time.time()
        self.wait(lambda: self.prober.fresh_since(moment, begun), "fresh values")

    def recover(self):
        """Called when the fault is over: waits until reads go on and all is counted; the seconds until each."""
        begun, moment = time.monotonic(), time.time()
        self.expect_reads()
        self.wait_for_fresh(begun, moment)
        fresh = time.monotonic() - begun
        return next(at for at in self.prober.answer_times() if at >= begun) - begun, fresh

    def owned(self, node):
        """{partition: epoch}"""
        return {name: text.split("epoch=")[1].split()[0] for name, text in node.statuses().items() if "epoch=" in text}

    def wait_for_events(self, number):
        """Until so many more events are acked."""
        goal = len(self.load.acked) + number
        self.wait(lambda: len(self.load.acked) >= goal, f"{number} more events are acked")

    @contextlib.contextmanager
    def redis_away(self):
        self.prober.redis_forgets()
        yield
        self.prober.redis_forgets()

    def expect_reads(self, number=20):
        """So many answers from now on."""
        before = len(self.prober.answer_times())
        self.wait(lambda: len(self.prober.answer_times()) >= before + number, "reads go on")

    def judge(self, recovered=None):
        """Every value equals the oracle's, and none was wrong on the way."""
        self.load.stop()
        self.prober.stop()
        running = [node for node in self.nodes if node.running]
        log = verdict.catch_up(self.broker, self.topic, running, WITHIN)
        wrong = verdict.check_log(log, self.load.acked) + self.prober.complaints
        self.assertEqual(wrong, [])
        oracle = verdict.oracle_of(self.config, self.topic, log)
        comparison, _ = verdict.compare_all(oracle, running, int(time.time() * 1000))
        self.assertFalse(comparison.mismatches, comparison.report())
        self.assertGreater(comparison.nontrivial * 2, comparison.compared)
        recovery = "" if recovered is None else (f", reads {recovered[0]:.2f} s and fresh values {recovered[1]:.1f} s "
                                                 "after the fault")
        print(f"{len(log)} events, {comparison.compared} values equal the oracle's{recovery}", file=sys.stderr)
        return oracle


class RedisFaults(FaultTest):
    def shut_down(self):
        with contextlib.suppress(ProtocolError, OSError):
            self.redis.command("SHUTDOWN", "SAVE")
        self.redis.wait()

    def test_stopped_for_a_minute(self):
        """Look-ups fail at once and by name; nothing is lost or counted twice."""
        self.prepare()
        with self.redis_away():
            self.shut_down()
            end = time.monotonic() + 60
            with self.nodes[0].client(timeout=2) as client:
                while time.monotonic() < end:
                    begun = time.monotonic()
                    answer = client.command("FS.GET", "store_totals", "s1")
                    self.assertIsInstance(answer, RespError)
                    self.assertEqual(answer.code, "UNAVAILABLE")
                    self.assertLess(time.monotonic() - begun, 1)
                    time.sleep(1)       # the fault's own length
            self.redis.start()
        self.judge(self.recover())

    def test_restarted_with_its_data(self):
        self.prepare()
        with self.redis_away():
            self.shut_down()
            self.wait_for_events(500)
            self.redis.start()
        self.judge(self.recover())

    def test_restarted_from_a_snapshot_behind_what_was_acked(self):
        self.prepare(nodes=2)
        self.redis.save()
        self.wait_for_events(1000)
        self.wait_for_fresh()
        with self.redis_away():
            self.redis.kill()
            self.redis.start_from()
        self.judge(self.recover())

    def test_restarted_empty(self):
        self.prepare(nodes=2)
        with self.redis_away():
            self.redis.kill()
            self.redis.start_empty()
        self.judge(self.recover())

    def test_flushed_while_running(self):
        self.prepare(nodes=2)
        with self.redis_away():
            self.redis.command("FLUSHALL")
        self.judge(self.recover())

    def test_paused(self):
        self.prepare()
        self.redis.command("CLIENT", "PAUSE", 3000, "ALL")
        self.wait(self.redis.answers, "Redis goes on")
        self.judge(self.recover())

    def test_out_of_memory(self):
        """Reads go on and say how old they are; nothing is lost."""
        self.prepare()
        self.redis.command("CONFIG", "SET", "maxmemory", "1")
        since = time.time()
        self.wait_for_events(2 * EVENTS_A_SECOND)
        self.expect_reads()
        for view in PROBES:
            self.assertLess(verdict.watermark(self.nodes[0], view), since + 1, "nothing new is called counted")
        self.redis.command("CONFIG", "SET", "maxmemory", "0")
        self.judge(self.recover())

    def test_scripts_forgotten(self):
        self.prepare()
        for _ in range(5):
            self.redis.command("SCRIPT", "FLUSH")
            self.wait_for_fresh()
        self.judge()

    def test_connections_cut_in_the_middle_of_pipelines(self):
        self.prepare(nodes=2)
        for _ in range(50):
            self.redis.cut_clients()
            self.wait_for_events(10)
        self.judge(self.recover())

    def test_a_node_stops_while_redis_is_away(self):
        """SIGTERM ends it all the same; what was not stored is counted by the next one."""
        self.prepare()
        with self.redis_away():
            self.shut_down()
            self.wait_for_events(500)
            self.nodes[0].stop()
            self.nodes[0].start(ready_within=None)
            self.redis.start()
        self.judge(self.recover())

    def test_a_value_changed_behind_our_back_is_noticed_by_the_comparison(self):
        self.prepare()
        oracle = self.judge()
        keys = self.redis.command("KEYS", f"{self.topic}:*store_totals*s1}}")
        self.assertEqual(len(keys), 1, keys)
        other = keys[0].replace(b"s1}", b"s2}")
        fields = self.redis.command("HGETALL", other)
        self.redis.command("DEL", keys[0])
        self.redis.command("HSET", keys[0], *fields)
        comparison, _ = verdict.compare_all(oracle, self.nodes, int(time.time() * 1000))
        self.assertTrue(comparison.mismatches)
        self.assertIn("of 's1'", comparison.mismatches[0])


class NodeFaults(FaultTest):
    def settled(self, partitions=4):
        """Every node has some partitions, and all are owned."""
        owned = [self.owned(node) for node in self.nodes]
        return all(owned) and sum(map(len, owned)) == partitions

    def test_killed_and_restarted(self):
        self.prepare(nodes=2)
        self.wait(self.settled, "both nodes own partitions")
        self.nodes[0].kill()
        self.nodes[0].start(ready_within=None)
        self.judge(self.recover())

    def test_killed_and_taken_over(self):
        self.prepare(nodes=2)
        self.wait(self.settled, "both nodes own partitions")
        self.nodes[0].kill()
        self.judge(self.recover())

    def test_a_static_member_comes_back_without_a_rebalance(self):
        """Neither after kill -9 nor after SIGTERM does the other node lose or gain a partition."""
        self.prepare(nodes=2, instances=["a", "b"])
        self.wait(self.settled, "both nodes own partitions")
        mine, others = self.owned(self.nodes[0]).keys(), self.owned(self.nodes[1])
        for end in (self.nodes[0].kill, self.nodes[0].stop):
            end()
            self.nodes[0].start(ready_within=None)
            recovered = self.recover()
            self.wait(self.settled, "both nodes own partitions")
            self.assertEqual(self.owned(self.nodes[0]).keys(), mine)
            self.assertEqual(self.owned(self.nodes[1]), others)
        self.judge(recovered)

    def test_two_nodes_of_one_instance(self):
        """The newer one stays, the older one says why and ends."""
        self.prepare(nodes=2, instances=["a", "a"])
        self.wait(lambda: not self.nodes[0].running, "the older node ends")
        self.assertIn("kafka.instance", self.nodes[0].log)
        self.judge(self.recover())

    def test_held_beyond_its_session(self):
        """It is taken over; when it goes on, what it still wants to write is refused."""
        self.prepare(nodes=2)
        self.wait(self.settled, "both nodes own partitions")
        self.nodes[0].hold()
        recovered = self.recover()
        self.wait(lambda: len(self.owned(self.nodes[1])) == 4, "the other node owns all")
        self.nodes[0].go_on()
        self.wait(self.settled, "both nodes own partitions")
        self.assertIn("the consumer group took it away", self.nodes[0].log)
        self.judge(recovered)


class KafkaFaults(FaultTest):
    def letters(self, topic):
        """(partition, offset) of the events in a topic of dead letters."""
        found = set()
        for line in self.broker.headers(topic):
            found.add((int(line["freshet.partition"]), int(line["freshet.offset"])))
        return found

    def check_refused_letters(self, letters, refuse, complaint, mend):
        """Nothing behind a dead letter counts as done until that is stored, so that none is lost; reads go on."""
        refuse()
        ends = collections.Counter(partition for partition, _ in self.load.acked)
        self.wait_for_events(EVENTS_A_SECOND)
        held = time.time()
        self.wait_for_events(EVENTS_A_SECOND)
        self.expect_reads()
        self.wait(lambda: complaint in self.nodes[0].log, "the node says what is wrong")
        self.assertLess(verdict.watermark(self.nodes[0], "store_totals"), held)
        mend()
        oracle = self.judge(self.recover())
        expected = {(p, o) for p, o, _ in oracle.dead_letter_records("orders") if o >= ends[p]}
        self.assertGreater(len(expected), 10)
        self.assertLessEqual(expected, self.letters(letters))

    def test_dead_letter_topic_gone(self):
        letters = f"{self.topic}.letters"
        self.broker.create_topic(letters, 1)
        self.prepare(letters=letters)
        self.check_refused_letters(letters, lambda: self.broker.delete_topic(letters), "does not exist",
                                   lambda: self.broker.create_topic(letters, 1))

    def test_dead_letters_refused(self):
        letters = f"{self.topic}.letters"
        self.broker.create_topic(letters, 1)
        self.prepare(letters=letters)
        self.check_refused_letters(letters, lambda: self.broker.set_topic(letters, max_message_bytes=10),
                                   "a dead letter", lambda: self.broker.set_topic(letters, max_message_bytes=1_000_000))

    def test_partitions_added_while_running(self):
        """A new partition is counted from its beginning, wherever the source starts."""
        self.prepare(nodes=2, partitions=4, start="latest")
        self.broker.grow_topic(self.topic, 12)
        self.load.grow(12)
        recovered = self.recover()
        self.wait(lambda: len({p for p, _ in self.load.acked}) == 12, "all partitions have events")
        self.judge(recovered)

    def totals(self, entities):
        """{store: [its lifetime count, the status of that]}"""
        with self.nodes[0].client() as client:
            rows = {store: client.command("FS.GET", "store_totals", store, "FEATURES", 1, "total", "META")
                    for store in entities}
        return {store: [row[0][0], row[1][0].decode()] for store, row in rows.items()}

    def counted_log(self):
        """Everything that was produced is counted: the lifetime count of each store, by the oracle."""
        self.load.stop()
        log = verdict.catch_up(self.broker, self.topic, self.nodes, WITHIN)
        oracle = verdict.oracle_of(self.config, self.topic, log)
        now = int(time.time() * 1000)
        return collections.Counter({store: oracle.value("store_totals", store, now).values["total"]
                                    for store in oracle.entities("store_totals")})

    def test_topic_made_anew(self):
        """The new log is counted beside the old one, and values say that events may be missing between them."""
        self.prepare()
        self.wait_for_events(2 * EVENTS_A_SECOND)
        old = self.counted_log()
        self.prober.stop()
        self.broker.delete_topic(self.topic)
        wait_until(lambda: self._made_again(4), WITHIN, "the topic is made anew")
        self.load = Load(self.broker.port, self.topic, 4, self.config.sources["orders"], "anew", EVENTS_A_SECOND,
                         MOST_EVENTS).start()
        self.addCleanup(self.load.abandon)
        self.wait_for_events(2 * EVENTS_A_SECOND)
        begun, moment = time.monotonic(), time.time()
        self.wait(lambda: verdict.watermark(self.nodes[0], "store_totals") >= moment, "values of the new log are fresh")
        print(f"fresh values {time.monotonic() - begun:.1f} s after the first events of the new topic", file=sys.stderr)
        new = self.counted_log()
        self.assertGreater(min(sum(old.values()), sum(new.values())), EVENTS_A_SECOND)
        expected = {store: [count, "incomplete"] for store, count in (old + new).items()}
        self.assertEqual(self.totals(expected), expected)

    def _made_again(self, partitions):
        """Kafka deletes a topic in its own time, and refuses the name until then."""
        try:
            self.broker.create_topic(self.topic, partitions)
        except Refused:
            return False
        return True

    def test_broker_held(self):
        """Reads go on, and say how old they are."""
        self.prepare()
        self.broker.hold()
        since = time.time()
        try:
            self.expect_reads(200)
            self.assertLess(verdict.watermark(self.nodes[0], "store_totals"), since + 1)
        finally:
            self.broker.go_on()
        self.judge(self.recover())

    def test_a_node_stops_while_kafka_is_away(self):
        """SIGTERM ends it all the same, and it starts again before Kafka is back."""
        self.prepare()
        self.broker.hold()
        try:
            self.nodes[0].stop()
            self.nodes[0].start(ready_within=None)
            self.expect_reads()
        finally:
            self.broker.go_on()
        self.judge(self.recover())

    def test_a_node_starts_before_its_topic(self):
        """It waits, says what is missing, and goes on once that is there."""
        early = self.node("", "letters", "earliest", ready_within=None)
        wait_until(lambda: "no such Kafka topic" in early.log, WITHIN, "it says what is missing")
        self.assertTrue(early.running)
        self.prepare(nodes=0)
        self.judge()

    def test_broker_restarted(self):
        self.prepare(nodes=2)
        self.broker.kill()
        self.expect_reads()
        self.broker.restart()
        self.judge(self.recover())


if __name__ == "__main__":
    unittest.main(verbosity=2)
