"""Look-ups of ten features of a random entity, every read going to Redis, beside redis-server's own HMGET of the same
ten values as ten hash fields, and GET of one value as large as the stored head. One client for all: bench_loadgen."""
import os

import ingest
import payments
import setting

ENTITIES = 100_000
RATE = 20_000  # offered, unpipelined
CACHE = "34MiB"  # holds nine of ten entities
ASK = f"FS.GET {payments.VIEW} {{key}}"
HMGET = "HMGET h:{key} " + " ".join(f"f{i}" for i in range(payments.FEATURES))
GET = "GET b:{key}"
CASES = (("one tile", ["--tiles", "1"]),
         ("60 tiles", ["--tiles", "60"]),
         ("60 tiles, at rest for 20 min", ["--tiles", "60", "--rest", "20"]),
         ("8 origins", ["--tiles", "1", "--partitions", "8"]))


def run(bench):
    verdicts = []
    for name, filling in CASES:
        with bench:
            verdicts.append(_one_case(bench, name, filling))
    with bench:
        verdicts.append(_while_ingesting(bench))
    tiled = {row["metric"]: row["ours"] for row in bench.rows}
    for pipeline in (16, 50):
        bench.row(f"60 tiles against one tile, pipeline {pipeline}", "look-ups/s",
                  tiled[f"60 tiles, pipeline {pipeline}"], "one tile", tiled[f"one tile, pipeline {pipeline}"])
    return bench.finish(next((v for v in verdicts if v != "equal"), "equal"))


class Servers:
    """A filled Redis and a node that serves it."""

    def __init__(self, bench, redis, redis_address, node, ready):
        self.bench, self.redis, self.address, self.node = bench, redis, redis_address, node
        self.lookup, self.metrics = ready["lookup"], ready["metrics"]
        self.real_time = False

    def load(self, address, command, pipeline=1, rate=0, connections=50, seconds=None):
        """One run of the client; the result with the CPU time that the servers spent on a request."""
        before = self.node.cpu() + self.redis.cpu()
        result = self.bench.json_of(
            [self.bench.program("loadgen"), "--json", "--address", address, "--keys", str(ENTITIES), "--pipeline",
             str(pipeline), "--rate", str(rate), "--connections", str(connections), "--seconds",
             str(seconds or self.bench.seconds), command],
            before=(lambda: setting.set_real_time(os.getpid())) if self.real_time else None)
        if result["errors"] or result["unanswered"]:
            raise SystemExit(f"bench: {command}: {result}")
        result["cpu_us"] = (self.node.cpu() + self.redis.cpu() - before) * 1e6 / result["requests"]
        return result

    def use_real_time(self):
        """From now on other work on the machine waits for servers and client: tails are theirs, not its."""
        self.real_time = all([setting.set_real_time(process.pid) for process in (self.node, self.redis)])

    def cache_counts(self):
        return [ingest.metric(self.metrics, f"freshet_lookup_cache_{what}_total") for what in ("hits", "misses")]

    def compare(self, metrics, command, peer, **how):
        self.bench.compare(metrics, lambda: self.load(self.lookup, ASK, **how),
                           lambda: self.load(self.address, command, **how), peer)

    def second_steps(self):
        return ingest.metric(self.metrics, "freshet_lookup_second_steps_total")


def _one_case(bench, name, filling):
    tag = name.replace(" ", "_")
    redis, address = bench.redis(f"redis_{tag}")
    config = bench.write(f"{tag}.yaml", payments.config(address, "serve"))
    records = bench.folder / f"{tag}.jsonl"
    filled = bench.json_of([bench.program("fill_store"), "--config", config, "--entities", str(ENTITIES),
                            "--record-to", records, *filling])
    bench.facts[name] = filled
    bench.row(f"{name}: bytes of the head", "B/entity", filled["head_bytes"], "ten field values",
              filled["ten_fields_bytes"])
    bench.row(f"{name}: bytes of the sealed tiles", "B/entity", filled["sealed_bytes"])
    node, ready = bench.node(config, f"node_{tag}")
    servers = Servers(bench, redis, address, node, ready)
    verdict, compared = payments.equal(config, records, servers.lookup)
    bench.facts[name]["compared"] = compared

    before = servers.second_steps()
    for pipeline in (1, 16, 50):
        what = f"{name}, pipeline {pipeline}"
        servers.compare([(what, "look-ups/s", "achieved_per_s"),
                         (f"{what}: CPU of node and redis-server", "us/look-up", "cpu_us")],
                        HMGET, "HMGET of ten fields", pipeline=pipeline)
        if name == "one tile":
            servers.compare([(f"{what}, against GET", "look-ups/s", "achieved_per_s")], GET, "GET of equal bytes",
                            pipeline=pipeline)
    if name in ("one tile", "60 tiles"):
        _offered(servers, name)
    if name == "one tile":
        _cached(bench, redis, address)
    bench.row(f"{name}: second steps while measuring", "reads", servers.second_steps() - before)
    return verdict


def _cached(bench, redis, address):
    """The same entities through a cache that holds most of them; the look-ups are the same."""
    config = bench.write("cached.yaml", payments.config(address, "serve").replace(
        "lookup: {", f"lookup: {{cache: {CACHE}, ").replace(
        "    features:\n", "    freshness: {cache_for: 1h}\n    features:\n"))
    servers = Servers(bench, redis, address, *bench.node(config, "node_cached"))
    servers.load(servers.lookup, ASK, pipeline=50)  # fills it
    for pipeline in (1, 16, 50):
        before = servers.cache_counts()
        what = f"one tile, cached, pipeline {pipeline}"
        servers.compare([(what, "look-ups/s", "achieved_per_s"),
                         (f"{what}: CPU of node and redis-server", "us/look-up", "cpu_us")],
                        HMGET, "HMGET of ten fields", pipeline=pipeline)
        hits, misses = (now - then for now, then in zip(servers.cache_counts(), before))
        bench.row(f"{what}: entities found", "%", 100 * hits / (hits + misses))


def _offered(servers, name):
    servers.use_real_time()
    what = f"{name}, {RATE:,}/s offered{', real-time' if servers.real_time else ''}"
    servers.compare([(f"{what}: {field[:-3]}", "us", field) for field in ("p50_us", "p99_us")] +
                    [(f"{what}: CPU of node and redis-server", "us/look-up", "cpu_us")],
                    HMGET, "HMGET of ten fields", rate=RATE)


def _while_ingesting(bench):
    """Reads while events come in; here the entities are filled by ingestion itself, from an embedded broker."""
    stream = ingest.Stream(bench, "live")
    records = bench.folder / "live.jsonl"
    kafka = stream.ready["kafka"]
    ingest.produce(bench, kafka, 2 * ENTITIES, records)
    stream.await_recorded(2 * ENTITIES)
    verdict, _ = payments.equal(stream.config, records, stream.ready["lookup"])
    servers = Servers(bench, stream.redis, stream.redis_address, stream.node, stream.ready)
    for rate in (0, 5_000):
        feeder = ingest.feed(bench, kafka, rate, 120) if rate else None
        before = servers.second_steps()
        runs = [servers.load(servers.lookup, ASK, pipeline=16) for _ in range(bench.turns)]
        steps = servers.second_steps() - before
        if feeder:
            feeder.stop()
        what = f"2 events an entity, {rate:,} events/s ingested, pipeline 16"
        bench.row(what, "look-ups/s", sorted(run["achieved_per_s"] for run in runs)[len(runs) // 2])
        bench.row(f"{what}: second steps", "of 1 M reads", steps * 1e6 / sum(run["requests"] for run in runs))
    return verdict
