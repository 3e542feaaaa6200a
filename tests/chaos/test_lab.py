"""The lab itself: what it would notice, without any service."""
import json
import random
import unittest

import cluster  # noqa: F401  (its faults)
import services  # noqa: F401  (the paths)

from configuration import parse_config
from events import Record as OracleRecord
from faults import KINDS, deck
from generate_events import SOURCE_YAML
from load import Ledger
from producer import Record, crc32c, record_batch, varint
from prober import Prober, worst_gap
from oracle import Oracle
from verdict import check_letters, check_log

CONFIG = "sources:\n  orders:\n" + SOURCE_YAML + """
views:
  totals:
    source: orders
    entity: store
    features:
      total: {count: "*", window: lifetime}
"""
DAY = 86_400_000


def event(store="s1", ts=1000, kafka=1000):
    return Record(b"k", json.dumps({"store": store, "ts": ts}).encode(), kafka)


class Gaps(unittest.TestCase):
    def test_the_longest_stretch_between_answers(self):
        self.assertEqual(worst_gap([1.0, 2.0, 5.0, 6.0], []), (3.0, 2.0))

    def test_what_an_outage_covers_does_not_count(self):
        self.assertEqual(worst_gap([0.0, 1.0, 9.0], [(2.0, 8.5)]), (1.0, 0.0))
        self.assertEqual(worst_gap([0.0, 10.0], [(2.0, 3.0), (4.0, 9.0)]), (2.0, 0.0))
        self.assertEqual(worst_gap([0.0, 10.0], [(2.0, 6.0), (1.0, 4.0)]), (4.0, 6.0))

    def test_an_outage_that_never_ended_hides_all_behind_it(self):
        self.assertEqual(worst_gap([0.0, 10.0], [(2.0, float("inf"))]), (2.0, 0.0))


class KafkaFormat(unittest.TestCase):
    def test_crc_and_numbers(self):
        self.assertEqual(crc32c(b"123456789"), 0xE3069283)
        self.assertEqual([varint(n) for n in (0, -1, 1, 63, 64, 300)],
                         [b"\0", b"\1", b"\2", b"\x7e", b"\x80\1", b"\xd8\4"])

    def test_a_null_is_no_empty_text(self):
        self.assertNotEqual(record_batch([Record(None, None, 1)]), record_batch([Record(b"", b"", 1)]))


class Counts(unittest.TestCase):
    def setUp(self):
        self.ledger = Ledger(parse_config(CONFIG).sources["orders"])

    def take(self, record, at):
        stores = [self.ledger.store_of(record)]
        self.ledger.sending(stores)
        if at is not None:
            self.ledger.acked(stores, at)

    def test_only_good_events_count(self):
        self.assertEqual(self.ledger.store_of(event()), ("s1", True))
        self.assertEqual(self.ledger.store_of(Record(b"k", b"{", 5))[0], None)
        self.assertEqual(self.ledger.store_of(Record(b"k", None, 5))[0], None)
        self.assertEqual(self.ledger.store_of(event(ts=10**9))[0], None)
        self.assertEqual(self.ledger.store_of(event(ts=DAY + 1, kafka=DAY - 1)), ("s1", False))

    def test_bounds_of_a_count(self):
        for at in (10.0, 11.0, 12.0, None):
            self.take(event(), at)
        self.assertEqual(self.ledger.most("s1"), 4)
        self.assertEqual([self.ledger.least("s1", watermark) for watermark in (10.0, 11.5)], [0, 2])

    def judge(self, *reads):
        """Complaints about (count, watermark, losses) read one after the other."""
        for at in (10.0, 11.0, 12.0):
            self.take(event(), at)
        prober, seen = Prober([], self.ledger, "totals", "total"), {}
        node = type("Node", (), {"name": "n"})
        for count, watermark, losses in reads:
            prober._judge(node, "s1", count, watermark, seen, losses)
        return " ".join(prober.complaints)

    def test_right_reads_pass(self):
        self.assertEqual(self.judge((0, None, 0), (1, 10.5, 0), (3, 13.0, 0)), "")

    def test_counted_twice(self):
        self.assertIn("counted twice", self.judge((4, None, 0)))

    def test_fresher_than_it_is(self):
        self.assertIn("acked before its watermark", self.judge((2, 13.0, 0)))

    def test_a_fall_without_a_loss(self):
        self.assertIn("fell from 3 to 2", self.judge((3, None, 0), (2, None, 0)))
        self.assertEqual(self.judge((3, None, 0), (2, None, 1)), "")

    def test_called_fresh_beyond_the_objective(self):
        for at in (10.0, 11.0, 12.0):
            self.take(event(), at)
        prober, node = Prober([], self.ledger, "totals", "total", max_staleness=2.0), type("Node", (), {"name": "n"})
        for count, asked in ((3, 99.0), (2, 14.0), (0, 9.0)):
            prober._judge_fresh(node, "s1", count, asked)
        self.assertEqual((prober.complaints, prober.called_fresh, prober.oldest_fresh), ([], 3, 2.0))
        prober._judge_fresh(node, "s1", 1, 13.5)
        self.assertIn("'s1' has 1 events and is called fresh, but lacks one that was acked 2.500 s before",
                      prober.complaints[0])


class Log(unittest.TestCase):
    def test_what_kafka_acked_must_be_there(self):
        acked = {(0, 0): (b"k", b"v", 1), (0, 1): (None, None, 2)}
        self.assertEqual(check_log(dict(acked), acked), [])
        self.assertEqual(len(check_log({(0, 0): (b"k", b"v", 1)}, acked)), 1)
        self.assertEqual(len(check_log({**acked, (0, 0): (b"k", b"w", 1)}, acked)), 1)


class Letters(unittest.TestCase):
    def test_a_lost_letter_and_a_false_one(self):
        oracle = Oracle(parse_config(CONFIG), [OracleRecord("orders", 0, offset, 5, b"{") for offset in (0, 1)])
        headers = [{"freshet.partition": "0", "freshet.offset": str(offset)} for offset in (0, 1)]
        self.assertEqual(check_letters(oracle, headers + headers), [])
        self.assertEqual(check_letters(oracle, headers[:1]), ["dead letter (0, 1, '') is lost"])
        headers[1]["freshet.offset"] = "2"
        self.assertEqual(len(check_letters(oracle, headers)), 2)


class Deck(unittest.TestCase):
    def test_the_same_seed_gives_the_same_faults(self):
        self.assertEqual(deck(random.Random("a"), 10), deck(random.Random("a"), 10))
        self.assertNotEqual(deck(random.Random("a"), 10), deck(random.Random("b"), 10))

    def test_ten_minutes_hold_every_kind(self):
        for store, other in (("redis", "cluster"), ("cluster", "redis")):
            order = deck(random.Random(1), 10, store)
            self.assertEqual({fault.kind for fault in order},
                             {kind for kind, fault in KINDS.items() if fault.group != other})
            self.assertGreaterEqual(sum(fault.kills for fault in order), 40)
            for group, number in ((store, 10), ("stall", 5), ("scale", 3)):
                self.assertGreaterEqual(sum(fault.group == group for fault in order), number)


if __name__ == "__main__":
    unittest.main()
