"""A Prometheus of the test's own on 127.0.0.1, and a reader of a node's page.

    prometheus = Prometheus(folder)                     # which holds prometheus.yml
    prometheus.query("up")                              # [({"__name__": "up", ...}, 1.0)]
"""
import dataclasses
import json
import re
import socket
import subprocess
import urllib.error
import urllib.parse
import urllib.request

from freshet_process import wait_until

SAMPLE = re.compile(r"^(\w+)(?:\{(.*)\})? (\S+)$")
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
PARTS = {"histogram": ("_bucket", "_sum", "_count"), "summary": ("", "_sum", "_count")}


class Prometheus:
    def __init__(self, folder, within=60):
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self._address = f"127.0.0.1:{s.getsockname()[1]}"
        with open(folder / "log", "ab") as log:
            self._process = subprocess.Popen(
                ["prometheus", f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={folder / 'data'}",
                 f"--web.listen-address={self._address}"], stdout=log, stderr=log)
        try:
            wait_until(self._is_ready, within, f"Prometheus is ready; see {folder / 'log'}")
        except BaseException:
            self.stop()
            raise

    def _is_ready(self):
        if self._process.poll() is not None:
            raise RuntimeError(f"prometheus ended with status {self._process.returncode}")
        try:
            with urllib.request.urlopen(f"http://{self._address}/-/ready", timeout=5) as reply:
                return reply.status == 200
        except OSError:
            return False

    def _ask(self, path, **parameters):
        url = f"http://{self._address}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        try:
            with urllib.request.urlopen(url, timeout=30) as reply:
                return json.load(reply)["data"]
        except urllib.error.HTTPError as error:
            raise ValueError(f"{parameters}: {error.read().decode()}") from error

    def query(self, expression):
        """[(labels, value)] as of now."""
        found = self._ask("query", query=expression)["result"]
        return [(sample["metric"], float(sample["value"][1])) for sample in found]

    def rules(self):
        return [rule for group in self._ask("rules")["groups"] for rule in group["rules"]]

    def stop(self):
        self._process.terminate()
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


@dataclasses.dataclass
class Family:
    kind: str
    samples: list = dataclasses.field(default_factory=list)     # (name, labels, value)

    @property
    def labels(self):
        """Names of the labels of its samples, without a histogram's own."""
        names = set().union(*(labels for _, labels, _ in self.samples))
        return names - {"le"} if self.kind == "histogram" else names


def page_of(node):
    with urllib.request.urlopen(f"http://{node.ready['metrics']}/metrics", timeout=30) as page:
        return page.read().decode()


def families_of(page):
    """{name: Family} of a page in Prometheus's text format."""
    families, owners = {}, {}
    for line in page.splitlines():
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            families[name] = Family(kind)
            owners |= {name + part: name for part in PARTS.get(kind, ("",))}
        elif line and not line.startswith("#"):
            name, labels, value = SAMPLE.match(line).groups()
            families[owners[name]].samples.append((name, dict(LABEL.findall(labels or "")), float(value)))
    return families
