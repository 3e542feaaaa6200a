"""Many entities through a node with little memory: what stays resident, whether the values are right, and what it costs
to forget entities and load them again, beside the same node without a limit."""
import json
import math
import threading
import time

import ingest
from resp import RespClient

ENTITIES = 10_000_000
AGAIN = 1_000_000      # further events, of entities drawn uniformly: nearly all must be loaded
SAMPLE = 10_000        # entities whose values are compared
LIMIT_MIB = 1024
MOST_SECONDS = 1200    # of one phase
TOPIC = "payments_many"

CONFIG = """\
kafka: {{brokers: "{kafka}", group: bench}}
redis: {{address: "{redis}"}}
lookup: {{listen: "127.0.0.1:0"}}
metrics: {{listen: "127.0.0.1:0"}}
log: {{level: warn}}
ingest: {{memory_limit: {limit}}}
roles: [{roles}]
sources:
  payments:
    topic: {topic}
    format: json
    start: earliest
    time: {{field: ts, format: unix_ms}}
    fields: {{user: int, amount: float}}
views:
  payments:
    source: payments
    entity: user
    clock: event
    features:
      count_1d: {{count: "*", window: 1d}}
      sum_1d:   {{sum: amount, window: 1d}}
"""


def run(bench):
    entities, again = (n // 20 if bench.quick else n for n in (ENTITIES, AGAIN))
    limit = LIMIT_MIB // 8 if bench.quick else LIMIT_MIB
    records = bench.folder / "many.jsonl"
    with bench:
        kafka = ingest.start_kafka(bench, [TOPIC])
        bench.facts |= ingest.produce(bench, kafka, entities + again, records, TOPIC, 0, entities, SAMPLE)
        expected = _counted(records)
        verdict, limited = _one_node(bench, kafka, f"{limit}MiB", entities, again, expected)
        _, free = _one_node(bench, kafka, "none", entities, again, None)
        peer = "no limit"
        bench.row("resident memory, highest", "MiB", limited["resident"] / 2**20, peer, free["resident"] / 2**20)
        bench.row("accounted memory, at the end", "MiB", limited["accounted"] / 2**20, peer, free["accounted"] / 2**20)
        for phase in ("new", "again"):
            what = {"new": "each entity once", "again": "entities drawn uniformly"}[phase]
            for key, unit in (("rate", "events/s"), ("node_us", "us of node"), ("redis_us", "us of redis")):
                bench.row(f"{what}: {unit}", "an event" if "us" in unit else "", limited[phase][key], peer,
                          free[phase][key])
        bench.row("entities evicted", "", limited["evicted"], peer, free["evicted"])
        bench.row("entities loaded", "", limited["loaded"], peer, free["loaded"])
        bench.row("events read again", "", limited["read"] - entities - again, peer, free["read"] - entities - again)
        bench.row("partitions restarted", "", limited["restarts"], peer, free["restarts"])
        if limited["resident"] > 1.2 * limit * 2**20 and not bench.quick:
            verdict += f"; {limited['resident'] / 2**20:.0f} MiB resident with a limit of {limit} MiB"
    return bench.finish(verdict)


class _Resident:
    """The highest resident memory of a process, looked at ten times a second."""

    def __init__(self, process):
        self.highest, self._process, self._end = 0, process, threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _watch(self):
        while not self._end.wait(0.1):
            self.highest = max(self.highest, self._process.resident_bytes())

    def stop(self):
        self._end.set()
        self._thread.join()
        return self.highest


def _one_node(bench, kafka, limit, entities, again, expected):
    def config(redis, roles, kafka, topic):
        return CONFIG.format(redis=redis, roles=roles, kafka=kafka, topic=topic, limit=limit)

    stream = ingest.Stream(bench, f"many_{limit}", kafka, topic=TOPIC, config=config)
    resident = _Resident(stream.node)
    found = {}
    began, node, redis = time.monotonic(), 0, 0
    for phase, first, end in (("new", 0, entities), ("again", entities, entities + again)):
        stream.await_recorded(end, MOST_SECONDS)
        now, node_now, redis_now = time.monotonic(), stream.node.cpu(), stream.redis.cpu()
        events = end - first
        found[phase] = {"rate": events / (now - began), "node_us": (node_now - node) * 1e6 / events,
                        "redis_us": (redis_now - redis) * 1e6 / events}
        began, node, redis = now, node_now, redis_now
    verdict = _compare(stream.ready["lookup"], expected) if expected else "equal"
    found |= {"accounted": stream.metric("freshet_memory_bytes"),
              "evicted": stream.metric("freshet_evicted_entities_total"),
              "loaded": stream.metric("freshet_loaded_entities_total"),
              "read": stream.metric("freshet_events_read_total"),
              "restarts": stream.metric("freshet_partition_restarts_total"), "resident": resident.stop()}
    stream.stop()
    return verdict, found


def _counted(records):
    """Entity to [events, sum of amounts], counted directly."""
    totals = {}
    with open(records) as lines:
        for line in lines:
            event = json.loads(json.loads(line)["value"])
            total = totals.setdefault(event["user"], [0, 0.0])
            total[0] += 1
            total[1] += event["amount"]
    return totals


def _compare(lookup, expected):
    host, port = lookup.rsplit(":", 1)
    wrong = []
    with RespClient(host, int(port)) as client:
        for user, (count, total) in expected.items():
            values = client.call("FS.GET", "payments", str(user), "FEATURES", "2", "count_1d", "sum_1d")
            if None in values or int(values[0]) != count or not math.isclose(float(values[1]), total, rel_tol=1e-9):
                wrong.append((user, values, count, total))
    if len(expected) == 0 or wrong:
        return f"DIFFERENT: {len(wrong)} of {len(expected)} entities, such as {wrong[:3]}"
    return "equal"
