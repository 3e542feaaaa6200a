#!/usr/bin/env python3
"""The site of a node on metrics.listen: health, the status API, look-ups, users, TLS, and clients that hold it up. A real node
with its embedded broker, and a real Redis that stands still and goes on. docs/status-page.md promises all this."""
import json
import pathlib
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))

from freshet_process import ROOT, FreshetProcess, binary, wait_until
from http_site import Site
from kafka_services import Redis
from test_security import certificate

WITHIN = 60
CONFIG = """
kafka: {{brokers: embedded}}
redis: {{address: "{redis}"}}
metrics:
  listen: "{listen}"
{metrics}
lookup:
  listen: "127.0.0.1:0"
{lookup}
sources:
  orders: {{topic: orders, time: {{field: ts, format: unix_ms}}, fields: {{store: string, item: string, amount: float}}}}
views:
  totals:
    source: orders
    entity: store
    features:
      n: {{count: "*", window: 1h, freshness: {{max_staleness: 4s}}}}
      mean: {{mean: amount, window: 1h}}
      last_item: {{last: item, window: 1h}}
    freshness: {{max_staleness: 2s}}
  pairs:
    source: orders
    entity: [store, item]
    features: {{n: {{count: "*", window: 1h}}}}
"""
USERS = """
  users:
    admin: {password: "all: of it", views: ["*"]}
    ranker: {password: some, views: [totals]}
"""
ADMIN, RANKER = ("admin", "all: of it"), ("ranker", "some")


class StatusPageTest(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="freshet-status-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.config = self.folder / "config.yaml"
        self.log = self.folder / "node.log"
        self.redis = Redis(self.folder)
        self.addCleanup(self.redis.stop)
        self.addCleanup(self.redis._process.send_signal, signal.SIGCONT)

    def write(self, metrics="", lookup="", listen="127.0.0.1:0"):
        self.config.write_text(CONFIG.format(redis=self.redis.address, metrics=metrics, lookup=lookup, listen=listen))

    def start(self, **sections):
        self.write(**sections)
        self.node = FreshetProcess(["run", "-c", str(self.config)], self.log)
        self.addCleanup(self.node.stop)
        return self.site()

    def site(self, **how):
        return Site(self.node.ready["metrics"].replace("0.0.0.0", "127.0.0.1"), **how)

    def send(self, *orders):
        """(store, item, amount), as of now, and waits until `totals` counts them all."""
        now = int(time.time() * 1000)
        lines = "".join(json.dumps({"ts": now, "store": s, "item": i, "amount": a}) + "\n" for s, i, a in orders)
        subprocess.run(["kcat", "-P", "-b", self.node.ready["kafka"], "-t", "orders"], input=lines, text=True, check=True)

    def wait_for_ready(self, site):
        wait_until(lambda: site.get("/readyz").status == 200, WITHIN, "the node is ready")

    def test_a_node_tells_of_itself(self):
        site = self.start()
        self.assertEqual((site.get("/healthz").status, site.get("/healthz").text), (200, "ok\n"))
        self.wait_for_ready(site)
        self.assertEqual(site.get("/readyz").text, "ready\n")
        self.send(("a", "tea", 2.0), ("a", "jam", 4.0), ("b", "tea", 1.0))
        wait_until(lambda: site.json("/api/lookup", view="totals", entity="a")[1]["values"]["n"] == 2, WITHIN, "it is counted")

        code, status = site.json("/api/status")
        self.assertEqual(code, 200)
        self.assertEqual((status["ready"], status["phase"], status["not_ready_because"]), (True, "running", []))
        self.assertEqual(status["roles"], ["ingest", "serve"])
        self.assertEqual(status["redis"], {"connected": True, "text": "connected to redis " + self.redis.address})
        self.assertTrue(status["lookups"]["gives_values"])
        totals, pairs = status["views"]
        self.assertEqual((totals["name"], totals["entity"], totals["state"]), ("totals", ["store"], "kept"))
        self.assertEqual((totals["max_staleness_ms"], totals["burnt"]["1d"]), (2000, 0.0))
        self.assertLess(totals["staleness_ms"], 2000)
        self.assertEqual(totals["features"][1], {"name": "mean", "function": "mean", "field": "amount", "window_ms": 3_600_000,
                                                 "objective": None})
        self.assertEqual(totals["features"][0]["objective"], {"state": "kept", "max_staleness_ms": 4000, "in_breach_since_ms": None,
                                                              "burnt": {"5m": 0.0, "1h": 0.0, "1d": 0.0}})
        self.assertEqual((pairs["name"], pairs["entity"], pairs["state"]), ("pairs", ["store", "item"], "no_objective"))
        self.assertIsNone(pairs["max_staleness_ms"])
        self.assertEqual([(p["topic"], p["partition"]) for p in status["partitions"]], [("orders", i) for i in range(4)])
        for p in status["partitions"]:
            self.assertEqual(p["state"], "running")
            self.assertEqual(p["owner"], status["node"])
            self.assertGreater(p["epoch"], 0)
        wait_until(lambda: all(p["lag"] == 0 for p in site.json("/api/status")[1]["partitions"]), WITHIN, "nothing is left")
        wait_until(lambda: sum(p["next"] for p in site.json("/api/status")[1]["partitions"]) == 3, WITHIN, "it is recorded")

        def activity():
            return site.json("/api/status")[1]["activity"]
        wait_until(lambda: sum(activity()["events_per_s"]) > 0, WITHIN, "the events are in the history")
        for column in activity().values():
            self.assertEqual(len(column), len(activity()["at_ms"]))
        wait_until(lambda: max((v or 0) for v in activity()["lookup_p99_ms"]) > 0, WITHIN, "the look-ups are in the history")

    def test_what_is_documented_is_what_is_there(self):
        site = self.start()
        self.wait_for_ready(site)
        self.send(("a", "tea", 2.0))
        wait_until(lambda: site.json("/api/lookup", view="totals", entity="a")[1]["values"]["n"] == 1, WITHIN, "it is counted")
        page = (ROOT / "docs/status-page.md").read_text()

        def paths(json_value, at=""):
            if isinstance(json_value, dict):
                for key, inner in json_value.items():
                    yield from paths(inner, f"{at}.{key}" if at else key)
            elif isinstance(json_value, list) and json_value and isinstance(json_value[0], dict):
                yield from paths(json_value[0], at)
            else:
                yield at
        for title, path, query in (
                ("/api/status", "/api/status", {}),
                ("/api/lookup", "/api/lookup", {"view": "totals", "entity": "a"}),
                ("/api/explain", "/api/explain", {"view": "totals", "entity": "a", "feature": "n"})):
            section = re.search(rf"\n### {title}\b.*?(?=\n##|\Z)", page, re.S)[0]
            documented = set(re.findall(r"^\| `([\w.]+)`", section, re.M))
            there = {re.sub(r"^(values|statuses)\..*", r"\1", p) for p in paths(site.json(path, **query)[1])}
            # What may be absent is known where it is there.
            absent = ("transitions", "origins.merged")
            self.assertEqual({p for p in documented if not p.startswith(absent)},
                             {p for p in there if not p.startswith(absent)}, title)

    def test_look_ups(self):
        site = self.start()
        self.wait_for_ready(site)
        self.send(("a b/ü", "tea", 2.0), ("a b/ü", "jam", 4.5))
        wait_until(lambda: site.json("/api/lookup", view="totals", entity="a b/ü")[1]["values"]["n"] == 2, WITHIN, "it is counted")
        code, row = site.json("/api/lookup", view="totals", entity="a b/ü")
        self.assertEqual(code, 200)
        self.assertEqual((row["view"], row["entity"]), ("totals", ["a b/ü"]))
        self.assertEqual((row["values"]["n"], row["values"]["mean"]), (2, 3.25))
        self.assertIsInstance(row["values"]["mean"], float)
        self.assertIn(row["values"]["last_item"], ("tea", "jam"))
        self.assertEqual(set(row["statuses"]), {"n", "mean", "last_item"})
        self.assertGreater(row["newest_event_ms"], 1_600_000_000_000)
        self.assertEqual(site.json("/api/lookup", view="pairs", entity=["a b/ü", "jam"])[1]["values"], {"n": 1})
        code, row = site.json("/api/lookup", view="totals", entity="nobody")
        self.assertEqual((code, row["values"]["n"], row["newest_event_ms"]), (200, None, None))

        code, why = site.json("/api/explain", view="totals", entity="a b/ü", feature="mean")
        self.assertEqual((code, why["feature"], why["value"], why["window_ms"]), (200, "mean", 3.25, 3_600_000))
        tiles = [tile for origin in why["origins"] for tile in origin["tiles"]]
        self.assertTrue(all(tile["from_ms"] == tile["number"] * why["hop_ms"] for tile in tiles))
        _, why = site.json("/api/explain", view="totals", entity="a b/ü", feature="n")
        self.assertEqual(sum(int(tile["value"]) for origin in why["origins"] for tile in origin["tiles"]), 2)
        for origin in why["origins"]:
            self.assertEqual(origin["owner"], site.json("/api/status")[1]["node"])

        for query, code, name in (({"view": "totls", "entity": "a"}, 404, "NOVIEW"),
                                  ({"view": "totals"}, 400, "BADARG"),
                                  ({"view": "pairs", "entity": "a"}, 400, "BADARG"),
                                  ({"view": "totals", "entity": "a", "at": "5"}, 400, "RANGE"),
                                  ({"view": "totals", "entity": ["a"] * 100}, 400, "BADARG")):
            status, error = site.json("/api/lookup", **query)
            self.assertEqual((status, error["error"]["code"]), (code, name), error)
        self.assertIn("did you mean 'totals'", site.json("/api/lookup", view="totls", entity="a")[1]["error"]["message"])
        self.assertEqual(site.json("/api/explain", view="totals", entity="a", feature="no")[1]["error"]["code"], "NOFEATURE")
        # An option of the protocol is an entity here.
        self.assertEqual(site.json("/api/lookup", view="totals", entity=["a", "WITH"])[0], 400)

    def test_readiness_follows_redis(self):
        site = self.start()
        self.wait_for_ready(site)
        self.redis._process.send_signal(signal.SIGSTOP)
        wait_until(lambda: site.get("/readyz").status == 503, WITHIN, "the node is not ready")
        for reason in ("view totals is in breach", "feature totals.n is in breach"):
            wait_until(lambda: reason in site.get("/readyz").text, WITHIN, reason)
        self.assertIn("redis", site.get("/readyz").text)
        self.assertEqual(site.get("/healthz").status, 200)
        self.assertEqual(site.get("/metrics").status, 200)
        code, error = site.json("/api/lookup", view="totals", entity="a")
        self.assertEqual((code, error["error"]["code"]), (503, "UNAVAILABLE"))
        status = site.json("/api/status")[1]
        self.assertEqual((status["ready"], status["redis"]["connected"]), (False, False))
        self.assertEqual(status["views"][0]["state"], "in_breach")
        self.assertEqual(status["not_ready_because"], site.get("/readyz").text.splitlines())
        self.redis._process.send_signal(signal.SIGCONT)
        self.wait_for_ready(site)
        transitions = site.json("/api/status")[1]["transitions"]
        for name in ("view totals is ", "feature totals.n is "):
            self.assertEqual([t["in_breach"] for t in transitions if t["text"].startswith(name)][:2], [False, True], name)

    def test_a_node_that_waits_for_redis_lives_and_is_not_ready(self):
        with socket.socket() as listening:
            listening.bind(("127.0.0.1", 0))
            port = listening.getsockname()[1]
        self.redis._process.send_signal(signal.SIGSTOP)
        self.write(listen=f"127.0.0.1:{port}")
        node = FreshetProcess(["run", "-c", str(self.config)], self.log, ready_within=None)
        self.addCleanup(node.stop)
        site = Site(f"127.0.0.1:{port}")

        def lives():
            try:
                return site.get("/healthz").status == 200
            except OSError:
                return False
        wait_until(lives, WITHIN, "it lives")
        self.assertEqual(site.get("/readyz").status, 503)
        self.assertIn("the node is starting", site.get("/readyz").text)
        self.assertEqual(site.json("/api/lookup", view="totals", entity="a")[0], 503)
        self.assertEqual(site.json("/api/status")[1]["phase"], "starting")
        self.redis._process.send_signal(signal.SIGCONT)
        self.wait_for_ready(site)

    def test_users(self):
        site = self.start(lookup=USERS)
        for path in ("/healthz", "/metrics", "/readyz"):
            self.assertIn(site.get(path).status, (200, 503), path)
        for path in ("/", "/status.js", "/api/status", "/api/lookup", "/api/explain", "/none"):
            for stranger in (site, self.site(user=("admin", "no")), self.site(user=("nobody", "some"))):
                answer = stranger.get(path, view="totals", entity="a")
                self.assertEqual(answer.status, 401, path)
                self.assertIn("Basic", answer.headers["www-authenticate"])
        for header in ("Basic", "Basic !!!!", "Basic YQ==", "Bearer YTpi", "Basic " + "A" * 4000):
            self.assertEqual(site.get("/api/status", headers={"Authorization": header}).status, 401)
        admin, ranker = self.site(user=ADMIN), self.site(user=RANKER)
        self.wait_for_ready(admin)
        self.assertEqual(admin.get("/").status, 200)
        self.assertEqual([v["name"] for v in admin.json("/api/status")[1]["views"]], ["totals", "pairs"])
        self.assertEqual([v["name"] for v in ranker.json("/api/status")[1]["views"]], ["totals"])
        self.assertEqual(admin.json("/api/lookup", view="pairs", entity=["a", "b"])[0], 200)
        self.assertEqual(ranker.json("/api/lookup", view="totals", entity="a")[0], 200)
        for path in ("/api/lookup", "/api/explain"):
            code, error = ranker.json(path, view="pairs", entity=["a", "b"], feature="n")
            self.assertEqual((code, error["error"]["code"]), (403, "NOPERM"))
            self.assertIn("user 'ranker' may not read view pairs", error["error"]["message"])

    def test_metrics_ask_for_a_user_where_told(self):
        site = self.start(lookup=USERS, metrics="  auth: true")
        self.assertEqual(site.get("/metrics").status, 401)
        self.assertEqual(site.get("/healthz").status, 200)
        self.assertEqual(self.site(user=RANKER).get("/metrics").status, 200)
        self.write(metrics="  auth: true")
        done = subprocess.run([binary(), "check", "-c", self.config], capture_output=True, text=True, timeout=WITHIN)
        self.assertEqual(done.returncode, 2)
        self.assertIn("config.yaml:6:9: metrics.auth: there are no users", done.stderr)

    def test_beyond_this_machine_values_are_for_users(self):
        site = self.start(listen="0.0.0.0:0")
        self.wait_for_ready(site)
        for path in ("/", "/api/status", "/metrics"):
            self.assertEqual(site.get(path).status, 200)
        self.assertFalse(site.json("/api/status")[1]["lookups"]["gives_values"])
        for path in ("/api/lookup", "/api/explain"):
            code, error = site.json(path, view="totals", entity="a", feature="n")
            self.assertEqual((code, error["error"]["code"]), (403, "NOPERM"))
            self.assertIn("add `users:` to lookup, or `insecure: true` to metrics", error["error"]["message"])
        self.node.stop()
        self.redis.stop()                                       # another embedded Kafka wants another Redis
        self.redis.start()
        site = self.start(listen="0.0.0.0:0", metrics="  insecure: true")
        self.wait_for_ready(site)
        self.assertEqual(site.json("/api/lookup", view="totals", entity="a")[0], 200)

    def test_a_page_elsewhere_is_given_no_values(self):
        site = self.start()
        self.wait_for_ready(site)
        for host, code in (("evil.example", 403), ("evil.example:9464", 403), ("127.0.0.1.evil.example", 403), ("", 403),
                           ("localhost:9464", 200), ("127.0.0.1", 200), ("[::1]:9464", 200)):
            answer = site.get("/api/lookup", headers={"Host": host}, view="totals", entity="a")
            self.assertEqual(answer.status, code, host)
            self.assertNotIn("access-control-allow-origin", answer.headers)

    def test_tls(self):
        certificate(self.folder, "node", "first")
        certificate(self.folder, "known", "known")
        self.start(metrics="  tls: {certificate: node.pem, key: node.key}", lookup=USERS)
        site = self.site(ca=self.folder / "node.pem", user=ADMIN)
        self.wait_for_ready(site)
        self.assertEqual(site.json("/api/lookup", view="totals", entity="a")[0], 200)
        self.assertIn("<title>Freshet", site.get("/").text)
        self.assertGreater(len(site.get("/metrics").body), 10_000)
        with socket.create_connection((site.host, site.port), WITHIN) as plain:
            plain.sendall(b"GET /healthz HTTP/1.1\r\n\r\n")
            answer = b"".join(iter(lambda: plain.recv(65536), b""))
            self.assertNotIn(b"HTTP/", answer)                  # at most an alert of TLS
        with self.assertRaises(ssl.SSLError):
            self.site(ca=self.folder / "known.pem").get("/healthz")
        certificate(self.folder, "node", "second")
        self.node.signal(signal.SIGHUP)
        wait_until(lambda: "certificates read again" in self.log.read_text(), WITHIN, "the node tells of it")
        self.assertEqual(self.site(ca=self.folder / "node.pem", user=ADMIN).get("/").status, 200)
        self.write(metrics="  tls: {certificate: none.pem, key: node.key}")
        done = subprocess.run([binary(), "run", "-c", self.config], capture_output=True, text=True, timeout=WITHIN)
        self.assertEqual(done.returncode, 1)
        self.assertIn("metrics.tls.certificate: '" + str(self.folder / "none.pem"), done.stderr)

    def test_what_is_served_and_how(self):
        site = self.start()
        page = site.get("/")
        self.assertEqual(page.headers["content-type"], "text/html; charset=utf-8")
        self.assertIn("default-src 'self'", page.headers["content-security-policy"])
        self.assertEqual((page.headers["x-content-type-options"], page.headers["cache-control"]), ("nosniff", "no-store"))
        self.assertEqual(site.get("/status.css").headers["content-type"], "text/css; charset=utf-8")
        self.assertEqual(site.get("/status.js").headers["content-type"], "text/javascript; charset=utf-8")
        for name in ("/", "/status.css", "/status.js"):
            outside = [url for url in re.findall(r"https?://[^\s'\"]+", site.get(name).text) if "www.w3.org" not in url]
            self.assertEqual(outside, [], "nothing is downloaded from outside")
        head = site.get("/healthz", method="HEAD")
        self.assertEqual((head.status, head.headers["content-length"], head.body), (200, "3", b""))
        self.assertEqual(site.get("/", method="POST").status, 405)
        for path in ("/none", "/../etc/passwd", "/index", "//"):
            self.assertEqual(site.get(path).status, 404, path)
        self.assertEqual(site.get("/api/lookup?view=%zz").status, 400)
        before = float(re.search(r"^freshet_scrapes_total (\d+)", site.get("/metrics").text, re.M)[1])
        self.assertEqual(float(re.search(r"^freshet_scrapes_total (\d+)", site.get("/metrics").text, re.M)[1]), before + 1)

    def test_clients_that_hold_up_or_break_the_rules(self):
        site = self.start()

        def raw(*parts):
            with socket.create_connection((site.host, site.port), WITHIN) as connection:
                for part in parts:
                    connection.sendall(part)
                return b"".join(iter(lambda: connection.recv(65536), b""))
        self.assertIn(b" 400 ", raw(b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n"))
        self.assertIn(b" 400 ", raw(b"*1\r\n$4\r\nPING\r\n"))
        self.assertIn(b" 431 ", raw(b"GET / HTTP/1.1\r\nX: " + b"y" * 20_000 + b"\r\n\r\n"))
        self.assertIn(b" 405 ", raw(b"POST / HTTP/1.1\r\nContent-Length: 1000000\r\n\r\n", b"z" * 100_000))
        self.assertIn(b" 200 ", raw(b"GET /heal", b"thz HTTP/1.1\r\n", b"Host: a\r\n\r\n"))
        # More connections that say nothing than may be open: the others are served all the same.
        idle = [socket.create_connection((site.host, site.port), WITHIN) for _ in range(200)]
        for connection in idle:
            self.addCleanup(connection.close)
            connection.sendall(b"GET /heal")
        for _ in range(20):
            self.assertEqual(site.get("/healthz").status, 200)
        ended = 0
        for connection in idle[:130]:
            try:
                ended += connection.recv(1) == b""
            except ConnectionResetError:
                ended += 1
        self.assertEqual(ended, 130)                            # the oldest gave way
        # One that asks and does not read neither holds up the others nor stays.
        for _ in range(100):
            connection = socket.create_connection((site.host, site.port), WITHIN)
            self.addCleanup(connection.close)
            connection.sendall(b"GET /metrics HTTP/1.1\r\n\r\n")
        self.assertEqual(site.get("/healthz").status, 200)

    def test_many_at_once_and_the_end_of_the_node(self):
        site = self.start()
        self.wait_for_ready(site)
        stop, codes = threading.Event(), []

        def visit(path):
            while not stop.is_set():
                try:
                    codes.append(site.get(path, view="totals", entity="a").status)
                except OSError:
                    return                                      # the node has ended
        visitors = [threading.Thread(target=visit, args=(path,)) for path in ("/api/lookup", "/api/status", "/metrics", "/") * 2]
        for visitor in visitors:
            visitor.start()
        wait_until(lambda: len(codes) > 500, WITHIN, "many are served")
        self.assertEqual(set(codes), {200})
        self.assertEqual(self.node.stop(), 0)
        stop.set()
        for visitor in visitors:
            visitor.join(WITHIN)
        self.assertLessEqual(set(codes), {200, 503})


if __name__ == "__main__":
    unittest.main(verbosity=2)
