"""Soaks two nodes in a steady load and judges the end: every value against the oracle, and nothing grows.

One Kafka broker, one Redis, two nodes of one consumer group with a memory limit, all on 127.0.0.1. Customers come and
go, so that windows run out, keys expire and entities are forgotten; some events are late, some broken; look-ups go on
all the time. After the first third, memory (resident, accounted, Redis's), descriptors, threads and keys are fitted
(trend.py says what counts as growth). With --audit the nodes audit themselves meanwhile, with the defaults; they may find
nothing, and at the end a wrong value that is planted (planting.py). Exit status 0 only if nothing grows and no value is
wrong.
"""
import argparse
import collections
import contextlib
import gc
import json
import math
import pathlib
import shutil
import signal
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests/chaos"))

from services import Broker, Node, Redis, wait_until  # noqa: E402

import answers  # noqa: E402
import planting  # noqa: E402
import verdict  # noqa: E402
from configuration import parse_config  # noqa: E402
from generate_events import CITIES, SOURCE_YAML  # noqa: E402
from load import Load  # noqa: E402
from prober import Prober  # noqa: E402
from samples import SERIES, Sampler, cpu_seconds  # noqa: E402
from trend import trend  # noqa: E402
from visitors import Visitors  # noqa: E402

CONFIG = """
kafka: {{brokers: "{brokers}", group: soak}}
redis: {{address: "{redis}", prefix: "soak:"}}
lookup: {{listen: "{lookup}"}}
metrics: {{listen: "127.0.0.1:0"}}
audit: {{enabled: {audit}}}
ingest: {{memory_limit: 64MiB}}
sources:
  orders:
{source}
views:
  store_totals:
    source: orders
    entity: store
    features:
      total: {{count: "*", window: lifetime}}
  customer:
    source: orders
    entity: customer
    retain: 5s
    features:
      orders_1m: {{count: "*", window: 1m}}
      items_mean_1m: {{mean: items, window: 1m}}
      amount_p90_1m: {{quantile: amount, q: 0.9, window: 1m, where: amount >= 0}}
      first_store_2m: {{first: store, window: 2m}}
      cities_2m: {{count_distinct: city, window: 2m}}
  city_express:
    source: orders
    entity: [city, express]
    clock: event
    retain: 5s
    features:
      orders_1m: {{count: "*", window: 1m}}
      amount_sum_1m: {{sum: amount, window: 1m}}
      customers_1m: {{count_distinct: customer, window: 1m}}
"""
LIFETIME, FEATURE = "store_totals", "total"
PROBES = {LIFETIME: ["s1"], "customer": [1], "city_express": ["Oslo", "1"]}
TOPIC, PARTITIONS = "orders", 8
MAX_FUTURE_MS = 10_000
# Above window + hop + max_future, and the time that catching up takes: what lies further back is in no window that is
# read, and what it does to the clock decides over no event in one (semantics.md, late events).
TAIL_MS = 240_000
CUSTOMERS, NEW_CUSTOMERS = 2000, 300
ALIVE = 20_000                          # so many of the newest customers are compared
MOST_MINUTES = 240
MOST_SAMPLES = 720
CATCH_UP_SECONDS = 120
MOST_SHOWN = 30
FEWEST_NONTRIVIAL = 2000
DAY = 86_400_000


def configuration(brokers, redis, lookup, audit):
    source = SOURCE_YAML.replace("max_future: 1m", f"max_future: {MAX_FUTURE_MS}ms")
    return CONFIG.format(brokers=brokers, redis=redis, lookup=lookup, source=source, audit=str(audit).lower())


class Recent(collections.OrderedDict):
    """What the producer got acked, of the last while only; `count` is of all. (The first of a dict is searched for behind
    all that was deleted, which slows a long run down to nothing.)"""

    def __init__(self, keep_ms):
        super().__init__()
        self.count = 0
        self._keep_ms = keep_ms

    def __setitem__(self, place, record):
        self.count += 1
        super().__setitem__(place, record)
        while self:
            oldest = next(iter(self))
            if self[oldest][2] >= record[2] - self._keep_ms:
                break
            del self[oldest]


class Soak:
    """All that runs."""

    def __init__(self, directory, options):
        self._end = contextlib.ExitStack()
        self.seconds = options.minutes * 60
        self.ended = math.inf
        try:
            self._start(directory, options)
        except BaseException:
            self.end()
            raise

    def _start(self, directory, options):
        self.broker = Broker(directory / "kafka")
        self._end.callback(self.broker.stop)
        self.redis = Redis(directory)
        self._end.callback(self.redis.stop)
        for topic, partitions in ((TOPIC, PARTITIONS), (f"{TOPIC}.dlq", 1)):
            self.broker.create_topic(topic, partitions, retention_ms=600_000, segment_bytes=16 << 20, segment_ms=60_000)
        self.nodes = [Node(name, directory, lambda lookup: configuration(
            self.broker.brokers, self.redis.address, lookup, options.audit)) for name in ("one", "two")]
        for node in self.nodes:
            self._end.callback(node.end)
            node.start()
        self.config = parse_config(self.nodes[0].config_path.read_text())
        self.began = time.time()
        self.load = Load(self.broker.port, TOPIC, PARTITIONS, self.config.sources["orders"], options.seed, options.rate,
                         options.rate * 60 * (MOST_MINUTES + 10), Recent(TAIL_MS), customers=CUSTOMERS,
                         max_future_ms=MAX_FUTURE_MS, new_customers=NEW_CUSTOMERS).start()
        self._end.callback(self.load.abandon)
        wait_until(lambda: self.load.acked, 60, "the first events are acked")
        self.prober = Prober(self.nodes, self.load.ledger, LIFETIME, FEATURE, period=0.2).start()
        self._end.callback(self.prober.stop)
        self.visitors = Visitors(self.nodes, "customer", self.newest_customer, options.seed).start()
        self._end.callback(self.visitors.stop)
        self.sampler = Sampler(self.nodes, self.redis, max(1.0, self.seconds / MOST_SAMPLES)).start()
        self._end.callback(self.sampler.stop)

    def newest_customer(self, ago=0):
        """Who buys now, or bought last; or so many seconds ago."""
        return CUSTOMERS + int((min(time.time(), self.ended) - ago - self.began) * NEW_CUSTOMERS)

    def end(self):
        self._end.close()

    def run(self, options):
        began, told = time.monotonic(), 0
        while (passed := time.monotonic() - began) < self.seconds:
            self.load.check()
            for node in self.nodes:
                if not node.running:
                    raise RuntimeError(f"node {node.name} has ended by itself: {node.log[-500:]}")
            if self.sampler.failure is not None:
                raise RuntimeError(f"the sampler failed: {self.sampler.failure!r}")
            if passed >= told and self.sampler.taken:
                told += 60
                print(f"{passed:6.0f} s  {self._line()}", flush=True)
            time.sleep(0.5)             # polls the conditions above
        self.audit = planting.try_audit(self) if options.audit else {}
        for part in (self.sampler, self.load, self.visitors, self.prober):
            part.stop()
            self.ended = min(self.ended, time.time())

    def _line(self):
        sample = self.sampler.taken[-1][1]
        nodes = ", ".join(f"{node.name} {sample[node.name]['rss'] / 2**20:.0f} MiB" for node in self.nodes)
        return f"{self.load.acked.count} events, {nodes}, redis {sample['redis']['used_memory'] / 2**20:.0f} MiB"


def wrong_values(soak):
    """Texts, and what was compared."""
    since = int(time.time() * 1000) - TAIL_MS
    log = verdict.catch_up(soak.broker, TOPIC, soak.nodes, CATCH_UP_SECONDS, PROBES, since)
    served = read_all(soak)
    first = {}
    for partition, offset in log:
        first[partition] = min(first.get(partition, offset), offset)
    oracle = verdict.oracle_of(soak.config, TOPIC, log)
    letters = [h for h in soak.broker.headers(f"{TOPIC}.dlq", since)
               if int(h["freshet.offset"]) >= first.get(int(h["freshet.partition"]), 0)]
    acked = {place: record for place, record in soak.load.acked.items() if place[1] >= first.get(place[0], 0)}
    wrong = soak.prober.complaints + verdict.check_log(log, acked) + \
        verdict.check_letters(oracle, letters) + wrong_totals(soak, int(time.time() * 1000) + 2 * DAY)
    comparison = answers.compare(served, oracle)
    statuses = collections.Counter(answer.status.decode() for answer in served)
    if comparison.nontrivial < FEWEST_NONTRIVIAL:
        wrong.append(f"only {comparison.nontrivial} of {comparison.compared} values are neither 0 nor null")
    facts = {"events": soak.load.acked.count, "events_again": soak.load.sent_twice, "compared": comparison.compared,
             "nontrivial": comparison.nontrivial, "statuses": dict(statuses), "reads": soak.prober.reads,
             "visits": soak.visitors.visits, "dead_letters_compared": len(letters),
             "late": {view: oracle.late(view) for view in soak.config.views}}
    return wrong + comparison.mismatches, facts


def read_all(soak):
    """Of customers: those of now, and some of each time before, of whom nothing may be left. Lifetime counts need the
    events of all time: wrong_totals() judges them by the ledger."""
    newest = soak.newest_customer()
    customers = [[n] for n in range(max(0, newest - ALIVE), newest)] + [[n] for n in range(0, newest - ALIVE, 97)]
    places = [[city, express] for city in CITIES for express in ("true", "false")]
    views = soak.config.views
    return [answer for view, entities, ahead in (("customer", customers, 0), ("customer", customers, 20_000),
                                                 ("city_express", places, None))
            for answer in answers.read(soak.nodes, view, list(views[view].features), entities, ahead)]


def wrong_totals(soak, at):
    """Lifetime counts against the producer's own; events sent again may be in the log twice."""
    wrong, stores = [], soak.load.ledger.stores()
    with soak.nodes[0].client(timeout=30) as client:
        rows = client.call("FS.MGET", LIFETIME, len(stores), *stores, "FEATURES", 1, FEATURE, "AT", at)
    for store, (count,) in zip(stores, rows, strict=True):
        most = soak.load.ledger.most(store)
        if not most - soak.load.sent_twice <= (count or 0) <= most:
            wrong.append(f"{LIFETIME} of {store!r}: {count} events, {most} were sent")
    return wrong


def trends(soak, warm_up):
    """{process.series: Trend}"""
    found = {}
    for process in [node.name for node in soak.nodes] + ["redis"]:
        for series, (_, _, floor) in SERIES.items():
            if series in soak.sampler.taken[0][1][process]:
                found[f"{process}.{series}"] = trend(soak.sampler.of(process, series), warm_up, floor)
    return found


def table(found):
    yield f"{'':18} {'median':>10} {'lowest':>10} {'highest':>10} {'an hour':>10} {'rise':>9} {'allowed':>9}  verdict"
    for name, t in found.items():
        unit, by, _ = SERIES[name.partition(".")[2]]
        numbers = [x / by for x in (t.level, t.lowest, t.highest, t.per_hour, t.rise, t.allowed)]
        yield f"{name:18} {numbers[0]:10.1f} {numbers[1]:10.1f} {numbers[2]:10.1f} {numbers[3]:+10.2f} " \
              f"{numbers[4]:+9.2f} {numbers[5]:9.2f}  {'GROWS' if t.grows else 'flat'} {unit}"


def judge(soak, options):
    """Prints the table and the verdict and writes soak.json; the exit status."""
    at, last = soak.sampler.taken[-1]
    cores = {name: sample["cpu"] / at for name, sample in last.items()} | {"lab": cpu_seconds("self") / at}
    found = trends(soak, soak.seconds / 3)
    wrong, facts = wrong_values(soak)
    wrong += planting.complaints(soak.audit)
    facts.update(soak.audit)
    growing = [name for name, t in found.items() if t.grows]
    restarts = sum(last[node.name]["restarts"] for node in soak.nodes)
    print(f"\nseed {options.seed}, {options.minutes:g} minutes, {options.rate} events/s")
    for line in table(found):
        print(line)
    print("\ncores busy: " + ", ".join(f"{name} {share:.2f}" for name, share in cores.items()))
    for node in soak.nodes:
        print(f"{node.name}: {last[node.name]['evicted']:.0f} forgotten, {last[node.name]['loaded']:.0f} loaded")
    for name, value in facts.items():
        print(f"{name}: {value}")
    errors = soak.prober.errors() + soak.visitors.errors
    print(f"answered instead: {dict(errors.most_common(8))}; partitions restarted: {restarts:.0f}")
    for text in wrong[:MOST_SHOWN]:
        print(f"WRONG {text}")
    print(f"wrong: {len(wrong)}; growing: {', '.join(growing) or 'nothing'}")
    folder = ROOT / "build/soak"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "soak.json").write_text(json.dumps({
        "seed": options.seed, "minutes": options.minutes, "rate": options.rate, "wrong": wrong[:MOST_SHOWN],
        "growing": growing, "trends": {name: t._asdict() for name, t in found.items()}, "cores": cores, "facts": facts,
        "restarts": restarts, "errors": dict(errors), "samples": soak.sampler.taken}, indent=1) + "\n")
    return 1 if wrong or growing else 0


def arguments():
    parser = argparse.ArgumentParser(prog="scripts/soak", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60, 
                        help=f"from 2 to {MOST_MINUTES}; the first third warms up; it should last five minutes")
    parser.add_argument("--seed", default="1", help="chooses the events")
    parser.add_argument("--rate", type=int, default=2000, help="events a second; at most 5000")
    parser.add_argument("--audit", action="store_true", help="the nodes audit themselves, and must find what is planted")
    parser.add_argument("--keep", action="store_true", help="leave the logs of all services, and say where")
    options = parser.parse_args()
    if not 2 <= options.minutes <= MOST_MINUTES:
        parser.error(f"--minutes must be from 2 to {MOST_MINUTES}")
    if not 0 < options.rate <= 5000:
        parser.error("--rate must be above 0 and at most 5000")
    return options


def interrupted(number, _):
    raise SystemExit(128 + number)


def main():
    options = arguments()
    gc.disable()                        # a collection over all events would stop the prober for a while
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupted)
    directory = pathlib.Path(tempfile.mkdtemp(prefix="freshet-soak-"))
    try:
        soak = Soak(directory, options)
        try:
            soak.run(options)
            return judge(soak, options)
        finally:
            soak.end()
    finally:
        if options.keep:
            print(f"logs are in {directory}", file=sys.stderr)
        else:
            shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
