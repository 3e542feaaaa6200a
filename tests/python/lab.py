"""What the tests of the Python client ask: real nodes with a real Redis, a Kafka inside the first node, and servers that
play a script. FRESHET names the program; ctest sets it."""
import contextlib
import json
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
# Behind what is there: tests/integration has modules of the same names as tests here.
sys.path += [str(ROOT / folder) for folder in ("python/src", "tests/lib", "tests/integration")]

from freshet_process import FreshetProcess, binary, wait_until  # noqa: E402
from kafka_services import Redis  # noqa: E402

WITHIN = 60                             # seconds before a test gives up on a condition
HOUR = 3_600_000
# For a client of a machine so busy that Redis itself needs longer than a node gives it.
PATIENT = {"timeout": WITHIN, "connect_timeout": WITHIN, "deadline": 10 * WITHIN, "attempts": 1000, "backoff": 0.01}

CONFIG = """
kafka: {{brokers: "{brokers}", group: clients}}
redis: {{address: "{redis}"}}
lookup: {{listen: "127.0.0.1:{port}", max_entities: 100}}
metrics: {{listen: "127.0.0.1:0"}}
roles: {roles}
log: {{level: warn}}
sources:
  payments:
    topic: payments
    time: {{field: ts, format: unix_ms}}
    fields: {{card: string, country: string, user: int, online: bool, amount: float, items: int}}
views:
  spend:
    source: payments
    entity: card
    retain: 1d
    features:
      payments_1d: {{count: "*", window: 1d}}
      items_1d: {{sum: items, window: 1d}}
      mean_amount_1d: {{mean: amount, window: 1d}}
      last_country: {{last: country, window: 1d}}
      last_amount: {{last: amount, window: 1d}}
      last_online: {{last: online, window: 1d}}
    freshness: {{max_staleness: 1h}}
  pairs:
    source: payments
    entity: [card, country]
    features:
      payments_1d: {{count: "*", window: 1d}}
      amount_1d: {{sum: amount, window: 1d}}
  users:
    source: payments
    entity: [user, online]
    features:
      payments_1d: {{count: "*", window: 1d}}
services:
  ranking: [spend.last_country, pairs.payments_1d, spend.items_1d]
  numbers: [pairs.amount_1d, spend.payments_1d]
"""
SERVICES = {"ranking": ["spend.last_country", "pairs.payments_1d", "spend.items_1d"],
            "numbers": ["pairs.amount_1d", "spend.payments_1d"]}


def payment(card, country, user, online, amount, items, ts):
    return {"card": card, "country": country, "user": user, "online": online, "amount": amount, "items": items, "ts": ts}


def payments(now):
    """What the tests know the features of."""
    return [payment("card-17", "NL", 1, True, 12.5, 2, now - 3 * HOUR),
            payment("card-17", "NL", 1, False, 20.0, 3, now - 2 * HOUR),
            payment("card-17", "DE", 1, True, 12.0, 0, now - HOUR),
            payment("card-18", "12.5", -2, False, 0.1, 7, now - HOUR),    # a country that looks like a number
            payment("a|b\\c", "é", 3, True, None, None, now - HOUR)]


class Node:
    """A node with a port that it keeps over restarts."""

    def __init__(self, lab, name, brokers, roles, redis):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self._log = lab.directory / f"{name}.log"
        self.config = lab.directory / f"{name}.yaml"
        self.config.write_text(CONFIG.format(brokers=brokers, roles=roles, redis=redis.address, port=self.port))
        self.start()

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def start(self):
        self.process = FreshetProcess(["run", "-c", str(self.config)], self._log)

    def kill(self):
        if self.process.running:
            self.process.kill()


class Lab:
    """A Redis, and a node that counts the payments, with a Kafka inside of it."""

    def __init__(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="freshet-python-"))
        self._ends = contextlib.ExitStack()
        self._ends.callback(shutil.rmtree, self.directory, ignore_errors=True)
        self.redis = Redis(self.directory)
        self._ends.callback(self.redis.stop)
        self.node = Node(self, "first", "embedded", "[ingest, serve]", self.redis)
        self._ends.callback(self.node.kill)
        self.brokers = self.node.process.ready["kafka"]
        self.now = int(time.time() * 1000)
        self.records = self._replay(payments(self.now))

    def _replay(self, events):
        """The records as Kafka has them, with partitions and offsets."""
        config, lines, kept = (self.directory / name for name in ("replay.yaml", "events.jsonl", "records.jsonl"))
        config.write_text(self.node.config.read_text().replace("embedded", self.brokers))
        lines.write_text("".join(json.dumps(event) + "\n" for event in events), encoding="utf-8")
        subprocess.run([binary(), "replay", "-c", str(config), str(lines), "--record-to", str(kept)], check=True,
                       capture_output=True)
        return [json.loads(line) for line in kept.read_text(encoding="utf-8").splitlines()]

    def server(self, name, redis=None):
        """Another node, which only answers."""
        node = Node(self, name, self.brokers, "[serve]", redis or self.redis)
        self._ends.callback(node.kill)
        return node

    def second_redis(self):
        folder = self.directory / "second"
        folder.mkdir()
        redis = Redis(folder)
        self._ends.callback(redis.stop)
        return redis

    def wait_until_counted(self, client):
        for record in self.records:
            client.get("spend", "card-17", after=(record["partition"], record["offset"]), wait=WITHIN)
        wait_until(lambda: client.get("spend", "card-17").fresh, WITHIN, "fresh values")

    def close(self):
        self._ends.close()


class Cut(bytes):
    pass


class ScriptedServer:
    """Answers HELLO, and then each request with the next of `replies`, the last one again and again: with its bytes, after
    which Cut closes the connection; None: never; or with what a function returns. `asked` has the commands."""

    def __init__(self, *replies):
        self.asked, self.connections = [], 0
        self._replies = list(replies)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open = []
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def address(self):
        return "127.0.0.1:%d" % self._listener.getsockname()[1]

    def close(self):
        for each in [self._listener, *self._open]:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def connection_of(self, number):
        return self._open[number]

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self.connections += 1
                self._open.append(connection)
                threading.Thread(target=self._serve, args=[connection], daemon=True).start()

    def _serve(self, connection):
        with contextlib.suppress(OSError), connection, connection.makefile("rb") as received:
            while (command := self._command(received)) is not None:
                reply = self._reply(command)
                if reply is not None:
                    connection.sendall(reply)
                if isinstance(reply, Cut):
                    return connection.shutdown(socket.SHUT_RDWR)

    def _reply(self, command):
        if command[0] == b"HELLO":
            return b"%1\r\n$5\r\nproto\r\n:3\r\n"
        if command[0] == b"CLIENT":
            return b"+OK\r\n"
        reply = self._replies.pop(0) if len(self._replies) > 1 else self._replies[0]
        self.asked.append(command)
        return reply() if callable(reply) else reply

    @staticmethod
    def _command(received):
        line = received.readline()
        if not line:
            return None
        return [received.read(int(received.readline()[1:]) + 2)[:-2] for _ in range(int(line[1:]))]


class SilentServer:
    """Accepts, and never answers: not even HELLO."""

    def __init__(self):
        self._listener = socket.create_server(("127.0.0.1", 0))    # the kernel accepts
        self.address = "127.0.0.1:%d" % self._listener.getsockname()[1]

    def close(self):
        self._listener.close()


def refusing_address():
    """One that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return "127.0.0.1:%d" % probe.getsockname()[1]
