"""Looked at every few seconds: the memory, descriptors and threads of each node, and Redis's memory and keys."""
import os
import pathlib
import threading
import time

MIB = 2**20
# A rise below this is never growth: (unit for people, divisor, floor).
SERIES = {"rss": ("MiB", MIB, MIB), "accounted": ("MiB", MIB, MIB), "fds": ("", 1, 2), "threads": ("", 1, 2),
          "used_memory": ("MiB", MIB, MIB), "keys": ("", 1, 50)}
_COUNTERS = {"evicted": "freshet_evicted_entities_total", "loaded": "freshet_loaded_entities_total"}
_RESTARTS = "freshet_partition_restarts_total"


def _status(pid):
    lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
    return dict(line.split(":\t", 1) for line in lines if ":\t" in line)


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _of_node(node):
    status, metrics = _status(node.pid), node.metrics()
    return {"rss": int(status["VmRSS"].split()[0]) * 1024, "threads": int(status["Threads"]),
            "fds": len(os.listdir(f"/proc/{node.pid}/fd")), "accounted": metrics["freshet_memory_bytes"],
            **{name: metrics[series] for name, series in _COUNTERS.items()},
            "restarts": sum(value for name, value in metrics.items() if name.startswith(_RESTARTS)),
            "cpu": cpu_seconds(node.pid)}


def _of_redis(redis):
    lines = redis.command("INFO", "memory").decode().splitlines()
    memory = dict(line.split(":", 1) for line in lines if ":" in line)
    return {"used_memory": int(memory["used_memory"]), "keys": redis.command("DBSIZE"), "cpu": cpu_seconds(redis.pid)}


class Sampler:
    """A thread; `taken` holds [(seconds since its start, {name of a process: {series: value}})]."""

    def __init__(self, nodes, redis, period):
        self.taken = []
        self.failure = None
        self._nodes, self._redis, self._period = nodes, redis, period
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sampler", daemon=True)

    def start(self):
        self._began = time.monotonic()
        self._thread.start()
        return self

    def stop(self):
        self._stopping.set()
        self._thread.join(30)

    def of(self, process, series):
        return [(at, sample[process][series]) for at, sample in self.taken]

    def _run(self):
        try:
            while not self._stopping.wait(self._period):
                at = time.monotonic() - self._began
                sample = {node.name: _of_node(node) for node in self._nodes}
                self.taken.append((at, {**sample, "redis": _of_redis(self._redis)}))
        except Exception as failure:  # pylint: disable=broad-except
            self.failure = failure
