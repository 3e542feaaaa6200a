#!/usr/bin/env python3
"""Users and TLS of the look-up server, as redis-cli, redis-py and Python's own TLS meet them; a real node with its embedded
broker and Redis."""
import os
import pathlib
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))

import redis

from freshet_process import FreshetProcess, binary, wait_until

WITHIN = 30
CONFIG = """
kafka: {{brokers: embedded}}
redis: {{address: embedded}}
metrics: {{listen: "127.0.0.1:0"}}
lookup:
  listen: "127.0.0.1:0"
{lookup}
sources:
  orders: {{topic: orders, time: kafka, fields: {{store: string, amount: int}}}}
views:
  totals: {{source: orders, entity: store, features: {{n: {{count: "*", window: 1h}}}}}}
  secret: {{source: orders, entity: store, features: {{sum: {{sum: amount, window: 1h}}}}}}
"""
USERS = """
  users:
    default: {password: "all of it", views: ["*"]}
    ranker: {password_file: ranker.secret, views: [totals]}
"""
TLS = """
  tls: {certificate: node.pem, key: node.key}
"""


def certificate(folder, name, subject):
    """A self-signed one for 127.0.0.1."""
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                    "-subj", f"/CN={subject}", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", folder / f"{name}.key",
                    "-out", folder / f"{name}.pem"], check=True, capture_output=True)


class SecurityTest(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="freshet-security-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        (self.folder / "ranker.secret").write_text("some\n")
        self.config = self.folder / "config.yaml"
        self.log = self.folder / "node.log"

    def start(self, lookup):
        self.config.write_text(CONFIG.format(lookup=lookup))
        self.node = FreshetProcess(["run", "-c", str(self.config)], self.log)
        self.addCleanup(self.node.stop)
        self.port = int(self.node.ready["lookup"].rpartition(":")[2])

    def cli(self, *arguments):
        done = subprocess.run(["redis-cli", "-p", str(self.port), *arguments], capture_output=True, text=True, timeout=WITHIN)
        return (done.stdout + done.stderr).strip()

    def connect(self, *, ca="node.pem", cert=None, **more):
        client = redis.Redis("127.0.0.1", self.port, ssl=True, ssl_ca_certs=str(self.folder / ca), socket_timeout=WITHIN,
                             ssl_certfile=cert and str(self.folder / f"{cert}.pem"),
                             ssl_keyfile=cert and str(self.folder / f"{cert}.key"), **more)
        self.addCleanup(client.close)
        return client

    def tls_socket(self):
        context = ssl.create_default_context(cafile=self.folder / "node.pem")
        wrapped = context.wrap_socket(socket.create_connection(("127.0.0.1", self.port), WITHIN), server_hostname="127.0.0.1")
        self.addCleanup(wrapped.close)
        return wrapped

    def test_users_as_clients_meet_them(self):
        self.start(USERS)
        self.assertIn("NOAUTH", self.cli("FS.VIEWS"))
        self.assertIn("WRONGPASS", self.cli("--user", "ranker", "--pass", "no", "--no-auth-warning", "FS.VIEWS"))
        self.assertEqual(self.cli("--user", "ranker", "--pass", "some", "--no-auth-warning", "FS.VIEWS"), "totals")
        self.assertEqual(self.cli("-a", "all of it", "--no-auth-warning", "FS.VIEWS"), "totals\nsecret")
        ranker = redis.Redis("127.0.0.1", self.port, username="ranker", password="some")
        self.addCleanup(ranker.close)
        self.assertEqual(ranker.execute_command("FS.GET", "totals", "a"), [b"n", None])
        with self.assertRaises(redis.exceptions.NoPermissionError):
            ranker.execute_command("FS.GET", "secret", "a")
        stranger = redis.Redis("127.0.0.1", self.port, username="ranker", password="no")
        self.addCleanup(stranger.close)
        with self.assertRaisesRegex(redis.exceptions.RedisError, "no such user, or it has another password"):
            stranger.ping()

    def test_beyond_this_machine_without_users_is_refused(self):
        self.config.write_text(CONFIG.format(lookup="").replace("127.0.0.1:0\"\n\n", "0.0.0.0:0\"\n\n"))
        for command in ("check", "run"):
            done = subprocess.run([binary(), command, "-c", self.config], capture_output=True, text=True, timeout=WITHIN)
            self.assertEqual(done.returncode, 2)
            self.assertIn("config.yaml:6:11: lookup.listen: others than this machine could read everything", done.stderr)

    def test_clients_speak_tls(self):
        certificate(self.folder, "node", "node")
        self.start(TLS + USERS)
        ca = str(self.folder / "node.pem")
        self.assertEqual(self.cli("--tls", "--cacert", ca, "-a", "all of it", "--no-auth-warning", "PING"), "PONG")
        client = self.connect(username="ranker", password="some")
        self.assertEqual(client.execute_command("FS.VIEWS"), [b"totals"])
        pipeline = client.pipeline(transaction=False)
        for i in range(20_000):
            pipeline.execute_command("ECHO", i)
        self.assertEqual(pipeline.execute(), [str(i).encode() for i in range(20_000)])
        for size in (1, 16_383, 16_384, 16_385, 900_000):
            self.assertEqual(client.execute_command("ECHO", b"x" * size), b"x" * size)
        with self.tls_socket() as raw:
            raw.sendall(b"QUIT\r\n")
            self.assertTrue(raw.recv(1000).startswith(b"+OK"))
            self.assertEqual(raw.recv(1000), b"")               # ended as TLS ends, or this would raise

    def test_who_reads_late_gets_all(self):
        certificate(self.folder, "node", "node")
        self.start(TLS)
        with self.tls_socket() as raw:
            big = b"y" * 500_000
            raw.sendall((b"*2\r\n$4\r\nECHO\r\n$%d\r\n%s\r\n" % (len(big), big)) * 4)
            self.assertEqual(self.connect().ping(), True)       # others are served meanwhile
            expected = (b"$%d\r\n%s\r\n" % (len(big), big)) * 4
            got = bytearray()
            while len(got) < len(expected):
                got += raw.recv(100_000)
            self.assertEqual(bytes(got), expected)

    def test_what_is_no_tls_is_closed_and_others_do_not_notice(self):
        certificate(self.folder, "node", "node")
        self.start(TLS)
        client = self.connect()
        self.assertTrue(client.ping())
        for greeting in (b"PING\r\n", b"\x16\x03\x01" + b"\xff" * 200, b"GET / HTTP/1.1\r\n\r\n"):
            with socket.create_connection(("127.0.0.1", self.port), WITHIN) as plain:
                plain.sendall(greeting)
                answer = b"".join(iter(lambda: plain.recv(1000), b""))
                self.assertNotIn(b"PONG", answer)
        with socket.create_connection(("127.0.0.1", self.port), WITHIN) as silent:
            silent.sendall(b"\x16\x03")                         # half a record, then nothing
            self.assertTrue(client.ping())

    def test_clients_with_a_certificate_only(self):
        certificate(self.folder, "node", "node")
        certificate(self.folder, "known", "known")
        certificate(self.folder, "stranger", "stranger")
        self.start(TLS.replace("key: node.key", "key: node.key, client_ca: known.pem"))
        self.assertTrue(self.connect(cert="known").ping())
        for cert in (None, "stranger"):
            with self.assertRaises((redis.exceptions.ConnectionError, ssl.SSLError)):
                self.connect(cert=cert).ping()

    def test_the_command_line_speaks_tls(self):
        for name in ("node", "known", "stranger"):
            certificate(self.folder, name, name)
        self.start(TLS.replace("key: node.key", "key: node.key, client_ca: known.pem"))
        known = ["--certificate", "known.pem", "--key", "known.key"]

        def ask(*options):
            return subprocess.run([binary(), "get", "totals", "a", "-a", f"127.0.0.1:{self.port}", *options], timeout=WITHIN,
                                  cwd=self.folder, capture_output=True, text=True)
        self.assertIn("FEATURE", ask("--ca", "node.pem", *known).stdout)
        for options, told in (([], "does it want TLS (--tls)"),
                              (["--tls", *known], "nobody in tls.ca vouches for its certificate"),
                              (["--ca", "stranger.pem", *known], "nobody in tls.ca vouches for its certificate"),
                              (["--ca", "node.pem", "--server-name", "node.internal", *known], "does not bear the name"),
                              (["--ca", "node.pem"], "certificate"), (["--ca", "none.pem"], "--ca: 'none.pem' cannot be used")):
            done = ask(*options)
            self.assertEqual(done.returncode, 1, options)
            self.assertIn(told, done.stderr)
        config = self.folder / "asked.yaml"
        config.write_text(self.config.read_text().replace('listen: "127.0.0.1:0"\n\n', f'listen: "127.0.0.1:{self.port}"\n\n'))
        done = subprocess.run([binary(), "status", "-c", config, "--ca", "node.pem", *known], timeout=WITHIN, cwd=self.folder,
                              capture_output=True, text=True)
        self.assertIn("redis", done.stdout, done.stderr)

    def test_a_new_certificate_is_served_after_sighup(self):
        certificate(self.folder, "node", "first")
        self.start(TLS)
        before = self.tls_socket()
        self.assertIn("first", str(before.getpeercert()))
        (self.folder / "node.pem").write_text("broken")
        self.node.signal(signal.SIGHUP)
        wait_until(lambda: "the former certificate stays in use" in self.log.read_text(), WITHIN, "the node tells of it")
        self.assertIn("node.pem' cannot be used", self.log.read_text())
        certificate(self.folder, "node", "second")
        self.node.signal(signal.SIGHUP)
        wait_until(lambda: "certificates read again" in self.log.read_text(), WITHIN, "the node tells of it")
        self.assertIn("second", str(self.tls_socket().getpeercert()))
        before.sendall(b"PING\r\n")
        self.assertEqual(before.recv(100), b"+PONG\r\n")

    def test_a_certificate_that_cannot_be_used_ends_the_start(self):
        certificate(self.folder, "node", "node")
        certificate(self.folder, "other", "other")
        for tls, told in (("{certificate: none.pem, key: node.key}", "lookup.tls.certificate: '" + str(self.folder / "none.pem")),
                          ("{certificate: node.pem, key: other.key}", "lookup.tls.key: '" + str(self.folder / "other.key"))):
            self.config.write_text(CONFIG.format(lookup=f"  tls: {tls}"))
            done = subprocess.run([binary(), "run", "-c", self.config], capture_output=True, text=True, timeout=WITHIN,
                                  env={**os.environ})
            self.assertEqual(done.returncode, 1, done.stderr)
            self.assertIn(told, done.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
