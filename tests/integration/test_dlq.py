#!/usr/bin/env python3
"""freshet dlq against real Kafka: a node writes dead letters, which are listed, shown and sent again, each once, however
often the command is killed or run."""
import base64
import collections
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "chaos"))

from services import Broker, FreshetProcess, Redis, wait_until

from freshet_process import binary

WITHIN = 60                             # before a test gives up on a condition

CONFIG = """
kafka: {{brokers: "{brokers}", group: "{group}"}}
redis: {{address: "{redis}", prefix: "{group}:"}}
lookup: {{listen: "127.0.0.1:0"}}
metrics: {{listen: "127.0.0.1:0"}}
sources:
  orders:
    topic: {orders}
    time: {{field: ts, format: unix_ms}}
    fields: {{store: string, amount: {amount}, city: string}}
  visits:
    topic: {visits}
    time: kafka
    fields: {{page: string}}
views:
  stores: {{source: orders, entity: store, clock: event, features: {{orders: {{count: "*", window: 6h}}}}}}
  cities: {{source: orders, entity: city, clock: event, features: {{orders: {{count: "*", window: 6h}}}}}}
  pages: {{source: visits, entity: page, clock: event, features: {{visits: {{count: "*", window: 6h}}}}}}
"""


def setUpModule():
    DlqTest.folder = pathlib.Path(tempfile.mkdtemp(prefix="freshet-dlq-"))
    unittest.addModuleCleanup(shutil.rmtree, DlqTest.folder, ignore_errors=True)
    DlqTest.broker = Broker(DlqTest.folder / "kafka")
    unittest.addModuleCleanup(DlqTest.broker.stop)


class DlqTest(unittest.TestCase):
    """Two sources, with topics and letters of their own for each test."""

    broker = None
    folder = None
    tests = 0

    def setUp(self):
        DlqTest.tests += 1
        self.began = int(time.time() * 1000)
        self.then = self.began - 3_600_000      # when the events came to Kafka
        self.orders, self.visits = (f"{name}-{DlqTest.tests}" for name in ("orders", "visits"))
        self.directory = self.folder / str(DlqTest.tests)
        self.directory.mkdir()
        self.redis = Redis(self.directory)
        self.addCleanup(self.redis.stop)
        for topic, partitions in ((self.orders, 4), (f"{self.orders}.dlq", 2), (self.visits, 2),
                                  (f"{self.visits}.dlq", 1)):
            self.broker.create_topic(topic, partitions)
        self.config = self.configuration("int")
        wait_until(self.knows_topics, WITHIN, "the broker tells of the topics it made")

    def knows_topics(self):
        return subprocess.run([binary(), "dlq", "list", "-c", str(self.config)], capture_output=True).returncode == 0

    def configuration(self, amount, **changes):
        names = {"brokers": self.broker.brokers, "redis": self.redis.address, "group": f"group-{DlqTest.tests}",
                 "orders": self.orders, "visits": self.visits, "amount": amount, **changes}
        path = self.directory / f"{amount}-{len(list(self.directory.iterdir()))}.yaml"
        path.write_text(CONFIG.format(**names))
        return path

    def order(self, **fields):
        return json.dumps({"store": "s", "amount": 1, "city": "Oslo", "ts": self.then, **fields}).encode()

    def produce(self, topic, events):
        """Events are (partition, key, value)."""
        path = self.directory / "events.jsonl"
        with open(path, "w", encoding="utf-8") as out:
            for offset, (partition, key, value) in enumerate(events):
                record = {"topic": topic, "partition": partition, "offset": offset, "timestamp": self.then,
                          "value_base64": base64.b64encode(value).decode()}
                if key is not None:
                    record["key"] = key
                print(json.dumps(record), file=out)
        subprocess.run([binary(), "replay", "-c", str(self.config), "--records", str(path)], check=True,
                       capture_output=True)

    def node(self, config=None):
        node = FreshetProcess(["run", "-c", str(config or self.config)], self.directory / "node.log")
        self.addCleanup(node.stop)
        return node

    def write_letters(self, count):
        """What was produced is counted or refused by a node, which then ends."""
        node = self.node()
        wait_until(lambda: sum(row["letters"] for row in self.listed()) >= count, WITHIN, f"{count} dead letters")
        self.assertEqual(node.stop(), 0)

    def run_dlq(self, *arguments, config=None, status=0):
        done = subprocess.run([binary(), "dlq", arguments[0], "-c", str(config or self.config), *arguments[1:]],
                              capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=120)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        return done.stderr if status else done.stdout

    def lines(self, *arguments):
        return [json.loads(line) for line in self.run_dlq(*arguments, "--json").splitlines()]

    def listed(self, *arguments):
        return self.lines("list", *arguments)

    def counts(self):
        return {(row["source"], row["reason"]): (row["letters"], row["replayed"]) for row in self.listed()}

    def replayed(self, topic):
        """{place of the letter: how often it is in the topic, for those who read what is committed}"""
        output = subprocess.run(["kcat", "-C", "-q", "-e", "-b", self.broker.brokers, "-t", topic, "-X",
                                 "isolation.level=read_committed", "-f", "%h\n"], check=True, capture_output=True,
                                text=True, timeout=120).stdout
        return collections.Counter(line.split("=", 1)[1] for line in output.splitlines() if line)


class ListAndShow(DlqTest):
    def test_letters_of_two_sources(self):
        bad = [(0, "k", b"{broken"), (3, None, b"\xff\x00\x01"), (1, "k", self.order(amount="many"))]
        self.produce(self.orders, [(0, "k", self.order()), *bad])
        self.produce(self.visits, [(1, None, b'{"page": 7}')])
        self.write_letters(4)
        self.assertEqual(self.counts(), {("orders", "malformed"): (2, 0), ("orders", "wrong_type"): (1, 0),
                                         ("visits", "wrong_type"): (1, 0)})
        row = self.listed("--source", "visits")[0]
        self.assertEqual((row["letter_topic"], row["topic"]), (f"{self.visits}.dlq", self.visits))
        self.assertLessEqual(self.began, row["first"])
        self.assertEqual(row["first"], row["last"])
        self.assertRegex(self.run_dlq("list"), rf"{self.orders}\.dlq +{self.orders} +malformed +2 +0 +20")

        letters = {(letter["source"], letter["partition"]): letter for letter in self.lines("show")}
        self.assertEqual(len(letters), 4)
        broken = letters["orders", 0]
        self.assertEqual((broken["topic"], broken["offset"], broken["reason"], broken["view"], broken["replayed"]),
                         (self.orders, 1, "malformed", None, False))
        self.assertEqual((broken["key"], broken["value"]), ("k", "{broken"))
        self.assertEqual(broken["timestamp"], self.then)
        self.assertIn("amount", letters["orders", 1]["message"])
        self.assertEqual((letters["orders", 3]["key"], letters["orders", 3]["value_hex"]), (None, "ff0001"))
        self.assertEqual(len(self.lines("show", "--limit", "1")), 1)
        self.assertEqual(len(self.lines("show", "--source", "orders", "--reason", "malformed")), 2)
        text = self.run_dlq("show", "--source", "orders", "--reason", "malformed")
        self.assertIn("value  {broken\n", text)
        self.assertIn("value  hex ff0001\n", text)

    def test_nothing_there(self):
        self.assertEqual(self.run_dlq("list"), "no dead letters\n")
        self.assertEqual(self.run_dlq("show"), "")
        self.assertIn("nothing to send", self.run_dlq("replay", "--yes"))

    def test_what_is_wrong_is_named(self):
        self.assertIn("did you mean 'orders'?", self.run_dlq("list", "--source", "order", status=2))
        self.assertIn("did you mean 'malformed'?", self.run_dlq("show", "--reason", "malformd", status=2))
        self.assertIn("--limit: write a number from 1", self.run_dlq("show", "--limit", "0", status=2))
        self.assertIn("--dry-run says, then add --yes", self.run_dlq("replay", status=2))
        self.assertIn("--offset", self.run_dlq("replay", "--partition", "0", status=2))
        place = ("--partition", "0", "--offset", "17", "--yes")
        self.assertIn("add --source", self.run_dlq("replay", *place, status=2))
        self.assertIn(f"no dead letter at {self.orders}.dlq/0:17: the partition holds offsets from 0 to before 0",
                      self.run_dlq("replay", "--source", "orders", *place, status=2))
        self.assertIn(f"{self.visits}.dlq has 1",
                      self.run_dlq("replay", "--source", "visits", "--yes", "--partition", "1", "--offset", "0", status=2))
        gone = self.configuration("int", orders="nowhere")
        self.assertIn("topic of dead letters nowhere.dlq does not exist", self.run_dlq("list", config=gone, status=1))


class Replay(DlqTest):
    def test_the_events_count_once_the_configuration_is_mended(self):
        self.produce(self.orders, [(p, "k", self.order(amount=amount)) for p in range(4) for amount in (1, 1.5, 2.5)])
        self.write_letters(8)
        self.assertIn("8 wrong_type", self.run_dlq("replay", "--dry-run"))
        self.assertEqual(self.counts(), {("orders", "wrong_type"): (8, 0)})

        self.assertIn("sent 8 of 8 events", self.run_dlq("replay", "--yes"))
        self.assertEqual(self.counts(), {("orders", "wrong_type"): (8, 8)})
        again = self.run_dlq("replay", "--yes")
        self.assertIn("8 replayed before", again)
        self.assertIn("nothing to send", again)

        with self.node(self.configuration("float")).client() as client:
            def orders():
                return int(client.call("FS.GET", "stores", "s", "FEATURES", 1, "orders")[0])
            wait_until(lambda: orders() >= 12, WITHIN, "all orders are counted")
            self.assertEqual(orders(), 12)
        self.assertEqual({row["letters"] for row in self.listed()}, {8})

    def test_events_are_sent_as_they_came(self):
        values = [b"{broken", b"\xff\x00\n", b""]
        self.produce(self.orders, [(3, "k\u00e9y", values[0]), (3, None, values[1]), (1, "k", values[2])])
        self.produce(self.visits, [(1, "p", b"[]")])
        self.write_letters(4)
        self.assertIn("sent 4 of 4 events", self.run_dlq("replay", "--yes"))
        records = list(self.broker.read(self.orders))
        for partition, size in ((3, 2), (1, 1)):
            came = [(key, value) for p, _, _, key, value in records if p == partition]
            self.assertEqual(sorted(came[:size], key=str), sorted(came[size:], key=str))
        # By the time of Kafka: as it was. By a field: the time of sending, from which max_future counts.
        self.assertEqual([record[2] for record in self.broker.read(self.visits)], [self.then] * 2)
        self.assertGreaterEqual(max(record[2] for record in records), self.began)
        places = {f"{letter['letter_topic']}/{letter['letter']}" for letter in self.lines("show", "--source", "orders")}
        self.assertEqual(self.replayed(self.orders), dict.fromkeys(places, 1))

    def test_some_before_the_others(self):
        """A reason, a source or a single letter first: the rest stays to be sent, and nothing is sent twice."""
        self.produce(self.orders, [(p, "k", value) for p in range(4)
                                   for value in (b"{", self.order(amount="x"), self.order(ts=None))])
        self.produce(self.visits, [(0, None, b"{")])
        self.write_letters(13)
        one = next(letter for letter in self.lines("show", "--source", "orders") if letter["reason"] == "no_time")
        partition, offset = one["letter"].split(":")
        place = ("--source", "orders", "--partition", partition, "--offset", offset)
        self.assertIn("sent 1 of 1 events", self.run_dlq("replay", *place, "--yes"))
        self.assertIn("nothing to send", self.run_dlq("replay", *place, "--yes"))
        self.assertTrue(next(letter for letter in self.lines("show") if letter["letter"] == one["letter"])["replayed"])
        self.assertIn("sent 4 of 4 events",
                      self.run_dlq("replay", "--source", "orders", "--reason", "malformed", "--yes"))
        self.assertEqual(self.counts(), {("orders", "malformed"): (4, 4), ("orders", "wrong_type"): (4, 0),
                                         ("orders", "no_time"): (4, 1), ("visits", "malformed"): (1, 0)})
        self.assertIn("sent 8 of 8 events", self.run_dlq("replay", "--yes"))
        self.assertEqual(set(self.replayed(self.orders).values()), {1})
        self.assertEqual(len(self.replayed(self.orders)), 12)
        self.assertEqual(len(self.replayed(self.visits)), 1)

    def test_a_letter_of_one_view_is_left_unless_asked_for(self):
        self.produce(self.orders, [(0, "k", self.order(city=None)), (0, "k", b"{")])
        self.write_letters(2)
        self.assertEqual([letter["view"] for letter in self.lines("show", "--reason", "no_entity")], ["cities"])
        said = self.run_dlq("replay", "--yes")
        self.assertIn("left: 1 of single views", said)
        self.assertIn("sent 1 of 1 events", said)
        self.assertIn("sent 1 of 1 events", self.run_dlq("replay", "--reason", "no_entity", "--yes"))

    def test_who_is_there_is_asked(self):
        self.produce(self.orders, [(0, "k", b"{")])
        self.write_letters(1)
        for answer, status, said in ((b"\n", 1, "nothing was sent"), (b"y\n", 0, "sent 1 of 1 events")):
            terminal, other_end = os.openpty()
            os.write(terminal, answer)
            done = subprocess.run([binary(), "dlq", "replay", "-c", str(self.config)], stdin=other_end, text=True,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)
            os.close(terminal)
            os.close(other_end)
            self.assertEqual(done.returncode, status, done.stdout)
            self.assertIn("send 1 events again? [y/N]", done.stdout)
            self.assertIn(said, done.stdout)

    def test_a_letter_that_kafka_refuses_is_named_and_the_others_go_on(self):
        self.produce(self.orders, [(0, "k", b"{"), (0, "k", b"{" + b" " * 50_000)])
        self.write_letters(2)
        long, = (letter for letter in self.lines("show") if letter["offset"] == 1)
        self.broker.set_topic(self.orders, max_message_bytes=1000, compression_type="uncompressed")
        config = self.configuration("int")
        config.write_text(config.read_text().replace("kafka: {", "kafka: {properties: {compression.type: none}, "))
        error = self.run_dlq("replay", "--yes", config=config, status=1)
        self.assertIn("1 were refused by Kafka", error)
        self.assertIn(f"letter {self.orders}.dlq/{long['letter']}: sending to {self.orders}", error)
        self.assertEqual(self.counts(), {("orders", "malformed"): (2, 1)})
        self.broker.set_topic(self.orders, max_message_bytes=1_000_000)
        self.assertIn("sent 1 of 1 events", self.run_dlq("replay", "--yes", config=config))

    def test_topics_that_went_or_shrank(self):
        self.produce(self.orders, [(p, f"k{p}", b"{") for p in range(4)])
        self.write_letters(4)
        self.broker.delete_topic(self.orders)
        error = self.run_dlq("replay", "--yes", status=1)
        self.assertIn("no such Kafka topic", error)
        self.assertIn("the same command sends the rest", error)
        self.broker.create_topic(self.orders, 2)
        self.assertIn("sent 4 of 4 events", self.run_dlq("replay", "--yes"))
        sent = {key: partition for partition, _, _, key, _ in self.broker.read(self.orders)}
        self.assertEqual((sent[b"k0"], sent[b"k1"], len(sent)), (0, 1, 4))

        other = self.configuration("int", orders="elsewhere")
        self.broker.create_topic("elsewhere", 1)
        self.broker.create_topic("elsewhere.dlq", 1)
        self.assertIn("no dead letters", self.run_dlq("list", "--source", "orders", config=other))


class Interrupted(DlqTest):
    EVENTS = 20_000

    def start(self):
        return subprocess.Popen([binary(), "dlq", "replay", "-c", str(self.config), "--yes"], stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, text=True, stdin=subprocess.DEVNULL)

    def end_of(self, topic):
        """The sum of the partitions' ends."""
        places = [word for p in range(4) for word in ("-t", f"{topic}:{p}:-1")]
        output = subprocess.run(["kcat", "-Q", "-b", self.broker.brokers, *places], check=True, capture_output=True,
                                text=True).stdout
        return sum(int(line.rsplit(" ", 1)[1]) for line in output.splitlines())

    def interrupt(self, number):
        """Once it has sent something more, or has ended. Its status."""
        before = self.end_of(self.orders)
        with self.start() as replay:
            wait_until(lambda: replay.poll() is not None or self.end_of(self.orders) > before, WITHIN, "something is sent")
            replay.send_signal(number)
            said, _ = replay.communicate(timeout=WITHIN)
        if number == signal.SIGTERM and replay.returncode != 0:
            self.assertIn("interrupted", said)
        return replay.returncode

    def test_each_letter_is_sent_once(self):
        self.produce(self.orders, [(i % 4, None, b"{%d" % i) for i in range(self.EVENTS)])
        self.write_letters(self.EVENTS)
        statuses = [self.interrupt(number) for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGKILL)]
        print(f"statuses {statuses}, sent by then {sum(self.replayed(self.orders).values())}")
        replays = [self.start(), self.start()]      # one of them may find that the other goes on
        for replay in replays:
            self.addCleanup(replay.kill)
        for replay in replays:
            said, _ = replay.communicate(timeout=WITHIN)
            if replay.returncode != 0:
                self.assertIn("another freshet dlq replay of this group has begun", said)
        self.run_dlq("replay", "--yes")
        sent = self.replayed(self.orders)
        self.assertEqual(len(sent), self.EVENTS)
        self.assertEqual(set(sent.values()), {1})
        self.assertEqual(self.counts(), {("orders", "malformed"): (self.EVENTS, self.EVENTS)})
        self.assertIn("nothing to send", self.run_dlq("replay", "--yes"))


if __name__ == "__main__":
    unittest.main()
