"""Reads features from every serving node all the time: how long no answer came, and values that cannot be right.

Checked at each read, whatever the faults: no count is above the events ever sent (counted twice), none is below those
acked before the watermark that came with it (called fresher than it is), none falls while Redis keeps its data, and none
that is called fresh lacks an event that had been acked `max_staleness` before it was asked for. The clock is the
prober's own.
"""
import collections
import random
import re
import threading
import time
from typing import NamedTuple, Optional

from resp import ProtocolError, RespError

PERIOD_SECONDS = 0.02
STORES_A_READ = 10
# A node takes Redis's time with the records, which it reads at most this long before the values; rounding included.
SLACK_SECONDS = 0.02
MOST_COMPLAINTS = 50
MOST_ERRORS = 100_000


class Answer(NamedTuple):
    at: float                           # monotonic
    node: str
    watermark: Optional[float]          # unix seconds: all that was in Kafka then is counted


class Outages:
    """Spans of monotonic time in which an answer cannot be asked for; thread-safe."""

    def __init__(self):
        self._lock = threading.Lock()
        self._spans = []

    def begin(self):
        with self._lock:
            self._spans.append([time.monotonic(), None])

    def end(self):
        with self._lock:
            self._spans[-1][1] = time.monotonic()

    def spans(self):
        with self._lock:
            return [(begin, end if end is not None else float("inf")) for begin, end in self._spans]


def worst_gap(times, outages):
    """The longest stretch between neighbouring times that no outage covers: (seconds, its beginning)."""
    worst = (0.0, None)
    for begin, end in zip(times, times[1:]):
        at = begin
        for lost, back in sorted(outages) + [(end, end)]:
            if back <= at or lost > end:
                continue
            worst = max(worst, (min(lost, end) - at, at), key=lambda gap: gap[0])
            at = max(at, back)
    return worst


class Prober:
    def __init__(self, nodes, ledger, view, feature, period=PERIOD_SECONDS, max_staleness=None):
        """`max_staleness`: of the view, in seconds."""
        self.complaints = []
        self.reads = 0
        self.called_fresh = 0           # values
        self.oldest_fresh = 0.0         # seconds that the worst of them was behind
        self._errors = collections.deque(maxlen=MOST_ERRORS)    # (monotonic time, node, text)
        self._nodes = nodes
        self._ledger = ledger
        self._view, self._feature = view, feature
        self._period = period
        self._max_staleness = max_staleness
        self._losses = 0                # changes whenever Redis forgets something
        self._lock = threading.Lock()
        self._answers = []
        self._latest = {}               # node -> Answer
        self._stopping = threading.Event()
        self._threads = [threading.Thread(target=self._probe, args=(node,), name=f"prober of {node.name}", daemon=True)
                         for node in nodes]
        self._ticks = []                # of a thread that asks nothing: its gaps are the machine's
        self._threads.append(threading.Thread(target=self._tick, name="ticks", daemon=True))

    def start(self):
        for thread in self._threads:
            thread.start()
        return self

    def stop(self):
        self._stopping.set()
        for thread in self._threads:
            thread.join(30)

    def redis_forgets(self):
        """Told before and after a fault that makes Redis lose writes: counts may fall over that."""
        with self._lock:
            self._losses += 1
            self._latest.clear()

    def errors(self, begin=0.0, end=float("inf")):
        """How often what was answered instead, from begin to end (monotonic)."""
        return collections.Counter(f"{node}: {text}" for at, node, text in list(self._errors) if begin <= at <= end)

    def answer_times(self, node=None):
        with self._lock:
            return [answer.at for answer in self._answers if node is None or answer.node == node]

    def fresh_since(self, moment, begun):
        """Whether some node, asked after `begun` (monotonic), said that it counts all that was in Kafka at `moment`
        (unix seconds)."""
        with self._lock:
            return any(answer.at >= begun and answer.watermark is not None and answer.watermark >= moment
                       for answer in self._latest.values())

    def _tick(self):
        while not self._stopping.wait(PERIOD_SECONDS):
            self._ticks.append(time.monotonic())

    def own_gap(self, begin=0.0, end=float("inf")):
        """The longest time that a thread which only waits PERIOD_SECONDS stood still."""
        ticks = [at for at in list(self._ticks) if begin - 1 <= at <= end + 1]
        return worst_gap(ticks, [])[0]

    def _complain(self, text):
        with self._lock:
            if len(self.complaints) < MOST_COMPLAINTS:
                self.complaints.append(text)

    def _probe(self, node):
        pick = random.Random(node.name)
        client, seen = None, {}
        while not self._stopping.is_set():
            begun = time.monotonic()
            try:
                if client is None and not node.running:
                    self._stopping.wait(self._period)
                    continue
                if client is None:
                    client = node.client(timeout=2.0)
                self._read(node, client, pick, seen)
            except (OSError, ProtocolError, TimeoutError) as error:
                self._errors.append((time.monotonic(), node.name, type(error).__name__))
                if client is not None:
                    client.close()
                client = None
            self._stopping.wait(max(0.0, self._period - (time.monotonic() - begun)))
        if client is not None:
            client.close()

    def _read(self, node, client, pick, seen):
        stores = self._ledger.stores()
        if not stores:
            return
        chosen = pick.sample(stores, min(STORES_A_READ, len(stores)))
        losses, asked = self._losses, time.time()
        rows = client.command("FS.MGET", self._view, len(chosen), *chosen, "FEATURES", 1, self._feature, "META")
        answered = time.monotonic()
        if isinstance(rows, RespError):
            self._errors.append((answered, node.name, re.sub(r"127\.0\.0\.1:\d+", "", str(rows))))
            return
        # Of a row each: in a cluster its primary tells it.
        watermarks = [None if row[2] is None else asked - row[2] / 1000 - SLACK_SECONDS for row in rows]
        kept = losses == self._losses
        with self._lock:
            self.reads += 1
            answer = Answer(answered, node.name, None if None in watermarks else min(watermarks))
            self._answers.append(answer)
            if kept:
                self._latest[node.name] = answer
        for store, (values, statuses, _, _), watermark in zip(chosen, rows, watermarks, strict=True):
            self._judge(node, store, values[0] or 0, watermark, seen, losses if kept else None)
            if self._max_staleness is not None and statuses[0] == b"fresh":
                self._judge_fresh(node, store, values[0] or 0, asked)

    def _judge_fresh(self, node, store, count, asked):
        lack = self._ledger.lack(store, count, asked)
        if lack > self._max_staleness:
            self._complain(f"{node.name}: {store!r} has {count} events and is called fresh, but lacks one that was acked "
                           f"{lack:.3f} s before it was asked for")
        with self._lock:
            self.called_fresh += 1
            self.oldest_fresh = max(self.oldest_fresh, lack)

    def _judge(self, node, store, count, watermark, seen, losses):
        most = self._ledger.most(store)
        if count > most:
            self._complain(f"{node.name}: {store!r} has {count} events, only {most} were sent: counted twice")
        least = 0 if watermark is None else self._ledger.least(store, watermark)
        if count < least:
            self._complain(f"{node.name}: {store!r} has {count} events, {least} were acked before its watermark")
        before, then = seen.get(store, (0, None))
        if losses is not None and losses == then and count < before:
            self._complain(f"{node.name}: {store!r} fell from {before} to {count} though Redis kept its data")
        seen[store] = (count, losses)
