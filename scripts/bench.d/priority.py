"""A source that is flooded beside one with little traffic, on one node: how stale both get, how soon events of the second
are readable, and how fast the flood is counted, with a max_staleness to order them by and without (docs/operations.md).
The flood's topic holds a backlog that no order gets rid of in time, so it is in breach throughout."""
import statistics
import sys
import threading
import time

import ingest
import payments
from resp import RespClient

FLOOD, LIGHT = "flood", "payments"
FLOOD_PARTITIONS = 16       # the light source has ingest.PARTITIONS
EVENTS = 36_000_000
LIGHT_RATE = 500            # events a second of the light source
MAX_STALENESS_MS = 3_000
TURNS = 5
SETTLE_SECONDS = 14         # until a flood counts as one: its max_staleness, the while that it must last, and some more
SECONDS = 15                # of one measurement, at least
PROBES = 25
FIRST_PROBE = 1_000_000

# Both sides: else one answer of Kafka's holds seconds of the flood, and the light source waits behind it.
PROPERTIES = '{fetch.message.max.bytes: "65536"}'

SOURCE = """
  {name}:
    topic: {name}
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
        kafka = ingest.start_kafka(bench, [FLOOD, LIGHT], {FLOOD: FLOOD_PARTITIONS})
        ingest.produce(bench, kafka, EVENTS, bench.folder / "flood.jsonl", FLOOD, recorded=1, partitions=FLOOD_PARTITIONS)
        found = {True: [], False: []}
        for turn in range(2 if bench.quick else TURNS):
            for ordered in (True, False):
                found[ordered].append(_measure(bench, kafka, ordered, turn))
        for source in (LIGHT, FLOOD):
            for share in ("p50", "p99", "max"):
                _row(bench, found, f"staleness of {source}, {share}", "ms", f"{source} {share}")
        _row(bench, found, f"looks that found {LIGHT} above {MAX_STALENESS_MS} ms", "%", "breach")
        _row(bench, found, f"event of {LIGHT} to readable, p50", "ms", "readable p50")
        _row(bench, found, f"event of {LIGHT} to readable, max", "ms", "readable max")
        _row(bench, found, f"counted of {FLOOD} meanwhile", "events/s", "rate")
        verdict = next((one["verdict"] for some in found.values() for one in some if one["verdict"] != "equal"),
                       "equal")
    return bench.finish(verdict)


def _row(bench, found, metric, unit, key):
    ours, theirs = (statistics.median(one[key] for one in found[ordered]) for ordered in (True, False))
    bench.row(metric, unit, ours, "without max_staleness", theirs)


def _config(ordered):
    def config(redis, roles, kafka, topic):
        del topic
        head = payments.config(redis, roles, kafka).split("sources:")[0].replace(
            "group: bench", f"group: bench_{time.monotonic_ns()}, properties: {PROPERTIES}")
        freshness = f"    freshness: {{max_staleness: {MAX_STALENESS_MS}ms}}\n" if ordered else ""
        return (head + "sources:" + "".join(SOURCE.format(name=name) for name in (FLOOD, LIGHT)) +
                "views:" + "".join(VIEW.format(name=name, freshness=freshness) for name in (FLOOD, LIGHT)))
    return config


def _measure(bench, kafka, ordered, turn):
    name = f"{'with' if ordered else 'without'}_{turn}"
    stream = ingest.Stream(bench, name, kafka, config=_config(ordered))
    began = time.monotonic()
    load = ingest.feed(bench, kafka, LIGHT_RATE, 600, LIGHT)
    host, port = stream.ready["lookup"].rsplit(":", 1)
    time.sleep(SETTLE_SECONDS)      # of load, not of a condition: both are measured after as long
    first = FIRST_PROBE + PROBES * (2 * turn + ordered)
    staleness, stop = {FLOOD: [], LIGHT: []}, threading.Event()
    watch = threading.Thread(target=_watch, args=(host, int(port), began, staleness, stop))
    watch.start()
    before, since = _counted(stream), time.monotonic()
    took = bench.json_of([bench.program("freshness"), "--brokers", kafka, "--topic", LIGHT, "--partitions",
                          str(ingest.PARTITIONS), "--port", port, "--view", LIGHT, "--probes", str(PROBES),
                          "--most-seconds", "60", "--first-entity", str(first)])
    time.sleep(max(0, since + SECONDS - time.monotonic()))
    after, seconds = _counted(stream), time.monotonic() - since
    stop.set()
    watch.join()
    load.stop()
    with RespClient(host, int(port)) as client:
        probes = [client.call("FS.GET", LIGHT, probe, "FEATURES", 1, "count_1h")[0]
                  for probe in range(first, first + PROBES)]
        status = [text.decode() for text in client.call("FS.STATUS") if isinstance(text, bytes)]
    stream.stop()
    one = {"rate": (after - before) / seconds, "verdict": "equal",
           "breach": 100 * sum(ms > MAX_STALENESS_MS for ms in staleness[LIGHT]) / len(staleness[LIGHT]),
           "readable p50": took["readable"]["p50"], "readable max": took["readable"]["max"]}
    for source, seen in staleness.items():
        seen.sort()
        one |= {f"{source} p50": seen[len(seen) // 2], f"{source} p99": seen[len(seen) * 99 // 100],
                f"{source} max": seen[-1]}
    if after >= EVENTS:
        one["verdict"] = f"VOID: the flood of {EVENTS} events was over before the last look; raise EVENTS"
    elif any(count != 1 for count in probes):
        one["verdict"] = f"DIFFERENT: the probes, of which each is to count 1, count {probes}"
    turns = [text for name, text in zip(status, status[1:]) if name.startswith("turn ")]
    print(f"  {name}: {one}; turns: {turns}", file=sys.stderr)
    return one


def _counted(stream):
    return stream.metric(rf'freshet_events_counted_total\{{topic="{FLOOD}"\}}')


# A staleness that is not known is as old as the node.
def _watch(host, port, began, staleness, stop):
    with RespClient(host, port) as client:
        while not stop.wait(0.1):
            for view, seen in staleness.items():
                ms, _ = client.call("FS.FRESHNESS", view)
                seen.append((time.monotonic() - began) * 1000 if ms is None else ms)
