"""Look-ups by 200 busy connections while 1,000 others stand idle, beside 200 alone and beside HMGET of redis-server by as
many; and how many connections to Redis the node needs for all of them."""
import contextlib
import socket

import payments
from lookup import ASK, ENTITIES, HMGET, Servers
from resp import RespClient

BUSY = 200
IDLE = 1_000


def run(bench):
    with bench:
        redis, address = bench.redis()
        config = bench.write("clients.yaml", payments.config(address, "serve"))
        records = bench.folder / "records.jsonl"
        bench.facts["store"] = bench.json_of([bench.program("fill_store"), "--config", config, "--entities",
                                              str(ENTITIES), "--record-to", records, "--tiles", "1"])
        servers = Servers(bench, redis, address, *bench.node(config))
        verdict, compared = payments.equal(config, records, servers.lookup)
        bench.facts["store"]["compared"] = compared
        _compare(bench, servers)
    return bench.finish(verdict)


def _compare(bench, servers):
    def load(address, command):
        found = servers.load(address, command, connections=BUSY)
        return {"rate": found["achieved_per_s"], "p99": found["p99_us"]}

    def beside_idle():
        with _idle(servers.lookup):
            return load(servers.lookup, ASK)

    metrics = [(f"{BUSY} busy connections", "requests/s", "rate"), (f"{BUSY} busy connections, p99", "us", "p99")]
    beside = [(f"{name}, {IDLE:,} idle", unit, key) for name, unit, key in metrics]
    bench.compare(beside, beside_idle, lambda: load(servers.lookup, ASK), "none idle")
    bench.compare(metrics, lambda: load(servers.lookup, ASK), lambda: load(servers.address, HMGET), "HMGET")
    bench.row(f"connections to Redis for {BUSY + IDLE:,} clients", "", _connections_to_redis(servers))


@contextlib.contextmanager
def _idle(address, number=IDLE):
    """Connections that have asked once, and stay."""
    host, port = address.rsplit(":", 1)
    with contextlib.ExitStack() as stack:
        for _ in range(number):
            connection = stack.enter_context(socket.create_connection((host, int(port)), timeout=10))
            connection.sendall(b"PING\r\n")
            if connection.recv(16) != b"+PONG\r\n":
                raise SystemExit("bench: a connection was not served")
        yield


def _connections_to_redis(servers):
    host, port = servers.address.rsplit(":", 1)
    with RespClient(host, int(port)) as redis, _idle(servers.lookup, BUSY + IDLE):
        return len(redis.call("CLIENT", "LIST").decode().splitlines()) - 1     # but this one
