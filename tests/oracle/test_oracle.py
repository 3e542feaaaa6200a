"""Hand-computed values for the rules of docs/semantics.md on views, windows and aggregates."""
import io
import json
import math
import os
import random
import tempfile
import unittest

import oracle as command
from configuration import ConfigError, default_hop, parse_config
from events import Record, record_line
from oracle import Oracle
from times import DAY, HOUR, MINUTE, SECOND
from views import OutOfRange, entity_name

T = 1_700_000_040_000                   # a whole minute


def config(features, view="", source="", fields="e: string, n: int, x: float, b: bool, s: string"):
    lines = "".join(f"      {name}: {body}\n" for name, body in features.items())
    return parse_config(
        f"sources:\n  src:\n    topic: t\n    time: {{field: ts, format: unix_ms}}\n    max_future: 10s\n"
        f"    fields: {{{fields}}}\n{source}views:\n  v:\n    source: src\n    clock: event\n"
        f"{view if 'entity:' in view else '    entity: e' + chr(10) + view}    features:\n{lines}")


def record(offset, ts, partition=0, kafka=None, **values):
    value = json.dumps({"e": "a", "ts": ts, **values}).encode()
    return Record("t", partition, offset, ts if kafka is None else kafka, value)


def run(of, *events):
    """An oracle over (ts, values) in this order, in partition 0."""
    return Oracle(of, [record(offset, ts, **values) for offset, (ts, values) in enumerate(events)])


def values(of, *events, t=None, entity="a"):
    answered = run(of, *events)
    return answered.value("v", entity, answered.clock("v") if t is None else t).values


def one(aggregate, *column, window="1h"):
    """The value of one aggregate over a column, with all events at T."""
    answered = run(config({"f": f"{{{aggregate}, window: {window}}}"}),
                   *[(T, {"n": c} if isinstance(c, int) else {"x": c}) for c in column])
    answer = answered.value("v", "a", T)
    return answer.values["f"], answer.statuses["f"]


class Windows(unittest.TestCase):
    def test_both_ends_are_included_by_tile(self):
        of = config({"c": '{count: "*", window: 1m, hop: 10s}', "days": '{count: "*", window: 30d}'})
        for t in (T, T + 1, T + 9_999):         # all in the tile [T, T + 10 s)
            for time_of_event, counted in [(T - 60_001, 0), (T - 60_000, 1), (T - 50_001, 1), (T, 1), (T + 9_999, 1),
                                           (T + 10_000, 0)]:
                found = run(of, (time_of_event, {})).value("v", "a", t)
                self.assertEqual(found.values["c"], counted, (t, time_of_event))

    def test_against_the_formula(self):
        pick = random.Random(5)
        for _ in range(60):
            hop = pick.choice([1, 2, 5, 7, 60]) * SECOND
            window = hop * pick.randrange(1, 12)
            of = config({"c": f'{{count: "*", window: {window // SECOND}s, hop: {hop // SECOND}s}}'})
            event_times = [T + pick.randrange(2 * window) for _ in range(30)]
            answered = run(of, *[(time, {}) for time in sorted(event_times)])
            for t in range(answered.earliest("v"), max(event_times) + 2 * window, window // 5 + 1):
                counted = sum((t - window) // hop <= time // hop <= t // hop for time in event_times)
                self.assertEqual(answered.value("v", "a", t).values["c"], counted or None)

    def test_the_default_hop(self):
        for window, hop in [(SECOND, SECOND), (59 * SECOND, SECOND), (MINUTE, SECOND), (5 * MINUTE, 5 * SECOND),
                            (10 * MINUTE, 10 * SECOND),
                            (HOUR, MINUTE), (HOUR + SECOND, SECOND), (6 * HOUR, 5 * MINUTE), (DAY, 10 * MINUTE),
                            (7 * DAY, HOUR),
                            (30 * DAY, 6 * HOUR), (60 * DAY, DAY), (90 * DAY, DAY), (61 * SECOND, SECOND),
                            (90 * SECOND, SECOND)]:
            self.assertEqual(default_hop(window), hop, window)

    def test_tiles_before_1970(self):
        of = config({"c": '{count: "*", window: 10s, hop: 10s}'})
        self.assertEqual(values(of, (-1, {}), t=5)["c"], 1)             # tile -1 at tile 0
        self.assertEqual(values(of, (-10_001, {}), t=5)["c"], None)

    def test_lifetime(self):
        of = config({"c": '{count: "*", window: lifetime}'})
        midnight = T // DAY * DAY
        events = [(0, {}), (midnight, {}), (midnight + DAY - 1, {})]
        self.assertEqual(values(of, *events, t=midnight + 5)["c"], 3)
        answered = run(of, *events, (midnight + DAY, {}))
        self.assertEqual(answered.value("v", "a", midnight + DAY - 1).values["c"], 3)
        self.assertEqual(answered.value("v", "a", midnight + DAY).values["c"], 4)
        self.assertEqual(answered.late("v"), 0)

    def test_values_move_between_events(self):
        of = config({"c": '{count: "*", window: 5m}', "d": '{count: "*", window: 1d}', "m": "{max: n, window: 5m}"})
        self.assertEqual(values(of, (T, {"n": 3}), t=T + 5 * MINUTE + 4_999), {"c": 1, "d": 1, "m": 3})
        self.assertEqual(values(of, (T, {"n": 3}), t=T + 5 * MINUTE + 5_000), {"c": 0, "d": 1, "m": None})

    def test_instants_below_the_clock_minus_retain_are_refused(self):
        answered = run(config({"c": '{count: "*", window: 1m}'}, view="    retain: 30s\n"), (T, {}))
        self.assertEqual(answered.earliest("v"), T - 30_000)
        answered.value("v", "a", T - 30_000)
        answered.value("v", "a", T + 10**9)
        self.assertRaises(OutOfRange, answered.value, "v", "a", T - 30_001)
        by_hop = run(config({"c": '{count: "*", window: 1h}', "d": '{count: "*", window: 1d}'}), (T, {}))
        self.assertEqual(by_hop.earliest("v"), T - 10 * MINUTE)


class Missing(unittest.TestCase):
    def test_by_the_longest_window_and_the_smallest_of_its_hops(self):
        of = config({"c": '{count: "*", window: 1m}', "wide": '{count: "*", window: 10m, hop: 10m}',
                     "fine": '{count: "*", window: 10m, hop: 1m}'})
        start = T // (10 * MINUTE) * (10 * MINUTE)
        at = start + 15 * MINUTE                # wide takes [start, start + 20 m), fine [start + 5 m, start + 16 m)
        present = run(of, (start + 5 * MINUTE, {})).value("v", "a", at)
        self.assertEqual(present.values, {"c": 0, "wide": 1, "fine": 1})
        self.assertEqual(set(present.statuses.values()), {"ok"})
        missing = run(of, (start + 5 * MINUTE - 1, {})).value("v", "a", at)
        self.assertEqual(missing.values, {"c": None, "wide": None, "fine": None})
        self.assertEqual(set(missing.statuses.values()), {"missing"})

    def test_events_that_no_feature_takes_still_make_an_entity_present(self):
        of = config({"c": "{count: n, window: 1m, where: n > 5}", "s": "{sum: x, window: 1m}"})
        self.assertEqual(values(of, (T, {})), {"c": 0, "s": 0.0})

    def test_unknown_entities_and_events_refused_by_the_view(self):
        answered = run(config({"c": '{count: "*", window: 1m}'}, view="    where: n > 5\n"), (T, {"n": 5}), (T, {}))
        self.assertEqual(answered.value("v", "a", T).statuses, {"c": "missing"})
        self.assertEqual(answered.value("v", "nobody", T).values, {"c": None})
        self.assertEqual(answered.entities("v"), [])
        self.assertEqual(answered.clock("v"), T)        # they move the clock all the same

    def test_without_any_event(self):
        answered = run(config({"c": '{count: "*", window: 1m}'}))
        self.assertIsNone(answered.clock("v"))
        self.assertEqual(answered.value("v", "a", None).statuses, {"c": "missing"})
        self.assertEqual(answered.value("v", "a", T).statuses, {"c": "missing"})


class Aggregates(unittest.TestCase):
    def test_nothing_in_the_window(self):
        bodies = {"count": "count: n", "sum_n": "sum: n", "sum_x": "sum: x", "mean": "mean: n", "min": "min: n",
                  "max": "max: x",
                  "var": "variance: x", "sd": "stddev: n", "first": "first: s", "last": "last: b",
                  "cd": "count_distinct: s",
                  "q": "quantile: x, q: 0.5"}
        found = values(config({name: f"{{{body}, window: 1m}}" for name, body in bodies.items()}), (T, {}))
        empty = dict.fromkeys(bodies) | {"count": 0, "sum_n": 0, "sum_x": 0.0, "cd": 0}
        self.assertEqual(found, empty)
        self.assertEqual([type(found["sum_n"]), type(found["sum_x"])], [int, float])

    def test_nulls_are_skipped_but_count_in_count_star(self):
        of = config({"all": '{count: "*", window: 1m}', "n": "{count: n, window: 1m}", "mean": "{mean: n, window: 1m}"})
        self.assertEqual(values(of, (T, {"n": 4}), (T, {"n": None}), (T, {})), {"all": 3, "n": 1, "mean": 4.0})

    def test_sums(self):
        self.assertEqual(one("sum: n", 2**62, 2**62, -1), (2**63 - 1, "ok"))
        self.assertEqual(one("sum: n", 2**62, 2**62), (None, "overflow"))
        self.assertEqual(one("sum: n", 2**62, 2**62, -2**62), (2**62, "ok"))     # only the sum itself matters
        self.assertEqual(one("sum: n", -2**63, -1), (None, "overflow"))
        self.assertEqual(one("sum: x", 1e100, 1.0, -1e100), (1.0, "ok"))
        self.assertEqual(one("sum: x", 1e308, 1e308), (None, "overflow"))
        self.assertEqual(one("sum: x", 1e308, 1e308, -1e308), (1e308, "ok"))

    def test_mean(self):
        self.assertEqual(one("mean: n", 1, 2, 4), (7 / 3, "ok"))
        self.assertEqual(one("mean: n", 2**63 - 1, 2**63 - 1), (2.0**63, "ok"))
        self.assertEqual(one("mean: x", 1e308, 1e308), (None, "overflow"))

    def test_min_and_max_keep_the_type(self):
        found = [one("min: n", 3, -2)[0], one("max: n", 2**53 + 1, 5)[0], one("min: x", 3.0, 2.0)[0]]
        self.assertEqual(found, [-2, 2**53 + 1, 2.0])
        self.assertEqual([type(value) for value in found], [int, int, float])

    def test_variance_and_stddev_of_the_population(self):
        self.assertEqual(one("variance: n", 2, 4, 4, 4, 5, 5, 7, 9), (4.0, "ok"))
        self.assertEqual(one("stddev: n", 2, 4, 4, 4, 5, 5, 7, 9), (2.0, "ok"))
        self.assertEqual(one("variance: x", 7.5), (0.0, "ok"))
        self.assertEqual(one("variance: n", 10**15, 10**15 + 1), (0.25, "ok"))
        self.assertAlmostEqual(one("variance: x", 1e9 + 0.5, 1e9 + 1.5, 1e9 + 2.5)[0], 2 / 3, places=9)
        self.assertEqual(one("variance: x", 1e200, -1e200), (None, "overflow"))
        self.assertEqual(one("stddev: x", 1e308, 1e308), (0.0, "ok"))

    def test_first_and_last_by_time_partition_offset(self):
        of = config({"f": "{first: s, window: 1h}", "l": "{last: s, window: 1h}"})
        answered = Oracle(of, [record(0, T + 5, 1, s="p1 o0"), record(0, T + 5, 0, s="p0 o0"),
                               record(1, T + 5, 0, s="p0 o1"),
                               record(1, T + 5, 1, s="p1 o1"), record(2, T + 6, 0, s=None), record(2, T + 4, 1)])
        self.assertEqual(answered.value("v", "a", T).values, {"f": "p0 o0", "l": "p1 o1"})
        earlier = Oracle(of, [record(0, T, 1, s="old"), record(0, T + 1, 0, s="new"), record(1, T - 1, 0, s="oldest")])
        self.assertEqual(earlier.value("v", "a", T).values, {"f": "oldest", "l": "new"})

    def test_count_distinct(self):
        self.assertEqual(one("count_distinct: x", 0.0, -0.0, 1.0, 1.0)[0], 2)
        self.assertEqual(one("count_distinct: n", 2**53, 2**53 + 1, 2**53)[0], 2)
        answered = run(config({"f": "{count_distinct: b, window: 1m}"}), (T, {"b": True}), (T, {"b": False}), (T, {}))
        self.assertEqual(answered.value("v", "a", T).values, {"f": 2})

    def test_ranks(self):
        column = [10, 40, 20, 30]
        for q, element in [("0", 10.0), ("0.33", 10.0), ("0.34", 20.0), ("0.5", 20.0), ("0.99", 30.0), ("1", 40.0),
                           ("1.0", 40.0)]:
            self.assertEqual(one(f"quantile: n, q: {q}", *column)[0], element, q)
        self.assertEqual(one("quantile: n, q: 0.29", *range(101))[0], 28.0)       # in doubles: 28.999...
        self.assertEqual(one("quantile: x, q: 0.5", -3.5)[0], -3.5)

    def test_scales(self):
        bodies = {"s": "sum: x", "m": "mean: x", "v": "variance: x", "q": "quantile: x, q: 0", "c": "count_distinct: x"}
        answered = run(config({name: f"{{{body}, window: 1m}}" for name, body in bodies.items()}), (T, {"x": -3.0}),
                       (T, {"x": 4.0}), (T, {"x": -5.0}))
        scale = answered.value("v", "a", T).scale
        self.assertEqual(scale["s"], {"sum_abs": 12.0})
        self.assertEqual(scale["m"], {"mean_abs": 4.0})
        self.assertAlmostEqual(scale["v"]["rms"], math.sqrt(50 / 3))
        self.assertEqual(scale["q"], {"element": -5.0, "largest": 5.0})
        self.assertEqual(scale["c"], {"exact": 3})

    def test_where_of_a_feature(self):
        of = config({"big": '{count: "*", window: 1m, where: n >= 10}',
                     "other": '{count: "*", window: 1m, where: "not (n >= 10)"}'})
        self.assertEqual(values(of, (T, {"n": 10}), (T, {"n": 9}), (T, {})), {"big": 1, "other": 1})


class Entities(unittest.TestCase):
    def test_names(self):
        self.assertEqual(entity_name(["a|b\\c"]), "a|b\\c")
        self.assertEqual(entity_name(["a|b\\c", "d"]), "a\\|b\\\\c|d")
        self.assertEqual(entity_name(["", "|"]), "|\\|")
        self.assertEqual(entity_name([True, False, -7]), "true|false|-7")
        self.assertEqual(entity_name([True]), "true")

    def test_composite(self):
        answered = run(config({"c": '{count: "*", window: 1m}'}, view="    entity: [e, n, b]\n"),
                       (T, {"e": "x|", "n": 1, "b": True}), (T, {"e": "x|", "n": 1, "b": True}),
                       (T, {"e": "x", "n": 2, "b": None}))
        self.assertEqual(answered.entities("v"), ["x\\||1|true"])
        self.assertEqual(answered.value("v", ("x|", 1, True), T).values, {"c": 2})
        self.assertEqual(answered.view_dead_letters("v"), [(0, 2)])

    def test_where_comes_before_the_entity(self):
        answered = run(config({"c": '{count: "*", window: 1m}'}, view="    where: n > 0\n"), (T, {"e": None, "n": 0}),
                       (T, {"e": None, "n": 1}))
        self.assertEqual(answered.view_dead_letters("v"), [(0, 1)])
        self.assertEqual(answered.counters()["views"]["v"]["refused"], 1)
        self.assertEqual(answered.dead_letters("src"), {})


class Sources(unittest.TestCase):
    features = {"c": '{count: "*", window: 1h}'}

    def test_dead_letters_move_no_clock_and_tombstones_are_none(self):
        answered = Oracle(config(self.features), [
            record(0, T), Record("t", 0, 1, T, b"{"), Record("t", 0, 2, T, None), record(3, T + 50_000, n="x"),
            record(4, T + 50_000, kafka=T), record(5, None, kafka=T), Record("other", 0, 0, T, b"{")])
        self.assertEqual(answered.clock("v"), T)
        self.assertEqual(answered.dead_letters("src"), {"json": 1, "type": 1, "future": 1, "time": 1})
        self.assertEqual(answered.dead_letter_records("src")[0], (0, 1, "json"))
        self.assertEqual(answered.counters()["sources"]["src"]["tombstones"], 1)
        self.assertEqual(answered.value("v", "a", T).values, {"c": 1})

    def test_max_jump_is_measured_from_the_clock_of_the_partition(self):
        answered = Oracle(config(self.features, source="    max_jump: 1m\n"), [
            record(0, T), record(1, T + 60_001), record(2, T + 60_000), record(3, T + 120_000), record(0, T + HOUR, 1)])
        self.assertEqual(answered.dead_letter_records("src"), [(0, 1, "jump")])
        self.assertEqual(answered.partition_clocks("src"), {0: T + 120_000, 1: T + HOUR})
        self.assertEqual(answered.clock("v"), T + HOUR)

    def test_offsets_order_the_events_of_a_partition(self):
        of = config(self.features, source="    max_jump: 1m\n")
        records = [record(1, T + 60_000), record(2, T + 120_000), record(0, T)]
        self.assertEqual(Oracle(of, records).dead_letters("src"), {})
        self.assertRaisesRegex(ValueError, "occurs twice", Oracle, of, records + records[:1])
        stepwise = Oracle(of)
        for one_record in sorted(records):
            stepwise.add([one_record])
            stepwise.value("v", "a", T + 60_000)
        self.assertEqual(stepwise.value("v", "a", T + 120_000), Oracle(of, records).value("v", "a", T + 120_000))


class Late(unittest.TestCase):
    of = config({"minute": '{count: "*", window: 1m, hop: 10s}', "hour": '{count: "*", window: 1h, hop: 10s}',
                 "ever": '{count: "*", window: lifetime}'},
                view="    retain: 20s\n")      # with max_future 10 s: kept are tiles from T - 90 s and T - 3630 s

    def test_older_tiles_than_those_kept(self):
        for age, late in [(90_000, []), (90_001, ["minute"]), (3_630_000, ["minute"]), (3_630_001, ["minute", "hour"])]:
            answered = run(self.of, (T, {}), (T - age, {}))
            self.assertEqual(sorted(answered.late_by_feature("v")), sorted(late), age)
            self.assertEqual(answered.late("v"), 1 if late else 0)
            self.assertEqual(answered.value("v", "a", T).values["ever"], 2)

    def test_at_its_own_offset_and_in_its_own_partition(self):
        self.assertEqual(run(self.of, (T - DAY, {}), (T, {})).late("v"), 0)
        other = Oracle(self.of, [record(0, T), record(0, T - DAY, 1)])
        self.assertEqual(other.late("v"), 0)

    def test_events_that_the_view_refuses_are_not_late(self):
        of = config({"c": '{count: "*", window: 1m}'}, view="    where: n > 0\n")
        self.assertEqual(run(of, (T, {"n": 0}), (T - DAY, {"n": 0}), (T - DAY, {"n": 1})).late("v"), 1)

    def test_no_permitted_read_can_tell(self):
        pick = random.Random(7)
        features = {"a": '{count: "*", window: 10s, hop: 5s}', "b": '{count: "*", window: 1m}',
                    "c": '{count: "*", window: 1m, hop: 30s}'}
        kept = config(features, view="    retain: 7s\n")
        all_kept = config(features, view="    retain: 99d\n")
        events = [(T + i * 500 - int(pick.expovariate(1 / 40_000)), {}) for i in range(400)]
        one_oracle, other = run(kept, *events), run(all_kept, *events)
        self.assertGreater(one_oracle.late("v"), 50)
        for t in range(one_oracle.earliest("v"), one_oracle.clock("v") + 70_000, 777):
            self.assertEqual(one_oracle.value("v", "a", t), other.value("v", "a", t))


class Refused(unittest.TestCase):
    def test_configurations(self):
        good = '{count: "*", window: 1m}'
        for body in ["{window: 1m}", '{count: "*", sum: n, window: 1m}', '{count: "*"}',
                     '{count: "*", window: 1500ms}', '{count: "*", window: 60}',
                     '{count: "*", window: 1m, hop: 7s}', '{sum: "*", window: 1m}', "{sum: s, window: 1m}",
                     "{min: b, window: 1m}",
                     "{quantile: n, window: 1m}", "{quantile: n, q: 2, window: 1m}", "{count: n, q: 0.5, window: 1m}",
                     "{count: z, window: 1m}",
                     '{count: "*", window: 1m, where: z > 1}', '{count: "*", window: 0s}',
                     '{count: "*", window: lifetime, hop: 1d}',
                     '{count: "*", window: 1m, hops: 1s}']:
            self.assertRaises(ConfigError, config, {"f": body})
        for view in ["    clock: utc\n", "    start: latest\n", "    entity: x\n", "    entity: []\n",
                     "    entity: [e, e]\n", "    retain: 5\n", "    ttl: 5s\n"]:
            with self.assertRaises((ConfigError, ValueError), msg=view):
                config({"f": good}, view=view)
        for source in ["    start: latest\n", "    format: avro\n", "    max_jump: soon\n"]:
            self.assertRaises(ConfigError, config, {"f": good}, source=source)
        config({"f": good}, view="    start: earliest\n    freshness: {max_staleness: 5s}\n    version: 2\n")


class Program(unittest.TestCase):
    TEXT = """
sources:
  t: {fields: {e: string, n: int}, time: {field: ts, format: unix_ms}}
views:
  v: {source: t, entity: e, clock: event, features: {total: {sum: n, window: 1m}}}
  w: {source: t, entity: [e, n], features: {all: {count: "*", window: 1m}}}
services: {one: [v.total]}
"""

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.config = self.write("config.yaml", self.TEXT)
        self.records = self.write("records.jsonl",
                                  "\n".join(map(record_line, [record(0, T, n=2), record(1, T + 5, e="ü", n=3)])))
        self.plain = self.write("plain.jsonl", f'{{"e": "a", "ts": {T}, "n": 4}}\nbroken\n')

    def write(self, name, text):
        path = os.path.join(self.folder.name, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    def lines(self, *arguments):
        out = io.StringIO()
        command.run(command._arguments([self.config, *arguments]), out)
        return [json.loads(line) for line in out.getvalue().splitlines()]

    def test_prints_a_line_for_each_instant_view_and_entity(self):
        lines = self.lines(self.records, "--at", str(T), "--at", "clock")
        self.assertEqual([(line["at"], line["view"], line["entity"]) for line in lines],
                         [(t, view, entity) for t in (T, T + 5) for view,
                          entity in [("v", "a"), ("v", "ü"), ("w", "a|2"), ("w", "ü|3")]])
        self.assertEqual(lines[0], {"view": "v", "entity": "a", "at": T, "values": {"total": 2},
                                    "statuses": {"total": "ok"},
                                    "scale": {"total": {"sum_abs": 2.0}}})

    def test_entities_of_a_file_and_a_view(self):
        asked = self.write("entities", 'ü\n["ü", 3]\n"a"\n')
        lines = self.lines(self.records, "--at", "clock", "--view", "v", "--entities-file", asked)
        self.assertEqual([(line["entity"], line["statuses"]["total"]) for line in lines],
                         [("ü", "ok"), ("ü|3", "missing"), ("a", "ok")])

    def test_plain_files(self):
        lines = self.lines(self.plain, "--plain", "--source", "t", "--at", "clock", "--view", "v", "--counters")
        self.assertEqual((lines[0]["at"], lines[0]["values"]), (T, {"total": 4}))
        self.assertEqual(lines[1]["counters"]["sources"]["t"], {"good": 1, "tombstones": 0,
                                                                "dead_letters": {"json": 1}})

    def test_errors_end_the_program_with_a_message(self):
        for arguments in [[self.config, "/nonexistent", "--at", "1"], [self.config, self.records, "--at", "1"],
                          [self.config, self.records, "--at", "clock", "--view", "z"],
                          [self.plain, self.records, "--at", "clock"]]:
            with self.assertRaises(SystemExit) as caught:
                command.main(arguments)
            self.assertRegex(str(caught.exception.code), "^oracle: ")


if __name__ == "__main__":
    unittest.main()
