"""Events a second from a topic of a real Kafka to Redis, and what they cost in CPU time, beside the bare limit on the
same topic: librdkafka's batches and simdjson's parsing, nothing else (bench_bare_consume)."""
import re
import subprocess
import sys
import time
import urllib.request

import payments
import setting
from resp import RespClient

ENTITIES = 100_000
EVENTS = 2_000_000
PARTITIONS = 4
SPREAD_MS = 600_000  # the events' times rise over ten minutes
MOST_SECONDS = 180   # of one ingest
CASES = (("uniform", 0), ("zipf 1.0", 1.0))


def run(bench):
    with bench:
        kafka = start_kafka(bench, [_topic(name) for name, _ in CASES])
        verdicts = [_one_case(bench, kafka, *case) for case in CASES]
    return bench.finish(next((v for v in verdicts if v != "equal"), "equal"))


class Stream:
    """A node that ingests one topic into a Redis of its own."""

    def __init__(self, bench, name, kafka="embedded", roles="ingest, serve", topic="payments", config=payments.config):
        self.bench = bench
        self.redis, self.redis_address = bench.redis(f"redis_{name}")
        self.config = bench.write(f"{name}.yaml", config(self.redis_address, roles, kafka, topic))
        self.node, self.ready = bench.node(self.config, f"node_{name}")

    def await_recorded(self, events, most_seconds=MOST_SECONDS):
        """Until the progress records stand at so many events."""
        deadline = time.monotonic() + most_seconds
        host, port = self.redis_address.rsplit(":", 1)
        keys, found = [], 0
        with RespClient(host, int(port)) as client:
            while found < events:
                if time.monotonic() > deadline or self.node.child.poll() is not None:
                    raise SystemExit(f"bench: {found} of {events} events are stored; {self.node.tail()}")
                time.sleep(0.05)
                if len(keys) < PARTITIONS:  # only at the start: KEYS is not free
                    keys = client.call("KEYS", "*progress:*")
                positions = client.pipeline([["HGET", key, f"v:{payments.VIEW}@1"] for key in keys])
                found = sum(int(position.split()[0]) for position in positions if isinstance(position, bytes))

    def metric(self, name):
        return metric(self.ready["metrics"], name)

    def stop(self):
        self.node.stop()
        self.redis.stop()


def metric(address, name):
    with urllib.request.urlopen(f"http://{address}/metrics", timeout=10) as page:
        text = page.read().decode()
    return sum(float(n) for n in re.findall(rf"^{name}(?:{{[^}}]*}})? (\S+)", text, re.M))


def produce(bench, brokers, events, records, topic="payments", zipf=0, entities=ENTITIES, recorded=200,
            partitions=PARTITIONS):
    return bench.json_of(_producing(bench, brokers, events, topic, entities, partitions) +
                         ["--zipf", str(zipf), "--spread-ms", str(SPREAD_MS), "--record-to", str(records),
                          "--record-entities", str(recorded)], 900)


def feed(bench, brokers, rate, seconds, topic="payments"):
    """Keeps producing at a rate, in the background; stop() it."""
    return bench.start(_producing(bench, brokers, rate * seconds, topic) + ["--rate", str(rate)], "feed")


def _producing(bench, brokers, events, topic, entities=ENTITIES, partitions=PARTITIONS):
    return [bench.program("produce"), "--brokers", brokers, "--topic", topic, "--partitions", str(partitions),
            "--entities", str(entities), "--events", str(events), "--compression", "zstd"]


def start_kafka(bench, topics, partitions=None):
    """`partitions`: of topics that have others than PARTITIONS."""
    script = [str(setting.ROOT / "scripts" / "kafka")]
    where = ["--dir", str(bench.folder / "kafka")]
    bench.at_end(lambda: subprocess.run(script + ["stop", "--clean"] + where, capture_output=True, timeout=120))
    address = bench.output(script + ["start"] + where, 300).split()[-1]
    # It is a session of its own. With a lesser share than ours a busy node and Redis leave it none at all for seconds,
    # until the group's session times out.
    setting.raise_share((bench.folder / "kafka" / "pid").read_text().strip())
    for name in topics:
        for topic in (name, name + ".dlq"):
            bench.output(script + ["topic", "create", topic, "--partitions",
                                   str((partitions or {}).get(name, PARTITIONS))] + where, 120)
    return address


def _topic(name):
    return "payments_" + re.sub(r"\W", "_", name)


def _one_case(bench, kafka, name, zipf):
    events = EVENTS // 10 if bench.quick else EVENTS
    records = bench.folder / f"{_topic(name)}.jsonl"
    produced = produce(bench, kafka, events, records, _topic(name), zipf)
    bench.facts[name] = produced
    verdicts, written, turn = [], [], 0

    def ours():
        nonlocal turn
        turn += 1
        began = time.monotonic()
        stream = Stream(bench, f"{_topic(name)}_{turn}", kafka, topic=_topic(name))
        stream.await_recorded(events)
        seconds = time.monotonic() - began
        node, redis = stream.node.cpu(), stream.redis.cpu()
        if turn == 1:
            verdict, compared = payments.equal(stream.config, records, stream.ready["lookup"], most=150)
            verdicts.append(verdict)
            bench.facts[name] |= {"compared": compared}
        written.append(stream.metric("freshet_flushed_bytes_total") / events)
        print(f"  turn {turn}: {seconds:.1f} s, CPU s: node {node:.1f}, redis-server {redis:.1f}", file=sys.stderr)
        stream.stop()
        return {"rate": events / seconds, "node": events / node, "both": events / (node + redis),
                "redis_us": redis * 1e6 / events}

    def bare():
        found = bench.json_of([bench.program("bare_consume"), "--brokers", kafka, "--topic", _topic(name),
                               "--partitions", str(PARTITIONS), "--events", str(events)])
        cpu = events / found["cpu_seconds"]
        return {"rate": events / found["seconds"], "node": cpu, "both": cpu, "redis_us": 0}

    bench.compare([(f"{name}: from the node's start to stored and recorded", "events/s", "rate"),
                   (f"{name}: a CPU second of the node", "events", "node"),
                   (f"{name}: a CPU second of node and redis-server", "events", "both")],
                  ours, bare, "consume and parse only")
    bench.row(f"{name}: written to Redis", "B/event", sorted(written)[len(written) // 2])
    return next((v for v in verdicts if v != "equal"), "equal")
