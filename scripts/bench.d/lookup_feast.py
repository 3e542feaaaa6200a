"""Look-ups of ten features beside Feast's own feature server: the same values of the same entities.

Theirs: `feast serve` over HTTP (POST /get-online-features), a pinned version that pip installs under build/bench, with
Feast's Redis online store on a Redis of its own. Its best setting: a worker a processor, kept-alive connections spread
evenly over the workers, no access log, workers that are not restarted, a registry that is not read again, features
named one by one (with a feature service it was slower at one entity a request). Ours: FS.MGET with the features
named, every look-up going to Redis. Neither keeps values. Feast's store is filled through Feast with what Freshet
answered (feast_fill.py), and before timing Freshet is compared with the oracle and Feast with Freshet.

One client in Python asks both sides, closed_loop.py: ready requests on open sockets, answers not parsed but for their
end. Beside Feast it idles; it is the limit of ours, so that the ratios are less than what the servers would show. Ours
is therefore told once more as asked by bench_loadgen, the client of the other benchmarks.

One connection and eight, one entity a request and a hundred, closed loop. Where pip cannot get Feast it ends with 77.
"""
import http.client
import json
import os
import pathlib
import random
import re
import statistics
import subprocess
import sys

import closed_loop
import payments
import setting
from resp import RespClient, encode_command

FEAST = "feast[redis]==0.67.0"
SKIPPED = 77
VENV = setting.ROOT / "build" / "bench" / "feast-venv"
INSTALL_SECONDS = 900
HERE = pathlib.Path(__file__).resolve().parent
SERVE = ["--no-access-log", "--max-requests", "0", "--max-requests-jitter", "0", "--keep-alive-timeout", "300",
         "--registry_ttl_sec", "86400"]
STORE = """\
project: bench
provider: local
registry: {{registry_type: file, path: registry.db, cache_ttl_seconds: 0}}
offline_store: {{type: dask}}
online_store: {{type: redis, connection_string: "{redis}"}}
entity_key_serialization_version: 3
"""
ENTITY = "user"
ENTITIES = 100_000
FEATURES = re.findall(r"^ {6}(\w+): +\{", payments.CONFIG, re.M)
BATCHES = (1, 100)
CONNECTIONS = (1, 8)
REQUESTS = 2_000    # different ones, asked in turn
COMPARED = 200
METRICS = (("requests", "requests/s", "achieved_per_s"), ("entities", "entities/s", "entities_per_s"),
           ("p50", "us", "p50_us"), ("p99", "us", "p99_us"), ("servers' CPU", "us/entity", "cpu_us"))


def run(bench):
    install()
    with bench:
        ours, verdict = _freshet(bench)
        theirs = _feast(bench, ours)
        if verdict == "equal":
            verdict = _same(ours, theirs)
        if verdict == "equal":
            for batch in BATCHES:
                for connections in CONNECTIONS:
                    _one_case(bench, ours, theirs, batch, connections)
    return bench.finish(verdict)


def install():
    """Feast in an environment of its own, which later runs find again; ends the benchmark if pip does not get it."""
    stamp = VENV / "installed"
    if stamp.exists() and stamp.read_text() == FEAST:
        return
    for argv in ([sys.executable, "-m", "venv", "--clear", VENV],
                 [VENV / "bin" / "pip", "install", "--quiet", "--disable-pip-version-check", FEAST]):
        try:
            done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                                  timeout=INSTALL_SECONDS)
            problem = done.stderr.strip()[-1000:] if done.returncode else None
        except (OSError, subprocess.TimeoutExpired) as error:
            problem = str(error)
        if problem is not None:
            print(f"bench: skipped, {FEAST} cannot be installed: {problem}", file=sys.stderr)
            raise SystemExit(SKIPPED)
    stamp.write_text(FEAST)


class Side:
    """Servers that answer look-ups: `pids` of all of them, `workers` that share the connections (or none), `request` of
    these entities as bytes, and `lines` of its answer, or None if it is HTTP."""
    workers = ()

    def __init__(self, bench, address):
        self.bench, self.address = bench, address
        self.seconds = 5 * bench.seconds
        self._plans = {}

    def cpu(self):
        return sum(map(setting.cpu_seconds, self.pids))

    def load(self, batch, connections):
        """One run of the client."""
        return self._told(batch, [sys.executable, HERE / "closed_loop.py", self._plan(batch), "--connections",
                                  str(connections), "--workers", *map(str, self.workers)])

    def _told(self, batch, client):
        """What a client found, with entities a second and the CPU time that the servers spent on an entity."""
        before = self.cpu()
        found = self.bench.json_of([*client, "--address", self.address, "--seconds", str(self.seconds)])
        spent = self.cpu() - before
        return found | {"entities_per_s": found["achieved_per_s"] * batch,
                        "cpu_us": spent * 1e6 / (found["requests"] * batch)}

    def _plan(self, batch):
        if batch not in self._plans:
            draw = random.Random(batch)
            requests = [self.request(draw.sample(range(ENTITIES), batch)) for _ in range(REQUESTS)]
            path = self.bench.folder / f"{type(self).__name__}_{batch}.plan"
            self._plans[batch] = closed_loop.write_plan(path, requests, self.lines(batch))
        return self._plans[batch]


class Freshet(Side):
    def __init__(self, bench, redis, node, address):
        super().__init__(bench, address)
        self.pids = [redis.pid, node.pid]
        self._lines_a_row = 1 + sum(1 if isinstance(value, int) else 2 for value in self._rows([0])[0])

    @staticmethod
    def _command(keys):
        return ["FS.MGET", payments.VIEW, len(keys), *keys, "FEATURES", len(FEATURES), *FEATURES]

    def request(self, keys):
        return encode_command(self._command(keys))

    def lines(self, batch):
        return 1 + batch * self._lines_a_row

    def _rows(self, keys):
        host, port = self.address.rsplit(":", 1)
        with RespClient(host, int(port)) as client:
            return client.call(*self._command(keys))

    def values(self, keys):
        return [[value if isinstance(value, int) else float(value) for value in row] for row in self._rows(keys)]

    def load_of_bench_loadgen(self, batch, connections):
        command = " ".join(map(str, self._command(["{key}"] * batch)))
        found = self._told(batch, [self.bench.program("loadgen"), "--json", "--keys", str(ENTITIES),
                                   "--connections", str(connections), command])
        if found["errors"] or found["unanswered"]:
            raise SystemExit(f"bench: {command[:80]}: {found}")
        return found


class Feast(Side):
    def __init__(self, bench, redis, server, workers, address):
        super().__init__(bench, address)
        self.workers = workers
        self.pids = [redis.pid, server.pid, *workers]

    @staticmethod
    def _body(keys):
        return json.dumps({"features": [f"{payments.VIEW}:{name}" for name in FEATURES], "entities": {ENTITY: keys}})

    def request(self, keys):
        body = self._body(keys).encode()
        return (b"POST /get-online-features HTTP/1.1\r\nHost: " + self.address.encode() +
                b"\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

    def lines(self, batch):
        return None

    def values(self, keys):
        """The rows; a value that is not PRESENT is its status instead."""
        connection = http.client.HTTPConnection(self.address, timeout=30)
        connection.request("POST", "/get-online-features", self._body(keys), {"Content-Type": "application/json"})
        answer = json.loads(connection.getresponse().read())
        connection.close()
        columns = dict(zip(answer["metadata"]["feature_names"], answer["results"]))
        return [[_present(columns[name], row) for name in FEATURES] for row in range(len(keys))]


def _present(column, row):
    status = column["statuses"][row]
    return column["values"][row] if status == "PRESENT" else status


def _freshet(bench):
    """Returns (a filled Freshet, what the oracle says of it)."""
    redis, address = bench.redis("redis_freshet")
    config = bench.write("freshet.yaml", payments.config(address, "serve"))
    records = bench.folder / "freshet.jsonl"
    bench.facts["freshet"] = bench.json_of([bench.program("fill_store"), "--config", config, "--entities",
                                            str(ENTITIES), "--record-to", records])
    node, ready = bench.node(config)
    verdict, compared = payments.equal(config, records, ready["lookup"], most=COMPARED)
    bench.facts["freshet"]["compared"] = compared
    return Freshet(bench, redis, node, ready["lookup"]), verdict


def _feast(bench, ours):
    """Feast's server with the values that `ours` answers."""
    redis, address = bench.redis("redis_feast")
    repository = bench.folder / "feast"
    repository.mkdir()
    (repository / "feature_store.yaml").write_text(STORE.format(redis=address))
    bench.facts["feast"] = bench.json_of(
        [VENV / "bin" / "python", HERE / "feast_fill.py", "--repository", repository, "--lookup", ours.address,
         "--view", payments.VIEW, "--entity", ENTITY, "--entities", str(ENTITIES), "--features", *FEATURES], 1800)
    port, cores = setting.free_port(), os.cpu_count()
    server = bench.start([VENV / "bin" / "feast", "--chdir", repository, "serve", "--host", "127.0.0.1", "--port",
                          str(port), "--workers", str(cores), *SERVE], "feast_serve",
                         env={**os.environ, "FEAST_USAGE": "False"})
    bench.until(lambda: _healthy(port), server)
    bench.until(lambda: len(_children(server.pid)) >= cores, server)
    bench.facts["feast"]["workers"] = cores
    return Feast(bench, redis, server, _children(server.pid), f"127.0.0.1:{port}")


def _children(pid):
    return [int(child) for child in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _healthy(port):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def _same(ours, theirs):
    """Whether both answer the same; says equal or the first difference."""
    keys = list(range(COMPARED))
    for key, one, other in zip(keys, ours.values(keys), theirs.values(keys), strict=True):
        if one != other:
            return f"DIFFERENT: entity {key}: Freshet {one}, Feast {other}"
    ours.bench.facts["feast"]["compared"] = len(keys) * len(FEATURES)
    return "equal"


def _one_case(bench, ours, theirs, batch, connections):
    name = f"{batch} {'entity' if batch == 1 else 'entities'}, {connections} connection{'s'[:connections > 1]}"
    shares = []

    def both(side):
        found = side.load(batch, connections)
        shares.append(found["client_share"])
        return found

    bench.compare([(f"{name}: {metric}", unit, key) for metric, unit, key in METRICS],
                  lambda: both(ours), lambda: both(theirs), "feast serve")
    bench.row(f"{name}: the client's processor", "%", 100 * statistics.median(shares[0::2]), "beside Feast",
              100 * statistics.median(shares[1::2]))
    found = [ours.load_of_bench_loadgen(batch, connections) for _ in range(bench.turns)]
    for metric, unit, key in METRICS:
        bench.row(f"{name}: {metric} (bench_loadgen)", unit, statistics.median(one[key] for one in found))
