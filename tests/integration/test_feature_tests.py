#!/usr/bin/env python3
"""`freshet test`: tests of features in YAML, without any service."""
import json
import re

import support
from support import SOURCE_DIR, FreshetTest, json_lines

from events import record_of
from generate_events import SOURCE_YAML, generate, partitioned, record_line
from oracle import Oracle

START = 1_700_000_000_000
CONFIG = "sources:\n  orders:\n" + SOURCE_YAML + """\
views:
  by_store:
    source: orders
    entity: store
    clock: event
    features:
      count_1m: {count: "*", window: 1m}
      count_1h: {count: "*", window: 1h}
      sum_5m: {sum: amount, window: 5m}
      mean_1h: {mean: amount, window: 1h, where: items > 1}
      last_city_1h: {last: city, window: 1h}
  by_express:
    source: orders
    entity: express
    features:
      items_5m: {sum: items, window: 5m}
"""
BY_KAFKA = """\
sources:
  clicks: {topic: clicks, fields: {page: string}}
views:
  pages: {source: clicks, entity: page, features: {clicks_1m: {count: "*", window: 1m}}}
"""


class Example(FreshetTest):
    PATH = SOURCE_DIR / "examples" / "flights_test.yaml"

    def test_it_passes(self):
        lines = self.freshet("test", self.PATH).stdout.decode().splitlines()
        self.assertTrue(all(line.startswith("ok    ") for line in lines[:-1]), lines)
        self.assertEqual(lines[-1], f"{len(lines) - 1} passed, 0 failed")

    def test_each_expectation_can_fail(self):
        """Every value, reason and absence of the example, made wrong one by one."""
        text = self.PATH.read_text().replace("config: flights.yaml", f"config: {self.PATH.parent}/flights.yaml")
        wrong = list(re.finditer(r"(?<=_1d: |_7d: )-?\d+|(?<=30d: )\d+|(?<=reason: )(?!jump)\w+|(?<=missing: )true|"
                                 r"(?<=_7d: )ok", text))
        self.assertGreater(len(wrong), 15)
        other = {"true": "false", "ok": "overflow"}
        for place in wrong:
            new = other.get(place[0]) or (str(int(place[0]) + 1) if place[0].lstrip("-").isdigit() else "jump")
            broken = text[:place.start()] + new + text[place.end():]
            if new == "false":
                broken = broken.replace("missing: false", "features: {flights_1d: 77}")
            line = text[:place.start()].count("\n") + 1
            done = self.freshet("test", self.write("broken_test.yaml", broken), status=1)
            self.assertRegex(done.stdout.decode(), rf"\n  \S+broken_test\.yaml:{line}:\d+: ", place)


class Times(FreshetTest):
    def judge(self, tests, config=CONFIG, status=0, *options):
        self.write("features.yaml", config)
        return self.freshet("test", self.write("features_test.yaml", tests), *options, status=status)

    def test_values_against_the_oracle_as_time_goes_on(self):
        """At each instant exactly the events count that had come by then, dead letters and late ones among them."""
        lines = [record_line(p, offset, value, timestamp) for p, offset, _, value, timestamp
                 in partitioned(generate("tests", 4000, START, 1000), 4)]
        records = sorted(map(record_of, map(json.loads, lines)), key=lambda r: (r.timestamp, r.partition, r.offset))
        events = self.write("orders.jsonl", "\n".join(lines) + "\n")
        config = self.write("features.yaml", CONFIG)
        expect = []
        for at in (START + 1_000_000, START + 2_000_000, START + 3_999_000):
            oracle = Oracle(str(config), ())
            oracle.add(record for record in records if record.timestamp <= at)
            for entity in oracle.entities("by_store"):
                answer = oracle.value("by_store", entity, at)
                missing = set(answer.statuses.values()) == {"missing"}
                expect.append({"at": at, "view": "by_store", "entity": entity, "absolute_tolerance": 1e-3,
                               **({"missing": True} if missing else {"features": answer.values})})
        self.assertGreater(len(expect), 300)
        whole = Oracle(str(config), str(events))
        numbers = {(r.partition, r.offset): number for number, r in enumerate(map(record_of, map(json.loads, lines)), 1)}
        self.assertGreater(len(whole.dead_letters("orders")), 2)
        document = {"config": "features.yaml", "tests": {"all": {
            "records": {"orders": events.name}, "expect": expect}}}
        done = self.freshet("test", self.write("all_test.yaml", json.dumps(document, ensure_ascii=False)), "--json", status=1)
        failures = json_lines(done.stdout)[0]["failures"]
        # Nothing but the dead letters, of which the test says nothing.
        self.assertEqual({f.get("view") for f in failures}, {None}, failures[:3])
        refused = {f["event"] for f in failures}
        self.assertLessEqual({numbers[letter[:2]] for letter in whole.dead_letter_records("orders")}, refused)

    def test_the_wall_clock_moves_a_window(self):
        self.judge(f"""\
config: features.yaml
tests:
  express:
    events:
      orders:
        - {{store: s, items: 2, express: true, ts: {START}}}
        - {{store: s, items: 3, express: true, ts: {START + 60_000}}}
    expect:
      - {{at: {START - 1}, view: by_express, entity: true, missing: true}}
      - {{at: {START}, view: by_express, entity: true, features: {{items_5m: 2}}}}
      - {{at: {START + 60_000}, view: by_express, entity: true, features: {{items_5m: 5}}}}
      - {{at: {START + 330_000}, view: by_express, entity: true, features: {{items_5m: 3}}}}
      - {{at: {START + 420_000}, view: by_express, entity: true, missing: true}}
""")

    def test_records_have_kafkas_timestamp(self):
        tests = """\
config: features.yaml
tests:
  clicks:
    records:
      clicks:
        - {timestamp: 2024-05-01T10:00:00Z, partition: 1, value: {page: home}}
        - {timestamp: 2024-05-01T10:00:30Z, value: {page: home}}
        - {timestamp: 2024-05-01T10:00:31Z, value: null}
    expect:
      - {at: 2024-05-01T10:00:29Z, view: pages, entity: home, features: {clicks_1m: 1}}
      - {at: 2024-05-01T10:00:30Z, view: pages, entity: home, features: {clicks_1m: 2}}
"""
        self.judge(tests, BY_KAFKA)
        done = self.judge(tests.replace("clicks_1m: 2", "clicks_1m: 3"), BY_KAFKA, 1)
        self.assertRegex(done.stdout.decode(), r"FAIL  \S+features_test\.yaml: clicks\n"
                         r"  \S+features_test\.yaml:11:\d+: pages \"home\" at 2024-05-01T10:00:30\.000Z\n"
                         r"    clicks_1m: expected 3, got 2\n    it counts:\n"
                         r"      \S+:6:11: \{\"page\": \"home\"\}\n      \S+:7:11: \{\"page\": \"home\"\}\n"
                         r"0 passed, 1 failed\n")

    def test_an_event_ahead_of_kafka_is_a_dead_letter(self):
        tests = f"""\
config: features.yaml
tests:
  ahead:
    records:
      orders:
        - {{timestamp: {START}, value: {{store: s, ts: {START + 60_001}}}}}
    refused: [{{event: 1, reason: future}}]
  behind:
    events: {{orders: [{{store: s, ts: {START}}}]}}
    expect: [{{at: clock, view: by_store, entity: s, features: {{count_1m: 1}}}}]
"""
        # The second event has no value for the entity of by_express: a dead letter of that view alone.
        done = self.judge(tests, CONFIG, 1)
        self.assertIn('expected "counted", got "no_entity"', done.stdout.decode())
        tests = tests.replace(f"[{{store: s, ts: {START}}}]", f"[{{store: s, express: false, ts: {START}}}]")
        self.judge(tests)
        done = self.judge(tests, CONFIG, 0, "--only", "behind", "--json")
        self.assertEqual([row["test"] for row in json_lines(done.stdout)], ["behind"])
        done = self.judge(tests, CONFIG, 2, "--only", "behin")
        self.assertIn('--only: unknown test "behin"; did you mean "behind"?', done.stderr.decode())


class Errors(FreshetTest):
    def complaint(self, tests, config=CONFIG):
        self.write("features.yaml", config)
        done = self.freshet("test", self.write("broken_test.yaml", "config: features.yaml\n" + tests), status=2)
        self.assertEqual(done.stdout, b"")
        return done.stderr.decode()

    def test_broken_files(self):
        expect = "expect: [{at: clock, view: by_store, entity: s, missing: true}]"
        for tests, message in [
                ("test: {}\n", r"broken_test\.yaml:2:1: unknown key \"test\"; did you mean \"tests\"\?"),
                (f"tests: {{a: {{events: {{orders: none.jsonl}}, {expect}}}}}\n",
                 r"broken_test\.yaml:2:22: \S*none\.jsonl: cannot be read"),
                (f"tests: {{a: {{records: {{orders: other.jsonl}}, {expect}}}}}\n",
                 r"other\.jsonl:1: a record of topic other, but source orders reads orders"),
                ("tests: {a: {refused: [{event: 2, reason: jump}], events: {orders: []}}}\n",
                 r"broken_test\.yaml:2:23: source orders has no event 2 in this test")]:
            self.write("other.jsonl", '{"topic": "other", "partition": 0, "offset": 0, "timestamp": 1, "value": "{}"}\n')
            self.assertRegex(self.complaint(tests), message)

    def test_a_broken_configuration(self):
        self.assertRegex(self.complaint("tests: {}\n", CONFIG.replace("sum: items", "sum: item")),
                         r"broken_test\.yaml:1:9: config: \S*features\.yaml:\d+:\d+: .*did you mean")


if __name__ == "__main__":
    support.main()
