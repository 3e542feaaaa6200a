"""Runs the freshet program for tests and demos, and reads back what it serves.

    with FreshetProcess(["run", "-c", "config.yaml"]) as node:
        client = node.client()
        comparison = compare_served(client, oracle, instants)
"""
import contextlib
import json
import os
import pathlib
import signal
import subprocess
import sys
import threading
import time

from resp import RespClient, RespError

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent


def binary():
    return os.environ.get("FRESHET", str(ROOT / "build/release/freshet"))


class FreshetProcess:
    """`ready` holds the addresses of a node that serves. The log goes to `log_path`, or to standard error.
    `ready_within=None` does not wait for it; `environment` is added to the own one."""

    def __init__(self, arguments, log_path=None, ready_within=60.0, program=None, environment=None):
        with open(log_path, "ab") if log_path else contextlib.nullcontext() as log:
            self._process = subprocess.Popen([program or binary(), *arguments], stdout=subprocess.PIPE, stderr=log,
                                             env={**os.environ, **(environment or {})})
        self._lines = []
        self._changed = threading.Condition()
        threading.Thread(target=self._read, daemon=True).start()
        try:
            self.ready = None if ready_within is None else self.wait_for_line("ready", ready_within)
        except TimeoutError:
            self.kill()
            raise

    def _read(self):
        with self._process.stdout as output:
            for line in output:
                with self._changed:
                    self._lines.append(json.loads(line))
                    self._changed.notify_all()
        with self._changed:
            self._lines.append(None)
            self._changed.notify_all()

    def wait_for_line(self, key, within):
        """The first object on standard output that has `key`."""
        deadline = time.monotonic() + within
        with self._changed:
            while True:
                for line in self._lines:
                    if line is not None and key in line:
                        return line
                if self._lines and self._lines[-1] is None:
                    raise RuntimeError(f"freshet ended with status {self._process.wait()} before it said {key!r}")
                if not self._changed.wait(deadline - time.monotonic()) and time.monotonic() >= deadline:
                    raise TimeoutError(f"freshet did not say {key!r} within {within} s")

    @property
    def pid(self):
        return self._process.pid

    def client(self, timeout=30.0):
        host, _, port = self.ready["lookup"].rpartition(":")
        return RespClient(host.strip("[]"), int(port), timeout)

    def stop(self, within=15.0):
        """SIGTERM; the exit status. Fails when the node takes longer than it may."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        try:
            return self._process.wait(within)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise

    def kill(self):
        self._process.kill()
        self._process.wait()

    def signal(self, number):
        self._process.send_signal(number)

    @property
    def running(self):
        return self._process.poll() is None

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.stop()


def wait_until(condition, within, what):
    """Polls a condition; fails by name."""
    deadline = time.monotonic() + within
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {within} s: {what}")
        time.sleep(0.05)


def columns_of(config, view, entity):
    """The columns of an entity's name, as a look-up gives them."""
    if len(config.views[view].entity) == 1:
        return [entity]
    columns, current, escaped = [], "", False
    for c in entity:
        if escaped:
            current, escaped = current + c, False
        elif c == "\\":
            escaped = True
        elif c == "|":
            columns.append(current)
            current = ""
        else:
            current += c
    return columns + [current]


def compare_served(client, oracle, comparison, view, instants, entities_a_request=50, progress=None):
    """Reads every feature of every entity of a view at each instant through FS.MGET ... META, and compares. An instant
    of None reads as of the view's clock, whatever it is, and compares at the oracle's. Returns the statuses seen."""
    config = oracle.config
    entities = sorted(oracle.entities(view))
    features = list(config.views[view].features)
    seen = {}
    for t in instants:
        for first in range(0, len(entities), entities_a_request):
            part = entities[first:first + entities_a_request]
            command = ["FS.MGET", view, len(part)]
            for entity in part:
                command += columns_of(config, view, entity)
            command += ["FEATURES", len(features), *features]
            if t is not None:
                command += ["AT", t]
            rows = client.command(*command, "META")
            if isinstance(rows, RespError):
                raise AssertionError(f"{view} at {t}: {rows}")
            for entity, (values, statuses, _, _) in zip(part, rows, strict=True):
                for feature, value, status in zip(features, values, statuses, strict=True):
                    status = status.decode() if isinstance(status, bytes) else status
                    seen[status] = seen.get(status, 0) + 1
                    comparison.add(view, entity, oracle.clock(view) if t is None else t, feature, value, status)
        if progress:
            progress()
    return seen


def fail(message):
    print(message, file=sys.stderr)
    sys.exit(1)
