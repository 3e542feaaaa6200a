"""What both clients share besides the requests: their settings, and which node is asked, when, and how often. Nothing
here does I/O."""
from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from .errors import BadArgument, Unavailable, translated
from .requests import Request

DEFAULT_PORT = 7600
LONGEST_PAUSE = 1.0


@dataclass(frozen=True)
class Node:
    host: str
    port: int

    @staticmethod
    def parse(address: str) -> Node:
        """`host`, `host:port`, or `[address]:port` where the address has colons."""
        host, colon, port = address.rpartition(":")
        if not colon or address.endswith("]"):
            host, port = address, str(DEFAULT_PORT)
        host = host.removeprefix("[").removesuffix("]")
        if not host or "/" in host or not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
            raise BadArgument(f"'{address}' is no address of a node: they are written host:port")
        return Node(host, int(port))

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Nodes:
    """The addresses of the nodes, and which one is asked: the first, until it fails, and then the next."""

    def __init__(self, addresses: str | Sequence[str]):
        self._all = [Node.parse(a) for a in ([addresses] if isinstance(addresses, str) else addresses)]
        if not self._all:
            raise BadArgument("no address of a node is given")
        self._current = 0

    def __len__(self) -> int:
        return len(self._all)

    @property
    def current(self) -> Node:
        return self._all[self._current]

    def leave(self, node: Node) -> None:
        """For the next one, unless another call has done so."""
        if node == self.current:
            self._current = (self._current + 1) % len(self._all)


@dataclass(frozen=True)
class Tls:
    """Files in PEM: who vouches for the nodes, and, where they ask for it, a certificate of one's own with its key."""

    ca_file: str
    certificate: str | None = None
    key: str | None = None


@dataclass(frozen=True)
class Access:
    """How a node is told who asks."""

    username: str
    password: str | None
    tls: Tls | None


@dataclass(frozen=True)
class Limits:
    """In seconds."""

    timeout: float
    connect_timeout: float
    deadline: float
    attempts: int
    backoff: float

    def check(self) -> None:
        if min(self.timeout, self.connect_timeout, self.deadline) <= 0 or self.attempts < 1 or self.backoff < 0:
            raise BadArgument("timeout, connect_timeout, deadline and attempts must be above 0, and backoff not below")


class Call:
    """One call, with all its attempts."""

    def __init__(self, nodes: Nodes, limits: Limits, wait: float, now: Callable[[], float] = time.monotonic):
        self._nodes, self._limits, self._now = nodes, limits, now
        self._longest_attempt = limits.connect_timeout + limits.timeout + wait
        self._end = now() + limits.deadline + wait
        self._failures: list[tuple[Node, str]] = []

    def node(self) -> Node:
        """Which one to ask now."""
        self._asked = self._nodes.current
        return self._asked

    def failed(self, error: Exception) -> float:
        """The seconds to wait before the next attempt. Raises when there is none: when the error says no to this request
        and not to this node, or when enough was tried, or when an attempt might outlast the deadline."""
        reason = translated(error)
        if not isinstance(reason, Unavailable):
            raise reason from error
        self._failures.append((self._asked, str(reason)))
        self._nodes.leave(self._asked)
        pause = self._pause()
        if len(self._failures) >= self._limits.attempts or self._now() + pause + self._longest_attempt > self._end:
            last = dict(self._failures)
            told = "; ".join(f"{node}: {text}" for node, text in last.items())
            raise type(reason)(f"{told} (attempts: {len(self._failures)})") from error
        return pause

    def _pause(self) -> float:
        """None before every node was asked; then longer from round to round."""
        rounds, rest = divmod(len(self._failures), len(self._nodes))
        if rest:
            return 0.0
        return random.uniform(0.5, 1.0) * min(self._limits.backoff * 2.0 ** (rounds - 1), LONGEST_PAUSE)


class Caller:
    """The constructor of both clients."""

    def __init__(self, nodes: str | Sequence[str] = "127.0.0.1:7600", *, username: str = "default",
                 password: str | None = None, tls: Tls | None = None, timeout: float = 1.0, connect_timeout: float = 0.5,
                 deadline: float = 3.0, attempts: int = 6, backoff: float = 0.05):
        """`nodes`: one address or several; the next one is asked when one fails. `username` and `password`: of the nodes'
        users, where they have some; `tls` where they speak it.

        A look-up only reads, so it is tried again, on the next node, when a node is away, does not answer, or says that
        Redis is away; nothing else is tried again. In seconds: `timeout` is how long a node may be silent (it gives Redis
        half a second), `connect_timeout` how long a connection may take, `deadline` what a call may take with all its
        `attempts`, between which it waits `backoff`, doubled from round to round. The time of `wait` comes on top."""
        self._nodes = Nodes(nodes)
        self._access = Access(username, password, tls)
        self._services: dict[str, list[str]] = {}       # the features of those that were asked about
        self._limits = Limits(timeout, connect_timeout, deadline, attempts, backoff)
        self._limits.check()
        self._connections: dict[tuple[Node, int], Any] = {}

    def _call(self, request: Request[Any]) -> Call:
        return Call(self._nodes, self._limits, request.wait)

    @staticmethod
    def _whole_seconds(request: Request[Any]) -> int:
        """What a request may wait: connections have one timeout each, so there is a pool for each of these."""
        return math.ceil(request.wait)
