"""A source that is flooded beside one with little traffic, on one node: how soon events of the second are readable, how
stale it gets, and how fast the flood is counted, with and without a max_staleness to order them by (docs/operations.md).
The flood's topic holds a backlog that no order gets rid of in time, so its view is in breach throughout."""
import sys
import threading
import time

import ingest
import payments
from resp import RespClient

FLOOD, LIGHT = "flood", "payments"
EVENTS = 10_000_000
TURNS = 3
PROBES = 150
FIRST_PROBE = 1_000_000
SETTLE_SECONDS = 8          # until a flood counts as one: its max_staleness, and the while that it must last

SOURCE = """
  {name}:
    topic: {topic}
    start: earliest
    time: {{field: ts, format: unix_ms}}
    fields: {{user: int, amount: float, items: int}}
"""
VIEW = """
  {name}:
    source: {name}
    entity: user
    clock: event
    features:
      count_1h: {{count: "*", window: 1h}}
      sum_1h:   {{sum: amount, window: 1h}}
      p95_1h:   {{quantile: amount, q: 0.95, window: 1h}}
      max_1d:   {{max: amount, window: 1d}}
{freshness}"""


def run(bench):
    with bench:
        kafka = ingest.start_kafka(bench, [FLOOD, LIGHT])
        turns, events = (1, EVENTS // 2) if bench.quick else (TURNS, EVENTS)
        ingest.produce(bench, kafka, events, bench.folder / "flood.jsonl", FLOOD, recorded=1)
        found, first = {True: [], False: []}, FIRST_PROBE
        for turn in range(turns):
            for ordered in (True, False):
                found[ordered].append(_measure(bench, kafka, ordered, turn, first, events))
                first += PROBES
        for name, unit, key in (("event to readable, p50", "ms", "p50"), ("event to readable, p99", "ms", "p99"),
                                ("worst staleness of the light source", "ms", "light"),
                                ("worst staleness of the flood", "ms", "flood"),
                                ("counted of the flood meanwhile", "events/s", "rate")):
            ours, theirs = (_median([one[key] for one in found[ordered]]) for ordered in (True, False))
            bench.row(name, unit, ours, "without max_staleness", theirs, ours / theirs)
        verdict = next((one["verdict"] for some in found.values() for one in some if one["verdict"] != "equal"), "equal")
    return bench.finish(verdict)


def _config(ordered):
    def config(redis, roles, kafka, topic):
        del topic
        head = payments.config(redis, roles, kafka).split("sources:")[0].replace(
            "group: bench", f"group: bench_{time.monotonic_ns()}")
        freshness = "    freshness: {max_staleness: 3s}\n" if ordered else ""
        names = ((FLOOD, FLOOD), (LIGHT, LIGHT))
        return (head + "sources:" + "".join(SOURCE.format(name=name, topic=topic) for name, topic in names) +
                "views:" + "".join(VIEW.format(name=name, freshness=freshness) for name, _ in names))
    return config


def _measure(bench, kafka, ordered, turn, first, events):
    stream = ingest.Stream(bench, f"{'with' if ordered else 'without'}_{turn}", kafka, config=_config(ordered))
    host, port = stream.ready["lookup"].rsplit(":", 1)
    time.sleep(SETTLE_SECONDS)      # of load, not of a condition: both are measured after as long
    staleness, stop = {FLOOD: [], LIGHT: []}, threading.Event()
    watch = threading.Thread(target=_watch, args=(host, int(port), staleness, stop))
    watch.start()
    began, before = time.monotonic(), stream.metric("freshet_events_counted_total")
    took = bench.json_of([bench.program("freshness"), "--brokers", kafka, "--topic", LIGHT, "--partitions",
                          str(ingest.PARTITIONS), "--port", port, "--view", LIGHT, "--probes", str(PROBES),
                          "--first-entity", str(first)])
    counted, seconds = stream.metric("freshet_events_counted_total"), time.monotonic() - began
    stop.set()
    watch.join()
    verdict = _verdict(host, int(port), first, counted, events)
    stream.stop()
    # A staleness that is not known is as old as the life of the node.
    worst = {view: max(seen or [0]) for view, seen in staleness.items()}
    one = {"p50": took["readable"]["p50"], "p99": took["readable"]["p99"], "light": worst[LIGHT],
           "flood": worst[FLOOD], "rate": (counted - before) / seconds, "verdict": verdict}
    print(f"  {'with' if ordered else 'without'}: {one}", file=sys.stderr)
    return one


def _watch(host, port, staleness, stop):
    begun = time.monotonic() - SETTLE_SECONDS
    with RespClient(host, port) as client:
        while not stop.wait(0.1):
            for view, seen in staleness.items():
                ms, _ = client.call("FS.FRESHNESS", view)
                seen.append((time.monotonic() - begun) * 1000 if ms is None else ms)


def _verdict(host, port, first, counted, events):
    if counted >= events:
        return f"VOID: the flood of {events} events was over before the last probe; raise EVENTS"
    with RespClient(host, port) as client:
        for probe in range(first, first + PROBES):
            count, = client.call("FS.GET", LIGHT, probe, "FEATURES", 1, "count_1h")
            if count != 1:
                return f"DIFFERENT: probe {probe} counts {count}"
    return "equal"


def _median(values):
    return sorted(values)[len(values) // 2]
