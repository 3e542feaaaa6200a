#!/usr/bin/env python3
"""TLS to Redis: whole runs over a single server and a cluster that speak it, compared with the oracle, new certificates
while a node runs, and what is told when a certificate or a port is wrong."""
import pathlib
import signal
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "chaos"))

from services import Node, Redis, wait_until

from certificates import Authority
from config import configuration
from freshet_process import FreshetProcess
from kafka_services import _free_port
from redis_cluster import RedisCluster
from test_faults import FaultTest, setUpModule  # noqa: F401: unittest calls it

WITHIN = 60
USER, PASSWORD = "writer", "a long secret"


class TlsRedis(Redis):
    """Speaks TLS at `tls_port`, and plainly to the test."""

    def __init__(self, directory, authority, name, clients="yes"):
        self.tls_port = _free_port()
        super().__init__(directory, "--tls-port", str(self.tls_port), *authority.redis_options(name, clients))


class WholeRuns(FaultTest):
    """A producer, two nodes, a fault; in the end every value equals the oracle's."""

    def setUp(self):
        super().setUp()
        self.redis.stop()
        self.authority = Authority(self.directory).sign("server").sign("node")

    def node(self, instance, letters, start, ready_within=60):
        def text(lookup):
            plain = configuration(self.broker.brokers, "REDIS", lookup, self.topic, self.topic, letters, instance, start)
            return plain.replace('address: "REDIS"', self.redis_options)
        node = Node(f"node{len(self.nodes)}", self.directory, text)
        self.addCleanup(node.end)
        self.nodes.append(node)
        return node.start(ready_within)

    def test_a_single_server_that_asks_for_certificates_and_a_password(self):
        self.redis = TlsRedis(self.directory, self.authority, "server")
        self.addCleanup(self.redis.stop)
        self.redis.command("ACL", "SETUSER", USER, "on", f">{PASSWORD}", "+@all", "~*")
        self.redis_options = (f'address: "127.0.0.1:{self.redis.tls_port}", user: {USER}, password: {PASSWORD}, '
                              "tls: {ca: ca.pem, certificate: node.pem, key: node.key}")
        self.prepare(nodes=2)
        users = [line for line in self.redis.command("CLIENT", "LIST").decode().splitlines() if f"user={USER}" in line]
        self.assertGreaterEqual(len(users), 2, "both nodes are there by that name")
        for _ in range(10):
            self.redis.cut_clients()
            self.wait_for_events(50)

        # Connections that begin after SIGHUP show the new certificate; files that cannot be used change nothing.
        node = self.nodes[0]
        (self.directory / "node.pem").write_text("broken")
        node._process.signal(signal.SIGHUP)
        self.wait(lambda: "node.pem' cannot be used" in node.log, "the node tells of it")
        self.redis.cut_clients()
        self.wait_for_fresh()
        Authority(self.directory, "other").sign("server").sign("node")
        self.redis.command("CONFIG", "SET", "tls-cert-file", str(self.directory / "server.pem"), "tls-key-file",
                           str(self.directory / "server.key"), "tls-ca-cert-file", str(self.directory / "other.pem"))
        shutil.copy(self.directory / "other.pem", self.directory / "ca.pem")
        for node in self.nodes:
            node._process.signal(signal.SIGHUP)
            self.wait(lambda n=node: "certificates read again" in n.log, "the node tells of it")
        self.redis.cut_clients()
        self.judge(self.recover())

    def test_a_cluster(self):
        cluster = RedisCluster(self.directory, primaries=3, tls=self.authority.redis_options("server"))
        self.addCleanup(cluster.stop)
        self.redis_options = (f'address: "127.0.0.1:{cluster.nodes[0].tls_port}", mode: cluster, '
                              "tls: {ca: ca.pem, certificate: node.pem, key: node.key}")
        self.prepare(nodes=2)
        for redis in cluster.nodes:
            self.assertGreater(redis.call("DBSIZE"), 10, "entities stand at every primary")
            redis.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        self.judge(self.recover())


class Refusals(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="freshet-tls-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.authority = Authority(self.folder)

    def serve(self, name, clients="no"):
        redis = TlsRedis(self.folder, self.authority, name, clients)
        self.addCleanup(redis.stop)
        return redis

    def start(self, port, tls, ready_within=None):
        config = self.folder / f"{time.monotonic_ns()}.yaml"
        config.write_text(f"""
kafka: {{brokers: embedded}}
redis: {{address: "127.0.0.1:{port}"{tls and f", tls: {tls}"}}}
lookup: {{listen: "127.0.0.1:0"}}
metrics: {{listen: "127.0.0.1:0"}}
sources: {{orders: {{topic: orders, time: kafka, fields: {{store: string}}}}}}
views: {{totals: {{source: orders, entity: store, features: {{n: {{count: "*", window: 1h}}}}}}}}
""")
        self.log = config.with_suffix(".log")
        node = FreshetProcess(["run", "-c", str(config)], self.log, ready_within)
        self.addCleanup(node.stop)
        return node

    def expect(self, port, tls, told):
        """A node with these options says this, and waits for it to be mended."""
        node = self.start(port, tls)
        wait_until(lambda: told in self.log.read_text() and "trying again" in self.log.read_text(), WITHIN, told)
        self.assertTrue(node.running)
        node.stop()

    def test_certificates_that_do_not_hold(self):
        Authority(self.folder, "stranger")
        self.authority.sign("good").sign("expired", days=-1).sign("named", "DNS:redis.internal").sign("client")
        good, expired, named = self.serve("good"), self.serve("expired"), self.serve("named")
        self.expect(expired.tls_port, "{ca: ca.pem}", "its certificate has expired")
        self.expect(good.tls_port, "{ca: stranger.pem}", "nobody in tls.ca vouches for its certificate")
        self.expect(good.tls_port, "true", "nobody in tls.ca vouches for its certificate")
        self.expect(named.tls_port, "{ca: ca.pem}", "does not bear the name 127.0.0.1")
        self.expect(good.tls_port, "{ca: ca.pem, server_name: redis.internal}", "does not bear the name redis.internal")
        for port, tls in ((named.tls_port, "{ca: ca.pem, server_name: redis.internal}"), (good.tls_port, "{ca: ca.pem}"),
                          (expired.tls_port, "{verify: false}")):
            self.assertEqual(self.start(port, tls, ready_within=WITHIN).stop(), 0)
        self.assertIn("redis.tls.verify is false", self.log.read_text())

    def test_one_side_speaks_tls_and_the_other_does_not(self):
        self.authority.sign("good")
        redis = self.serve("good", clients="yes")
        self.expect(redis.tls_port, "", "does it want TLS (redis.tls)?")
        self.expect(redis.port, "{ca: ca.pem}", "speak TLS")
        self.expect(redis.tls_port, "{ca: ca.pem}", "certificate")

    def test_files_that_cannot_be_used_end_the_start(self):
        redis = self.serve("good") if self.authority.sign("good") else None
        for tls, told in (("{ca: none.pem}", f"redis.tls.ca: '{self.folder}/none.pem' cannot be used"),
                          ("{certificate: good.pem, key: ca.key}", f"redis.tls.key: '{self.folder}/ca.key' cannot be used")):
            node = self.start(redis.tls_port, tls)
            wait_until(lambda n=node: not n.running, WITHIN, "the node ends")
            self.assertIn(told, self.log.read_text())


if __name__ == "__main__":
    unittest.main(verbosity=2)
