"""Real services for integration tests: Apache Kafka by scripts/kafka, Debian's redis-server. All on 127.0.0.1."""
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT / "tests/oracle"), str(ROOT / "tests/lib")]

from resp import RespClient, RespError  # noqa: E402

SKIPPED = 77


def _free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Redis:
    """A redis-server without persistence; started, and ended by its own process."""

    def __init__(self, directory, *options):
        self.port = _free_port()
        self._directory = directory
        self._options = options
        self._process = None
        self.start()

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def start(self):
        self._process = subprocess.Popen(
            ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no",
             "--hash-max-listpack-value", "4096", "--dir", str(self._directory), *self._options],
            stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 10
        while True:
            try:
                with RespClient("127.0.0.1", self.port) as client:
                    client.call("PING")
                return
            except (OSError, RespError):    # it listens before it has loaded its data
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.02)

    def stop(self):
        self._process.terminate()
        self._process.wait(10)


class Kafka:
    """One broker. Skips the test, with the reason, where Kafka cannot be had; never where it is required."""

    def __init__(self, directory):
        self._directory = str(directory)
        done = self._run("start", check=False)
        if done.returncode == SKIPPED and not os.environ.get("FRESHET_REQUIRE_KAFKA"):
            print(f"skipped: {done.stderr.strip()}")
            sys.exit(SKIPPED)
        if done.returncode != 0:
            raise RuntimeError(f"scripts/kafka start: {done.stderr}")
        self.brokers = done.stdout.strip().splitlines()[-1]

    def _run(self, *arguments, check=True):
        return subprocess.run([str(ROOT / "scripts/kafka"), *arguments, "--dir", self._directory], check=check, text=True,
                              capture_output=True)

    def create_topic(self, name, partitions):
        self._run("topic", "create", name, "--partitions", str(partitions))

    def grow_topic(self, name, partitions):
        self._run("topic", "grow", name, "--partitions", str(partitions))

    def stop(self):
        self._run("stop", "--clean")


class Services:
    """A temporary directory, Kafka and Redis in it; all gone afterwards."""

    def __init__(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="freshet-test-"))
        self.kafka = Kafka(self.directory / "kafka")
        self.redis = Redis(self.directory)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.redis.stop()
        self.kafka.stop()
        shutil.rmtree(self.directory, ignore_errors=True)
