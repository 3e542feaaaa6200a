"""Runs Freshet under faults chosen by a seed, and compares every value with the oracle at the end.

One Kafka broker, one Redis (or a Redis Cluster of three primaries with a replica each) and two nodes of one consumer
group (three at times), all on 127.0.0.1; a producer that remembers what was acked; a prober that reads all the time.
Exit status 0 only if no value is wrong, no read was, and values became fresh after every fault.
"""
import argparse
import contextlib
import gc
import pathlib
import random
import shutil
import signal
import sys
import tempfile
import time

from services import Broker, Node, Redis, wait_until

import faults
import verdict
from cluster import Cluster
from config import COUNTED, MAX_STALENESS, configuration
from configuration import load_config
from load import Load
from prober import Outages, Prober, worst_gap

TOPIC = "orders"
PARTITIONS = 8
MOST_EVENTS_A_SECOND = 2000
FIRST_EVENTS = 300
MOST_MINUTES = 60
FRESH_WITHIN_SECONDS = 60
CATCH_UP_SECONDS = 120
MOST_SHOWN = 30
EXPELLED = "expelled from the consumer group"


class Lab:
    """All that runs, and what the faults need of it."""

    def __init__(self, directory, seed, rate, store):
        """`store` makes Redis, or what stands for it, in a directory."""
        self.random = random.Random(f"faults {seed}")
        self.topic, self.partitions = TOPIC, PARTITIONS
        self.outages = Outages()
        self.failures = []
        self.expelled = 0               # nodes by Kafka, and started again
        self._injected = []             # (monotonic time, kind)
        self.table = verdict.Table()
        self._end = contextlib.ExitStack()
        self.directory = directory
        try:
            self._start(seed, rate, store)
        except BaseException:
            self.end()
            raise

    def _start(self, seed, rate, store):
        self.broker = Broker(self.directory / "kafka")
        self._end.callback(self.broker.stop)
        self.redis = store(self.directory)
        self._end.callback(self.redis.stop)
        self.broker.create_topic(TOPIC, PARTITIONS)
        self.broker.create_topic(f"{TOPIC}.dlq", 1)
        self.static, self.dynamic, self.spare = self.nodes = [
            self._node("static", "chaos-static"), self._node("dynamic", ""), self._node("spare", "")]
        self.config = load_config(self.directory / "static.yaml")
        self.static.start()
        self.dynamic.start()
        source = self.config.sources["orders"]
        self.load = Load(self.broker.port, TOPIC, PARTITIONS, source, seed, rate,
                         rate * 60 * (MOST_MINUTES + 5)).start()
        self._end.callback(self.load.abandon)
        self.prober = Prober(self.nodes, self.load.ledger, *COUNTED, max_staleness=MAX_STALENESS).start()
        self._end.callback(self.prober.stop)

    def _node(self, name, instance):
        node = Node(name, self.directory, lambda lookup: configuration(
            self.broker.brokers, self.redis.address, lookup, instance=instance, audit=True))
        self._end.callback(node.end)
        return node

    def end(self):
        self._end.close()

    # ---- for faults ----

    def fault_at(self):
        """Now, as the moment from which fresh values are awaited."""
        self.begun = time.monotonic()
        return time.time()

    def fault_before(self, at):
        """What was last injected before a time (monotonic)."""
        before = [kind for begun, kind in self._injected if at is not None and begun <= at]
        return f"after: {before[-1]}" if before else "before any fault"

    def until(self, condition, within, what):
        wait_until(condition, within, what)

    def unmeasured(self):
        yield None, self.fault_at()

    # ---- the run ----

    def wait_for_fresh(self, moment):
        """Until everything that was in Kafka at `moment` is counted and known to be; seconds, or None."""
        deadline = time.monotonic() + FRESH_WITHIN_SECONDS
        while not self.prober.fresh_since(moment, self.begun):
            self.load.check()
            if time.monotonic() > deadline:
                return None
            time.sleep(0.01)            # polls a condition
        return time.monotonic() - self.begun

    def inject(self, fault):
        # Or the gap in answers would be of our making.
        self.until(lambda: self.static.answers() and self.dynamic.answers(), FRESH_WITHIN_SECONDS, "both nodes serve")
        self._injected.append((time.monotonic(), fault.kind))
        for part in fault.inject(self):
            kind, moment = part if isinstance(part, tuple) else (fault.kind, part)
            seconds = self.wait_for_fresh(moment)
            if kind is not None:
                self.table.add(kind, seconds)
            if seconds is None:
                self.failures.append(f"{kind or fault.kind}: not fresh within {FRESH_WITHIN_SECONDS} s")
        for node in (self.static, self.dynamic):
            if not node.running:
                # A broker that restarts may have forgotten that a static member was replaced, and expel the new one.
                if fault.group == "kafka" and EXPELLED in node.log[-2000:]:
                    self.expelled += 1
                else:
                    self.failures.append(f"{fault.kind}: node {node.name} has ended by itself: {node.log[-500:]}")
                node.start(ready_within=None)

    def wait_for_baseline(self):
        """Fresh without any fault, for comparison."""
        wait_until(lambda: len(self.load.acked) >= FIRST_EVENTS, 60, "the first events are acked")
        if self.wait_for_fresh(self.fault_at()) is None:
            raise RuntimeError("values never became fresh, before any fault")
        for _ in range(3):
            self.table.add("(no fault)", self.wait_for_fresh(self.fault_at()))
        self.redis.save()


def run(lab, minutes, store):
    """Injects faults for so long, of Redis or of a cluster among them; those that were."""
    lab.wait_for_baseline()
    begun = time.monotonic()
    order = faults.deck(lab.random, minutes, store)
    done = []
    while time.monotonic() - begun < minutes * 60:
        if not order:
            order = faults.deck(lab.random, minutes, store, growing=False)
        chosen = order.pop(0)
        print(f"{time.monotonic() - begun:6.1f} s  {chosen.kind}", flush=True)
        lab.inject(chosen)
        done.append(chosen)
    lab.prober.stop()
    return done


def judge(lab, done, minutes, seed):
    """Prints the table and the verdict; the exit status."""
    lab.load.stop()
    log = verdict.catch_up(lab.broker, TOPIC, [lab.static, lab.dynamic], CATCH_UP_SECONDS)
    now = int(time.time() * 1000)
    wrong = lab.failures + lab.prober.complaints + verdict.check_log(log, lab.load.acked)
    oracle = verdict.oracle_of(lab.config, TOPIC, log)
    wrong += verdict.check_letters(oracle, lab.broker.headers(f"{TOPIC}.dlq"))
    wrong += verdict.audit_alarms(lab.nodes)
    comparison, statuses = verdict.compare_all(oracle, [lab.static, lab.dynamic], now)
    if comparison.nontrivial * 2 < comparison.compared:
        wrong.append(f"only {comparison.nontrivial} of {comparison.compared} values mean something")
    report(lab, done, f"seed {seed}, {minutes} minutes", len(log))
    entities = {view: len(oracle.entities(view)) for view in oracle.config.views}
    for node in (lab.static, lab.dynamic):
        print(f"audit of node {node.name}: {node.statuses().get('audit')}")
    print(f"entities: {entities}, statuses {dict(statuses)}")
    for text in wrong[:MOST_SHOWN]:
        print(f"WRONG {text}")
    if len(wrong) > MOST_SHOWN:
        print(f"WRONG ... and {len(wrong) - MOST_SHOWN} more")
    if comparison.mismatches:
        print(comparison.report())
    print(f"mismatches: {len(comparison.mismatches)} of {comparison.compared} values")
    return 1 if wrong or comparison.mismatches else 0


def report(lab, done, title, logged):
    gap, at = worst_gap(lab.prober.answer_times(), lab.outages.spans())
    print(f"\n{title}")
    for line in lab.table.lines():
        print(line)
    print(f"\nkill -9 of nodes: {sum(f.kills for f in done)}")
    for group in ("redis", "cluster", "stall", "scale", "kafka"):
        print(f"faults of {group}: {sum(f.group == group for f in done)}")
    print(f"nodes that Kafka expelled after its restart: {lab.expelled}")
    print(f"events: {logged} in the log, {len(lab.load.acked)} acked, {lab.load.sent_twice} sent again")
    print(f"reads by the prober: {lab.prober.reads}, of them wrong: {len(lab.prober.complaints)}")
    print(f"answered instead: {dict(lab.prober.errors().most_common(8))}")
    print(f"worst read gap over all nodes while Redis was up: {gap * 1000:.0f} ms, {lab.fault_before(at)}")
    if at is not None:
        print(f"answered in it: {dict(lab.prober.errors(at, at + gap))}; the prober itself stood still for "
              f"{lab.prober.own_gap(at, at + gap) * 1000:.0f} ms then")


def arguments():
    parser = argparse.ArgumentParser(prog="scripts/chaos", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=2,
                        help=f"how long faults are injected; at most {MOST_MINUTES}")
    parser.add_argument("--seed", default="1", help="chooses the faults and the events")
    parser.add_argument("--rate", type=int, default=300, help=f"events a second; at most {MOST_EVENTS_A_SECOND}")
    parser.add_argument("--cluster", action="store_true", help="a Redis Cluster instead of one Redis")
    parser.add_argument("--keep", action="store_true", help="leave the logs of all services, and say where")
    options = parser.parse_args()
    if not 0 < options.minutes <= MOST_MINUTES:
        parser.error(f"--minutes must be above 0 and at most {MOST_MINUTES}")
    if not 0 < options.rate <= MOST_EVENTS_A_SECOND:
        parser.error(f"--rate must be above 0 and at most {MOST_EVENTS_A_SECOND}")
    return options


def interrupted(number, _):
    raise SystemExit(128 + number)


def main():
    options = arguments()
    gc.disable()                        # a collection over all events would stop the prober for a while
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupted)
    directory = pathlib.Path(tempfile.mkdtemp(prefix="freshet-chaos-"))
    try:
        lab = Lab(directory, options.seed, options.rate, Cluster if options.cluster else Redis)
        try:
            done = run(lab, options.minutes, "cluster" if options.cluster else "redis")
            return judge(lab, done, options.minutes, options.seed)
        finally:
            lab.end()
    finally:
        if options.keep:
            print(f"logs are in {directory}", file=sys.stderr)
        else:
            shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
