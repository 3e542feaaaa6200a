"""What the lab breaks: a Redis with its data on disk, a Kafka broker, and nodes of Freshet. All on 127.0.0.1, each
started by the lab and ended by its pid."""
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT / "tests" / folder) for folder in ("oracle", "lib", "integration")]

import kafka_services  # noqa: E402
from freshet_process import FreshetProcess, wait_until  # noqa: E402
from http_site import Site  # noqa: E402
from producer import Admin  # noqa: E402
from resp import ProtocolError, RespClient, RespError  # noqa: E402

HOST = "127.0.0.1"


class Redis(kafka_services.Redis):
    """Saves when told to, and can be started again with its data, an older copy of them, or none."""

    def __init__(self, directory, *options):
        self._folder = pathlib.Path(directory)
        super().__init__(directory, *options)

    @property
    def _dump(self):
        return self._folder / "dump.rdb"

    @property
    def pid(self):
        return self._process.pid

    def client(self):
        return RespClient(HOST, self.port)

    def command(self, *arguments):
        with self.client() as client:
            return client.call(*arguments)

    def save(self, name="kept.rdb"):
        """A copy of the data as they are now, for start_from()."""
        self.command("SAVE")
        shutil.copy(self._dump, self._folder / name)

    def kill(self):
        self._process.kill()
        self._process.wait()

    def wait(self, within=30):
        """For its end."""
        self._process.wait(within)

    def start_from(self, name="kept.rdb"):
        shutil.copy(self._folder / name, self._dump)
        self.start()

    def start_empty(self):
        self._dump.unlink(missing_ok=True)
        self.start()

    def hold(self):
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self):
        self._process.send_signal(signal.SIGCONT)

    def answers(self):
        try:
            return self.command("PING") == "PONG"
        except (OSError, ProtocolError, RespError):
            return False

    def stop(self):
        if self._process.poll() is None:
            self.kill()

    def cut_clients(self, kind="normal"):
        """Closes the connections of everyone else; their number."""
        return self.command("CLIENT", "KILL", "TYPE", kind, "SKIPME", "yes")


class Broker(kafka_services.Kafka):
    """One Kafka broker that can be killed, held, and started again on the same port with its data."""

    def create_topic(self, name, partitions, **settings):
        admin = Admin(self.port)
        admin.create_topic(name, partitions, **settings)
        admin.close()

    def set_topic(self, name, **settings):
        admin = Admin(self.port)
        admin.set_topic(name, **settings)
        admin.close()

    @property
    def pid(self):
        return int((pathlib.Path(self._directory) / "pid").read_text())

    @property
    def port(self):
        return int(self.brokers.rpartition(":")[2])

    def kill(self):
        os.kill(self.pid, signal.SIGKILL)

    def hold(self):
        os.kill(self.pid, signal.SIGSTOP)

    def go_on(self):
        os.kill(self.pid, signal.SIGCONT)

    def restart(self):
        self._run("start")

    def stop_orderly(self):
        self._run("stop")

    def delete_topic(self, name):
        self._run("topic", "delete", name)

    def _consume(self, topic, line, since=None):
        begin = "beginning" if since is None else f"s@{since}"
        command = ["kcat", "-C", "-q", "-e", "-b", self.brokers, "-t", topic, "-o", begin, "-f", line]
        return subprocess.run(command, check=True, capture_output=True, timeout=300).stdout

    def headers(self, topic, since=None):
        """The headers of every record of a topic, each as {name: text}; `since` is a Kafka timestamp."""
        lines = self._consume(topic, "%h\n", since).decode("utf-8", "replace").splitlines()
        return [dict(h.split("=", 1) for h in line.split(",") if "=" in h) for line in lines]

    def read(self, topic, since=None):
        """Every record of a topic as (partition, offset, timestamp, key, value), by kcat; `since` is a timestamp."""
        data, at = self._consume(topic, "%p %o %T %K %S\n%k%s\n", since), 0
        while at < len(data):
            end = data.index(b"\n", at)
            partition, offset, timestamp, key_size, size = map(int, data[at:end].split())
            at = end + 1
            key = data[at:at + key_size] if key_size >= 0 else None
            at += max(key_size, 0)
            value = data[at:at + size] if size >= 0 else None
            at += max(size, 0) + 1
            yield partition, offset, timestamp, key, value


class Node:
    """A `freshet run` with an address of its own that it keeps over restarts."""

    def __init__(self, name, directory, config, program=None, environment=None):
        """`config(lookup)` gives the text of the configuration for an address of look-ups; `program` is another one
        than freshet, and `environment` is added to the own one."""
        self.name = name
        self.port = kafka_services._free_port()
        self.starts = 0
        self.held = False
        self.config_path = directory / f"{name}.yaml"
        self.log_path = directory / f"{name}.log"
        self.config_path.write_text(config(f"{HOST}:{self.port}"))
        self._process = None
        self._how = {"program": program, "environment": environment}

    @property
    def running(self):
        return self._process is not None and self._process.running

    @property
    def serving(self):
        return self.running and not self.held

    @property
    def log(self):
        return self.log_path.read_text(errors="replace")

    def start(self, ready_within=60.0):
        self.starts += 1
        self._process = FreshetProcess(["run", "-c", str(self.config_path)], self.log_path, ready_within, **self._how)
        return self

    def kill(self):
        self._process.kill()

    def hold(self):
        self.held = True
        self._process.signal(signal.SIGSTOP)

    def go_on(self):
        self._process.signal(signal.SIGCONT)
        self.held = False

    def stop(self):
        """SIGTERM; it must end orderly, and soon."""
        status = self._process.stop(within=20)
        if status != 0:
            raise RuntimeError(f"{self.name} ended with status {status} after SIGTERM")

    def end(self):
        """However it is."""
        if self._process is not None and self._process.running:
            self._process.kill()

    def client(self, timeout=5.0):
        return RespClient(HOST, self.port, timeout)

    def answers(self):
        """Whether it serves look-ups of what is in Redis."""
        try:
            return self.serving and self.statuses().get("redis", "").startswith("connected")
        except (OSError, ProtocolError, RespError):
            return False

    @property
    def pid(self):
        return self._process.pid

    def metrics(self):
        """{series: value} as Prometheus reads them."""
        with urllib.request.urlopen(f"http://{self._process.ready['metrics']}/metrics", timeout=5) as answer:
            lines = answer.read().decode().splitlines()
        return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines if line[:1] != "#")}

    def site(self):
        return Site(self._process.ready["metrics"])

    def owns(self):
        """Whether it has got partitions."""
        return bool(self.recorded())

    def statuses(self):
        """{name: text} of FS.STATUS."""
        with self.client() as client:
            fields = client.call("FS.STATUS")
        texts = [f.decode() if isinstance(f, bytes) else str(f) for f in fields]
        return dict(zip(texts[::2], texts[1::2], strict=True))

    def recorded(self):
        """{partition: next offset} of what this node owns."""
        found = {}
        for name, text in self.statuses().items():
            words = dict(word.split("=", 1) for word in text.split() if "=" in word)
            if "next" in words:
                found[name] = int(words["next"])
        return found


__all__ = ["Broker", "FreshetProcess", "HOST", "Node", "ROOT", "Redis", "wait_until"]
