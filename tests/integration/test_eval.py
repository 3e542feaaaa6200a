#!/usr/bin/env python3
"""`freshet eval` against the oracle over generated, messy events: every value of every entity at several instants."""
import datetime
import itertools
import re

import support
from support import FreshetTest, compare_rows, json_lines

from compare import Comparison
from events import read_plain
from generate_events import SOURCE_YAML, generate, partitioned, record_line
from oracle import Oracle
from times import DAY, HOUR, MINUTE, SECOND

EVENTS = 30_000
PARTITIONS = 8
START = 1_700_000_000_000
SOURCE_TIME = re.compile(r"\n    time: .*")

VIEWS = """\
views:
  by_store:                             # every aggregate over every type it takes, several windows of one hop
    source: orders
    entity: store
    clock: event
    retain: 10m
    features:
      count_1m: {count: "*", window: 1m}
      count_5m: {count: amount, window: 5m}
      count_1h: {count: "*", window: 1h}
      sum_5m: {sum: amount, window: 5m}
      sum_items_1h: {sum: items, window: 1h}
      mean_1h: {mean: amount, window: 1h}
      mean_items_1h: {mean: items, window: 1h}
      min_5m: {min: amount, window: 5m}
      max_items_1h: {max: items, window: 1h}
      variance_1h: {variance: amount, window: 1h}
      stddev_5m: {stddev: amount, window: 5m}
      stddev_items_1h: {stddev: customer, window: 1h}
      first_city_1h: {first: city, window: 1h}
      last_amount_5m: {last: amount, window: 5m}
      last_express_1m: {last: express, window: 1m}
      first_customer_1h: {first: customer, window: 1h}
      distinct_customers_1h: {count_distinct: customer, window: 1h}
      distinct_cities_5m: {count_distinct: city, window: 5m}
      distinct_amounts_1h: {count_distinct: amount, window: 1h}
      distinct_express_1h: {count_distinct: express, window: 1h}
      median_1h: {quantile: amount, q: 0.5, window: 1h}
      p95_5m: {quantile: amount, q: 0.95, window: 5m}
      lowest_1h: {quantile: items, q: 0, window: 1h}
      highest_1h: {quantile: amount, q: 1, window: 1h}
  by_customer_and_city:                 # a composite key with odd characters, a condition, odd hops
    source: orders
    entity: [customer, city]
    clock: event
    where: "customer < 60 and amount is not null and not (amount > -1000000000.5 and amount <= -1000000)"
    features:
      count_90s: {count: "*", window: 90s, hop: 45s}
      count_10m: {count: "*", window: 10m, hop: 2m}
      dear_10m: {count: "*", window: 10m, hop: 2m, where: amount >= 9.99}
      express_1h: {sum: amount, window: 1h, hop: 450s, where: express}
      kinds_1h: {count_distinct: store, window: 1h, where: "store in ['s0', \\"a|b\\", 's2'] or store is null"}
      last_10m: {last: store, window: 10m, hop: 2m, where: items != 0}
  by_express:                           # a bool as the key, as of the wall clock; long and lifetime windows
    source: orders
    entity: express
    clock: wall
    retain: 1h
    features:
      ever: {count: "*", window: lifetime}
      total: {sum: amount, window: lifetime, where: amount > 0}
      last_ever: {last: store, window: lifetime}
      customers_ever: {count_distinct: customer, window: lifetime}
      count_1d: {count: "*", window: 1d}
      p99_1d: {quantile: amount, q: 0.99, window: 1d}
      stddev_7d: {stddev: amount, window: 7d}
  by_store_of_the_day:                  # longer than the data; the longest window has two hops
    source: orders
    entity: [store, express]
    clock: wall
    features:
      count_1d: {count: "*", window: 1d}
      count_1d_coarse: {count: "*", window: 1d, hop: 6h}
      min_items_30d: {min: items, window: 30d}
      mean_30d: {mean: amount, window: 30d, hop: 1d, where: "amount < 1000"}
"""
CONFIG = "sources:\n  orders:\n" + SOURCE_YAML + VIEWS
JUMPLESS = "sources:\n  orders:\n" + SOURCE_YAML + "    max_jump: 20s\n" + """\
views:
  jumpless:
    source: orders
    entity: customer
    clock: event
    where: "store not in ['s1'] and customer < 200"
    features:
      count_1h: {count: "*", window: 1h, hop: 30s}
      moments_1h: {variance: items, window: 1h, hop: 30s, where: items < 1000}
      lowest_1m: {min: amount, window: 1m, hop: 20s}
"""
# What the program calls a reason, and what the oracle does.
REASONS = {"malformed": "json", "wrong_type": "type", "overflow": "type", "no_time": "time", "future": "future",
           "jump": "jump"}


def generated_lines(count=EVENTS, step_ms=100, start_ms=START):
    """By default some fifty minutes."""
    for partition, offset, _, value, timestamp in partitioned(generate("eval", count, start_ms, step_ms), PARTITIONS):
        yield record_line(partition, offset, value, timestamp)


def plain_lines(count):
    """Without what is too far ahead of Kafka's timestamp, which plain events do not have."""
    for _, value, timestamp in generate("plain", count, START):
        time = re.search(rb'"ts": ?(\d+)', value or b"")
        if value is not None and b"\n" not in value and not (time and int(time[1]) > timestamp + MINUTE):
            yield value


class AgainstTheOracle(FreshetTest):
    def judge(self, oracle, rows):
        comparison = Comparison(oracle)
        compare_rows(comparison, rows)
        self.assertFalse(comparison.mismatches, comparison.report())
        print(comparison.report().splitlines()[0])
        self.assertGreater(comparison.nontrivial, comparison.compared / 2)

    def run_both(self, config, lines, instants):
        """Compares every entity at {view: [milliseconds after its clock]}; returns the oracle and standard error."""
        config = self.write("orders.yaml", config)
        events = self.write("orders.jsonl", "\n".join(lines) + "\n")
        oracle = Oracle(str(config), str(events))
        rows, complaints = [], ""
        for view, distances in instants.items():
            times = [oracle.clock(view) + distance for distance in distances]
            done = self.freshet("eval", "-c", config, "--records", events, "--view", view,
                                *itertools.chain(*(("--at", t) for t in times)))
            found = json_lines(done.stdout)
            self.assertEqual([(row["view"], row["entity"], row["at"]) for row in found],
                             [(view, entity, t) for t in times for entity in oracle.entities(view)])
            rows += found
            complaints += done.stderr.decode()
        self.judge(oracle, rows)
        return oracle, complaints

    def test_every_aggregate(self):
        oracle, complaints = self.run_both(CONFIG, generated_lines(), {
            "by_store": [-8 * MINUTE, -59 * SECOND, 0, MINUTE + 1, 3 * MINUTE],
            "by_customer_and_city": [-2 * MINUTE, -100, 0, 2 * MINUTE],
            "by_express": [-HOUR, 0, 5 * HOUR, 3 * DAY],
            "by_store_of_the_day": [-5 * MINUTE, 2 * HOUR, 20 * HOUR, 12 * DAY]})
        self.assertGreater(sum(len(oracle.entities(view)) for view in oracle.config.views), 500)
        self.check_dead_letters(oracle, complaints)

    def test_a_week(self):
        """In which the long windows move, too."""
        self.run_both(CONFIG, generated_lines(count=10_000, step_ms=60_000), {
            "by_express": [-4 * MINUTE, 0, 6 * HOUR + 17, 2 * DAY, 29 * DAY],
            "by_store_of_the_day": [-4 * MINUTE, 0, 6 * HOUR + 17, 2 * DAY, 29 * DAY]})

    def test_before_1970(self):
        self.run_both(CONFIG, generated_lines(count=5000, start_ms=-10**12),
                      {"by_store": [-MINUTE, 0, MINUTE], "by_express": [0, 2 * HOUR]})

    def test_jumps_are_dead_letters(self):
        oracle, complaints = self.run_both(JUMPLESS, generated_lines(), {"jumpless": [-20 * SECOND, 0, 10 * MINUTE]})
        self.assertGreater(oracle.dead_letters("orders")["jump"], 100)
        self.check_dead_letters(oracle, complaints)

    def check_dead_letters(self, oracle, complaints):
        """What the program says on standard error, against the oracle's counts."""
        found = {}
        for kind, name, reason, count in set(re.findall(r"dead letters of (\w+) (\w+): (\w+): (\d+), the first at "
                                                        r"\S+orders\.jsonl:\d+: ", complaints)):
            key = (kind, name, REASONS.get(reason, reason))
            found[key] = found.get(key, 0) + int(count)
        expected = {("source", source, reason): count for source in oracle.config.sources
                    for reason, count in oracle.dead_letters(source).items()}
        expected |= {("view", view, "no_entity"): len(letters) for view in oracle.config.views
                     if (letters := oracle.view_dead_letters(view))}
        self.assertEqual(found, expected)

    def test_the_views_clock(self):
        config = self.write("orders.yaml", CONFIG)
        events = self.write("orders.jsonl", "\n".join(generated_lines(count=5000)))
        oracle = Oracle(str(config), str(events))
        done = self.freshet("eval", "-c", config, "--records", events, "--at", "clock", "--view", "by_store")
        rows = json_lines(done.stdout)
        self.assertEqual({row["at"] for row in rows}, {oracle.clock("by_store")})
        self.judge(oracle, rows)

    def test_plain_events(self):
        """Line numbers are offsets and the events' own times Kafka's, whatever the format of time."""
        payloads = list(plain_lines(4000))
        for time, of in [("{field: ts, format: unix_ms}", lambda ts: ts),
                         ("{field: when, format: iso8601}", lambda ts: b'"%s"' % iso8601(int(ts)))]:
            with self.subTest(time=time):
                source = SOURCE_TIME.sub(f"\n    time: {time}", SOURCE_YAML)
                config = self.write("plain.yaml", "sources:\n  orders:\n" + source + VIEWS)
                lines = payloads if "ts" in time else [
                    re.sub(rb'"ts":( ?)(\d+)', lambda m: b'"when":' + m[1] + of(m[2]), line) for line in payloads]
                events = self.write("plain.jsonl", b"\n".join(lines) + b"\n")
                oracle = Oracle(str(config), ())
                oracle.add(read_plain(events, oracle.config.sources["orders"]))
                at = oracle.clock("by_store")
                rows = json_lines(self.freshet("eval", "-c", config, events, "--at", at).stdout)
                self.assertEqual(len(rows), sum(len(oracle.entities(view)) for view in oracle.config.views))
                self.judge(oracle, rows)


def iso8601(ms):
    moment = datetime.datetime.fromtimestamp(ms // 1000, datetime.timezone.utc)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{ms % 1000:03}Z".encode()


class Errors(FreshetTest):
    RECORD = '{"topic": "orders", "partition": 0, "offset": %d, "timestamp": 1700000000000, "value": %s}\n'
    GOOD = '"{\\"store\\": \\"s1\\", \\"amount\\": 1, \\"ts\\": 1700000000000}"'

    def setUp(self):
        super().setUp()
        self.config = self.write("orders.yaml", CONFIG)

    def complaint(self, *arguments, status):
        done = self.freshet("eval", *arguments, status=status)
        self.assertEqual(done.stdout, b"")
        return done.stderr.decode()

    def records(self, *lines):
        return "-c", self.config, "--records", self.write("records.jsonl", "".join(lines)), "--view", "by_store"

    def test_the_command_line(self):
        events = self.write("events.jsonl", "")
        for arguments, message in [
                (("-c", self.config, events), "--at is required"),
                (("-c", self.config, events, "--at", "noon"), "--at 'noon' is neither unix milliseconds nor clock"),
                (("-c", self.config, events, "--at", "clock"), "view by_express has clock: wall"),
                (("-c", self.config, events, "--at", "5", "--view", "by_stor"), "did you mean 'by_store'?"),
                (("-c", self.config, events, "--at", "5", "--source", "order"), "did you mean 'orders'?")]:
            self.assertIn(message, self.complaint(*arguments, status=2))

    def test_the_configuration(self):
        broken = self.write("broken.yaml", CONFIG.replace("sum: amount, window: 5m", "sum: store, window: 5m"))
        self.assertRegex(self.complaint("-c", broken, "events", "--at", "5", status=2), r"broken\.yaml:\d+:\d+: .*sum")
        self.assertIn("none.yaml", self.complaint("-c", "none.yaml", "events", "--at", "5", status=2))
        by_kafka = self.write("kafka.yaml", "sources:\n  orders:\n" + SOURCE_TIME.sub("", SOURCE_YAML) + VIEWS)
        self.assertIn("takes Kafka's timestamp", self.complaint("-c", by_kafka, "events", "--at", "5", status=2))

    def test_files(self):
        self.assertIn("none.jsonl: cannot be read",
                      self.complaint("-c", self.config, "--records", "none.jsonl", "--at", "5", status=1))
        good = self.RECORD % (3, self.GOOD)
        for line, message in [("{\n", r"records\.jsonl:3: not a record: not a JSON object"),
                              (good.replace("offset", "offs"), r"records\.jsonl:3: not a record: offset is missing"),
                              (self.RECORD % (4, "5"), r"records\.jsonl:3: not a record: value is neither"),
                              (self.RECORD % (3, "null"), r"records\.jsonl:3: offset 3 of orders/0 comes after")]:
            self.assertRegex(self.complaint(*self.records(good, "\n", line), "--at", "5", status=1), message)

    def test_too_early(self):
        arguments = self.records(self.RECORD % (0, self.GOOD))
        earliest = START - 10 * MINUTE
        self.assertIn(f"can be asked for is {earliest}", self.complaint(*arguments, "--at", earliest - 1, status=1))
        rows = json_lines(self.freshet("eval", *arguments, "--at", earliest).stdout)
        self.assertEqual([(row["entity"], row["values"]["count_5m"]) for row in rows], [("s1", None)])

    def test_no_events(self):
        self.assertEqual(self.freshet("eval", *self.records(), "--at", "clock").stdout, b"")


if __name__ == "__main__":
    support.main()
