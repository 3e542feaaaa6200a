#!/usr/bin/env python3
"""Clients of other people, unmodified: redis-cli, redis-benchmark, redis-py, ioredis and node-redis, Jedis. Each asks the
same commands, one by one, in a pipeline and over many connections, as a user with a password, and must get what a plain
socket gets."""
import asyncio
import base64
import json
import math
import os
import pathlib
import shutil
import subprocess
import unittest

from support import SKIPPED, SOURCE_DIR, FreshetTest, main

import redis
import redis.asyncio

from freshet_process import FreshetProcess, wait_until
from resp import RespClient, RespError

CONFIG = """
kafka: {{brokers: {kafka}}}
redis: {{address: embedded}}
metrics: {{listen: "127.0.0.1:0"}}
lookup:
  listen: "127.0.0.1:0"
  users:
    default: {{password: "of all", views: ["*"]}}
    model: {{password: "of one's own", views: [totals]}}
sources:
  orders: {{topic: orders, time: {{field: ts, format: unix_ms}}, fields: {{store: string, amount: float, city: string}}}}
views:
  totals:
    source: orders
    entity: store
    clock: event
    features:
      n: {{count: "*", window: 1h}}
      mean: {{mean: amount, window: 1h}}
      city: {{last: city, window: 1h}}
  secret: {{source: orders, entity: store, features: {{n: {{count: "*", window: 1h}}}}}}
services: {{model_v1: [totals.city, totals.n]}}
"""
NAMES = ["plain", "two words", "two\r\nlines", "ü ∞", "*3\r\n$3\r\nGET"]
NO_TEXT = b"\xff\x00\r\n$"
PIPELINE = 1000
CONNECTIONS = 50
WITHIN = 120
CLIENTS = SOURCE_DIR / "tests" / "clients"
FETCHED = SOURCE_DIR / "build" / "clients"
NO_NETWORK = ("ENOTFOUND", "ECONNREFUSED", "ETIMEDOUT", "EAI_AGAIN", "Could not transfer", "Unknown host")


def cases():
    """Commands as lists of bytes; none has an answer that changes."""
    names = [name.encode() for name in NAMES] + [NO_TEXT, b"", b"nobody"]
    asked = [["PING"], ["FS.VIEWS"], ["FS.SERVICES", "model_v1"]]
    asked += [["FS.GET", "totals", name, "FEATURES", "3", "n", "mean", "city"] for name in names]
    asked += [["FS.MGET", "totals", str(len(names)), *names, "FEATURES", "2", "city", "mean"],
              ["FS.VECTOR", "model_v1", "KEYS", "1", "store", "ROWS", "2", names[0], names[2]],
              ["FS.GET", "totals", "plain"], ["FS.GET", "total", "plain"], ["FS.GET", "totals"],
              ["FS.GET", "secret", "plain"], ["FS.NOTHING"]]
    return [[word.encode() if isinstance(word, str) else word for word in words] for words in asked]


def plain(reply):
    """As the other clients print theirs."""
    if isinstance(reply, (RespError, redis.ResponseError)):
        return {"error": str(reply).split(" ")[0]}
    if isinstance(reply, str):
        reply = reply.encode()
    if isinstance(reply, bytes):
        return {"b": base64.b64encode(reply).decode()}
    return [plain(one) for one in reply] if isinstance(reply, list) else reply


def numbers_alike(ours, theirs):
    """A double of RESP3 is a number where RESP2 has its text; node-redis reads its last digit by arithmetic."""
    if isinstance(ours, list) and isinstance(theirs, list):
        return len(ours) == len(theirs) and all(map(numbers_alike, ours, theirs))
    if isinstance(ours, dict) and isinstance(theirs, (int, float)):
        return math.isclose(float(base64.b64decode(ours["b"])), theirs, rel_tol=1e-15)
    return ours == theirs


def error_of_redis_py(error):
    # It takes first words that it knows away and makes classes of them.
    code = "NOPERM" if isinstance(error, redis.exceptions.NoPermissionError) else str(error).split(" ")[0]
    return {"error": code if code.isupper() else "ERR"}


class ClientsTest(FreshetTest):
    @classmethod
    def setUpClass(cls):
        FETCHED.mkdir(parents=True, exist_ok=True)

    def setUp(self):
        super().setUp()
        config = self.write("node.yaml", CONFIG.format(kafka="embedded"))
        self.node = FreshetProcess(["run", "-c", str(config)], self.folder / "node.log")
        self.addCleanup(self.node.stop)
        self.port = int(self.node.ready["lookup"].rpartition(":")[2])
        self.store_events()
        with self.client() as client:
            self.expected = [plain(reply) for reply in client.pipeline(cases())]
        self.assertEqual(self.expected[0], {"b": base64.b64encode(b"PONG").decode()})
        self.assertEqual([one["error"] for one in self.expected[-4:]], ["NOVIEW", "BADARG", "NOPERM", "ERR"])

    def client(self):
        client = RespClient("127.0.0.1", self.port)
        client.call("AUTH", "model", "of one's own")
        return client

    def store_events(self):
        replay = self.write("replay.yaml", CONFIG.format(kafka=f'"{self.node.ready["kafka"]}"'))
        lines = [json.dumps({"store": name, "amount": 0.1 * i + 1 / 3, "city": city, "ts": 1_700_000_000_000 + i})
                 for i, name in enumerate(NAMES) for city in ("Oslo", "Málaga")]
        events = self.write("events.jsonl", "\n".join(lines) + "\n")
        self.freshet("replay", "-c", replay, "--source", "orders", events)
        with self.client() as client:
            def counted():
                rows = client.call("FS.MGET", "totals", len(NAMES), *NAMES, "FEATURES", 1, "n")
                return rows == [[2]] * len(NAMES)
            wait_until(counted, WITHIN, "the events are counted")

    def expected_of(self, number):
        return [self.expected[i % len(self.expected)] for i in range(number)]

    # ---- programs of other languages ----

    def run_foreign(self, argv):
        """{(client, how): replies}"""
        task = {"port": self.port, "user": "model", "password": "of one's own", "pipeline": PIPELINE,
                "connections": CONNECTIONS,
                "commands": [[base64.b64encode(word).decode() for word in words] for words in cases()]}
        path = self.write("cases.json", json.dumps(task))
        done = subprocess.run([*argv, str(path)], capture_output=True, text=True, timeout=WITHIN)
        self.assertEqual(done.returncode, 0, done.stderr)
        told = {}
        for line in done.stdout.splitlines():
            one = json.loads(line)
            told[one["client"], one["how"]] = one["replies"]
        return told

    def check(self, told, client, how, number=None):
        expected = self.expected_of(number or len(self.expected))
        replies = told[client, how]
        self.assertEqual(len(replies), len(expected))
        for words, ours, theirs in zip(cases() * len(expected), expected, replies):
            self.assertTrue(numbers_alike(ours, theirs), f"{client}, {how}: {words}: {theirs}, not {ours}")

    def fetch(self, argv, folder, manifest):
        """What a manifest names, once."""
        stamp = folder / "fetched-for"
        if stamp.exists() and stamp.read_bytes() == manifest.read_bytes():
            return
        if shutil.which(argv[0]) is None:
            self.not_here(f"there is no {argv[0]}: run 'scripts/setup --with kafka'")
        done = subprocess.run(argv, capture_output=True, text=True, timeout=600, cwd=folder)
        if done.returncode != 0:
            said = done.stdout + done.stderr
            if any(word in said for word in NO_NETWORK):
                self.not_here(f"{argv[0]} cannot reach its registry")
            self.fail(said[-2000:])
        stamp.write_bytes(manifest.read_bytes())

    def not_here(self, reason):
        if os.environ.get("FRESHET_REQUIRE_KAFKA"):
            self.fail(reason)
        self.skipTest(reason)

    def test_node(self):
        folder = FETCHED / "node"
        folder.mkdir(exist_ok=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(CLIENTS / "node" / name, folder)
        self.fetch(["npm", "ci", "--no-audit", "--no-fund"], folder, CLIENTS / "node" / "package-lock.json")
        shutil.copy(CLIENTS / "node" / "conformance.js", folder)
        told = self.run_foreign(["node", str(folder / "conformance.js")])
        self.check(told, "ioredis", "one by one")
        self.check(told, "ioredis", "pipeline", PIPELINE)
        self.check(told, "ioredis", "pool", CONNECTIONS)
        self.check(told, "node-redis", "RESP2")
        self.check(told, "node-redis", "RESP3")

    def test_java(self):
        folder = FETCHED / "java"
        folder.mkdir(exist_ok=True)
        pom = CLIENTS / "java" / "pom.xml"
        self.fetch(["mvn", "-B", "-q", "-f", str(pom), "dependency:copy-dependencies", f"-DoutputDirectory={folder}"], folder,
                   pom)
        told = self.run_foreign(["java", "-cp", f"{folder}/*", str(CLIENTS / "java" / "Conformance.java")])
        self.check(told, "jedis", "RESP2")
        self.check(told, "jedis", "RESP3")
        self.check(told, "jedis", "pipeline", PIPELINE)
        self.check(told, "jedis", "pool", CONNECTIONS)

    # ---- redis-py ----

    def of_redis_py(self, **more):
        return {"host": "127.0.0.1", "port": self.port, "username": "model", "password": "of one's own",
                "socket_timeout": WITHIN, **more}

    def test_redis_py(self):
        with redis.Redis(**self.of_redis_py()) as client:
            def ask(words):
                try:
                    return plain(self.as_bytes(client.execute_command(*words)))
                except redis.ResponseError as error:
                    return error_of_redis_py(error)
            self.assertEqual([ask(words) for words in cases()], self.expected)
            pipeline = client.pipeline(transaction=False)
            good = [(words, reply) for words, reply in zip(cases(), self.expected) if "error" not in reply]
            for i in range(PIPELINE):
                pipeline.execute_command(*good[i % len(good)][0])
            replies = [plain(self.as_bytes(reply)) for reply in pipeline.execute()]
            self.assertEqual(replies, [good[i % len(good)][1] for i in range(PIPELINE)])

    @staticmethod
    def as_bytes(reply):
        return b"PONG" if reply is True else reply     # to PING

    def test_redis_py_over_many_connections(self):
        async def ask_all():
            clients = [redis.asyncio.Redis(**self.of_redis_py()) for _ in range(CONNECTIONS)]
            words = cases()[3]
            replies = await asyncio.gather(*(client.execute_command(*words) for client in clients))
            await asyncio.gather(*(client.close() for client in clients))
            return replies
        for reply in asyncio.run(ask_all()):
            self.assertEqual(plain(reply), self.expected[3])

    # ---- Redis's own ----

    def run_redis(self, program, *arguments):
        return subprocess.run([program, "-p", str(self.port), "--user", "model", "-a", "of one's own", *arguments],
                              capture_output=True, timeout=WITHIN)

    def test_redis_cli(self):
        for protocol in ("-2", "-3"):
            done = self.run_redis("redis-cli", "--no-auth-warning", protocol, "FS.GET", "totals", "two\r\nlines", "FEATURES", "2",
                                  "n", "city")
            self.assertEqual(done.stdout, "2\nMálaga\n".encode(), done.stderr)
        done = self.run_redis("redis-cli", "--no-auth-warning", "FS.GET", "total", "x")
        self.assertTrue(done.stdout.startswith(b"NOVIEW "), done)

    def test_redis_benchmark(self):
        done = self.run_redis("redis-benchmark", "-n", "2000", "-c", "50", "-P", "16", "-q", "FS.GET", "totals", "plain")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(b"requests per second", done.stdout)
        self.assertNotIn(b"Error", done.stdout + done.stderr)


if __name__ == "__main__":
    main()
