#!/usr/bin/env python3
"""Test events for a topic "orders", the same for the same seed: mostly good, with a stated share of every mess.

    {"store": "s3", "customer": 17, "amount": 12.5, "items": 2, "express": true,
     "address": {"city": "Oslo"}, "ts": 1700000000123}

    generate_events.py --seed 1 --count 100000 --partitions 4 > orders.jsonl

prints them as records (topic, partition, offset, timestamp, value), with a key's records in one partition.
"""
import argparse
import base64
import itertools
import json
import random
import sys
import zlib

TOPIC = "orders"
SOURCE_YAML = """\
    topic: orders
    format: json
    time: {field: ts, format: unix_ms}
    max_future: 1m
    fields:
      store: string
      customer: int
      amount: float
      items: int
      express: bool
      city: {type: string, path: address.city}
"""

# The share of records that are dead letters or tombstones, by kind.
BAD_SHARES = {
    "broken_json": 0.004,       # cut off, trailing text, an array, nothing at all
    "binary": 0.002,            # not UTF-8
    "not_a_number": 0.002,      # NaN and Infinity literals, a number beyond a double
    "beyond_64_bits": 0.002,    # an integer that no 64 bits hold, in a field nobody declared
    "wrong_type": 0.006,        # text, a fraction or an unsigned integer where an int is declared, and the like
    "no_time": 0.002,           # missing, null or text
    "future": 0.004,            # more than max_future after the Kafka timestamp
    "tombstone": 0.004,         # no value
}
# The share of oddities among the good ones; several may meet in one event.
ODD_SHARES = {
    "out_of_order": 0.25,       # up to two minutes old
    "late": 0.01,               # two hours to ten days old
    "slightly_ahead": 0.05,     # ahead of the Kafka timestamp, within max_future
    "null_field": 0.03,
    "missing_field": 0.03,
    "no_key": 0.05,             # so that an entity occurs in several partitions
    "repeated": 0.01,           # the payload of the record before
    "round_amount": 0.30,       # one of a few amounts, some written without a fraction
    "extreme_amount": 0.002,    # up to 1e12, down to 1e-12
    "extreme_items": 0.0005,    # near the end of int64: sums overflow
}

CITIES = ["Oslo", "Zürich", "São Paulo", "東京", "Łódź", "New York", "Graz", "a|b", "back\\slash", "🚲"]
ROUND_AMOUNTS = ["0", "0.0", "-0.0", "1", "5", "9.99", "10.00", "-5", "2.5e1", "100"]
MINUTE = 60_000
HOUR = 60 * MINUTE


def _store_name(rank):
    odd = {7: "a|b", 8: "a\\", 9: "käse", 10: "two words", 11: "店", 12: "\"quoted\"", 13: "{brace}"}
    return odd.get(rank, f"s{rank}")


def _popularity(number):
    """Cumulative weights by Zipf's law."""
    return list(itertools.accumulate(1.0 / (rank + 1) ** 1.1 for rank in range(number)))


class _Generator:
    def __init__(self, seed, start_ms, step_ms, stores, customers, max_future_ms, mess,
                 new_customers):
        self.random = random.Random(f"{TOPIC} {seed}")
        self.start = self.now = float(start_ms)
        self.step = step_ms
        self.max_future = max_future_ms
        self.stores = [_store_name(rank) for rank in range(stores)]
        self.store_weights = _popularity(stores)
        self.customers = range(-customers // 10, customers - customers // 10)
        self.new_customers = new_customers / 1000
        self.customer_weights = _popularity(customers)
        self.mess = mess
        self.kinds = list(BAD_SHARES)
        self.kind_weights = list(itertools.accumulate(BAD_SHARES.values()))
        self.bad_share = self.kind_weights[-1] * mess
        self.last_payload = None

    def odd(self, kind):
        return self.random.random() < ODD_SHARES[kind] * self.mess

    def next(self):
        self.now += self.random.expovariate(1.0 / self.step)
        timestamp = int(self.now)
        store = self.random.choices(self.stores, cum_weights=self.store_weights)[0]
        key = None if self.odd("no_key") else store.encode("utf-8")
        texts = self.good(store, timestamp)
        if self.random.random() < self.bad_share:
            kind = self.random.choices(self.kinds, cum_weights=self.kind_weights)[0]
            return key, getattr(self, kind)(texts, timestamp), timestamp
        if self.last_payload is not None and self.odd("repeated"):
            return key, self.last_payload, timestamp
        self.last_payload = self.write(texts)
        return key, self.last_payload, timestamp

    def good(self, store, timestamp):
        """The event as a map from keys to JSON texts."""
        pick = self.random
        customer = pick.choices(self.customers, cum_weights=self.customer_weights)[0]
        customer += int((self.now - self.start) * self.new_customers)
        texts = {
            "store": json.dumps(store, ensure_ascii=pick.random() < 0.5),
            "customer": str(customer),
            "amount": self.amount(),
            "items": self.items(),
            "express": pick.choice(["true", "false", "false"]),
            "address": '{"city": %s}' % json.dumps(pick.choice(CITIES), ensure_ascii=pick.random() < 0.5),
            "ts": str(timestamp - self.age()),
        }
        fields = ["store", "customer", "amount", "items", "express", "address"]
        if self.odd("null_field"):
            texts[pick.choice(fields)] = "null"
        if self.odd("missing_field"):
            del texts[pick.choice(fields)]
        return texts

    def amount(self):
        pick = self.random
        if self.odd("extreme_amount"):
            return repr(pick.choice([-1, 1]) * 10.0 ** pick.uniform(-12, 12))
        if self.odd("round_amount"):
            return pick.choice(ROUND_AMOUNTS)
        return repr(round(pick.lognormvariate(3, 1.2) * pick.choice([1, 1, 1, 1, -1]), pick.choice([2, 2, 2, 9])))

    def items(self):
        pick = self.random
        if self.odd("extreme_items"):
            return str(pick.choice([-1, 1]) * (2**63 - pick.randrange(1, 1000)))
        return str(min(int(pick.expovariate(0.4)), 40) - (1 if pick.random() < 0.05 else 0))

    def age(self):
        pick = self.random
        if self.odd("late"):
            return int(2 * HOUR * 120.0 ** pick.random())
        if self.odd("slightly_ahead"):
            return -pick.randrange(0, self.max_future)
        if self.odd("out_of_order"):
            return pick.randrange(0, 2 * MINUTE)
        return pick.randrange(0, 500)

    def write(self, texts):
        items = list(texts.items())
        if self.random.random() < 0.2:
            self.random.shuffle(items)
        space = self.random.choice(["", " "])
        return ("{" + f",{space}".join(f'"{key}":{space}{text}' for key, text in items) + "}").encode("utf-8")

    # ---- one method for each kind of BAD_SHARES ----

    def broken_json(self, texts, _):
        good = self.write(texts)
        return self.random.choice([good[:self.random.randrange(1, len(good))], good + b" x", b"[" + good + b"]", b"",
                                   b"null", good.replace(b":", b"=", 1), b"\xef\xbb\xbf" + good,
                                   self.write({**texts, "store": '"\\ud800"'})])

    def binary(self, texts, _):
        return self.random.choice([self.random.randbytes(self.random.randrange(1, 40)) + b"\xff",
                                   self.write(texts).replace(b'"ts"', b'"\xc3":1,"ts"')])

    def not_a_number(self, texts, _):
        return self.write({**texts, "amount": self.random.choice(["NaN", "Infinity", "-Infinity", "1e400"])})

    def beyond_64_bits(self, texts, _):
        return self.write({**texts, "extra": self.random.choice([str(2**64), str(-2**63 - 1), "1" * 40])})

    def wrong_type(self, texts, _):
        name, text = self.random.choice([
            ("store", "17"), ("store", "[]"), ("customer", '"17"'), ("customer", "1.0"), ("customer", str(2**63)),
            ("amount", '"9.99"'), ("amount", "true"), ("items", "2.5"), ("items", "{}"), ("express", "1"),
            ("express", '"true"'), ("address", '{"city": 5}')])
        return self.write({**texts, name: text})

    def no_time(self, texts, _):
        text = self.random.choice([None, "null", '"yesterday"', "1.5e12", "true"])
        rest = {name: value for name, value in texts.items() if name != "ts"}
        return self.write(rest if text is None else {**rest, "ts": text})

    def future(self, texts, timestamp):
        ahead = int(self.max_future * 10.0 ** self.random.uniform(0, 4)) + 1
        return self.write({**texts, "ts": str(timestamp + ahead)})

    def tombstone(self, _texts, _timestamp):
        return None


def generate(seed, count, start_ms=1_700_000_000_000, step_ms=100.0, stores=200, customers=2000,
             max_future_ms=MINUTE, mess=1.0, new_customers=0.0):
    """Yields (key, value, timestamp_ms); `mess` scales every share, 0 gives none but good events. So many new customers
    a second take the place of others."""
    generator = _Generator(seed, start_ms, step_ms, stores, customers, max_future_ms, mess, new_customers)
    for _ in range(count):
        yield generator.next()


def partitioned(generated, partitions):
    """Yields (partition, offset, key, value, timestamp_ms): by the key, in turn where there is none."""
    next_offsets = [0] * partitions
    for turn, (key, value, timestamp) in enumerate(generated):
        partition = (turn if key is None else zlib.crc32(key)) % partitions
        yield partition, next_offsets[partition], key, value, timestamp
        next_offsets[partition] += 1


def record_line(partition, offset, value, timestamp):
    line = {"topic": TOPIC, "partition": partition, "offset": offset, "timestamp": timestamp}
    try:
        line["value"] = None if value is None else value.decode("utf-8")
    except UnicodeDecodeError:
        line["value_base64"] = base64.b64encode(value).decode("ascii")
    return json.dumps(line, ensure_ascii=False)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", default="1")
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--partitions", type=int, default=4)
    parser.add_argument("--start-ms", type=int, default=1_700_000_000_000)
    parser.add_argument("--step-ms", type=float, default=100.0)
    parser.add_argument("--mess", type=float, default=1.0)
    options = parser.parse_args()
    events = generate(options.seed, options.count, options.start_ms, options.step_ms, mess=options.mess)
    for partition, offset, _, value, timestamp in partitioned(events, options.partitions):
        sys.stdout.write(record_line(partition, offset, value, timestamp) + "\n")


if __name__ == "__main__":
    main()
