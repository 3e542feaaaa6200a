"""Look-ups of what comes and goes: customers of now, of the past, and of nowhere; each visit on a connection of its
own, some of which are left with an answer unread."""
import collections
import random
import threading

from resp import ProtocolError, RespError

PERIOD_SECONDS = 0.25
ENTITIES_A_VISIT = 20
UNREAD_SHARE = 0.1


class Visitors:
    """A thread over all nodes in turn; `newest` says which customer is the newest."""

    def __init__(self, nodes, view, newest, seed):
        self.errors = collections.Counter()
        self.visits = 0
        self._nodes, self._view, self._newest = nodes, view, newest
        self._random = random.Random(f"visitors {seed}")
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="visitors", daemon=True)

    def start(self):
        self._thread.start()
        return self

    def stop(self):
        self._stopping.set()
        self._thread.join(30)

    def _run(self):
        while not self._stopping.wait(PERIOD_SECONDS):
            try:
                self._visit(self._nodes[self.visits % len(self._nodes)])
            except (OSError, ProtocolError, RespError) as error:
                self.errors[f"visitors: {getattr(error, 'code', type(error).__name__)}"] += 1
            self.visits += 1

    def _visit(self, node):
        newest = self._newest()
        customers = [self._random.randrange(-1000, newest + 1000) if self._random.random() < 0.3 else
                     max(0, newest - int(self._random.expovariate(1 / 2000))) for _ in range(ENTITIES_A_VISIT)]
        with node.client() as client:
            if self._random.random() < UNREAD_SHARE:
                client.send("FS.MGET", self._view, len(customers), *customers, "META")
                return
            rows = client.call("FS.MGET", self._view, len(customers), *customers, "META")
            if len(rows) != len(customers):
                raise ProtocolError(f"{len(rows)} rows for {len(customers)} entities")
