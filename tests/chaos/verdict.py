"""Whether all came out right: every entity of every view against the oracle, and the table of the run."""
import collections
import time

from compare import Comparison
from config import PROBES
from events import Record
from freshet_process import compare_served, wait_until
from oracle import Oracle
from resp import RespError

MINUTE = 60_000


def watermark(node, view, columns=None):
    """All that was in Kafka at this time (unix seconds) is counted in a view, as a node says; 0: not known."""
    with node.client() as client:
        asked, row = time.time(), client.command("FS.GET", view, *(columns or PROBES[view]), "META")
    return 0 if isinstance(row, RespError) or row[2] is None else asked - row[2] / 1000


def log_of(broker, topic, since=None):
    """{(partition, offset): (key, value, timestamp)}, from a Kafka timestamp on if `since` is one."""
    return {(p, o): (key, value, timestamp) for p, o, timestamp, key, value in broker.read(topic, since)}


def wait_for_watermarks(node, moment, within, probes=None):
    """Until a node says of every view that all is counted which was in Kafka at `moment` (unix seconds)."""
    for view, columns in (probes or PROBES).items():
        wait_until(lambda v=view, c=columns: watermark(node, v, c) >= moment, within,
                   f"{view} is fresh beyond the last event")


def catch_up(broker, topic, nodes, within, probes=None, since=None):
    """Waits until the records of all partitions stand at the log's end and the watermarks beyond now: the log."""
    now = time.time()
    log = log_of(broker, topic, since)
    ends = collections.Counter()
    for partition, offset in log:
        ends[f"partition {topic}/{partition}"] = max(ends[f"partition {topic}/{partition}"], offset + 1)

    def recorded():
        found = {}
        for node in nodes:
            found.update(node.recorded())
        return found

    wait_until(lambda: ends.items() <= recorded().items(), within, f"the records of {topic} stand at the log's end")
    wait_for_watermarks(nodes[0], now, within, probes)
    return log


def check_log(log, acked):
    """What Kafka lost or changed of what it had acked: texts. Both are {(partition, offset): (key, value, time)}."""
    wrong = []
    for place, record in acked.items():
        if log.get(place) != record:
            wrong.append(f"Kafka acked {record!r:.100} as {place}, and holds {log.get(place)!r:.100}")
    return wrong


def check_letters(oracle, headers):
    """Dead letters that were lost, and letters that should not be: texts. `headers` are those of the topic."""
    found = {(int(h["freshet.partition"]), int(h["freshet.offset"]), h.get("freshet.view", "")) for h in headers}
    expected = {(partition, offset, "") for partition, offset, _ in oracle.dead_letter_records("orders")}
    for view in oracle.config.views:
        expected |= {(partition, offset, view) for partition, offset in oracle.view_dead_letters(view)}
    return [f"dead letter {place} is lost" for place in sorted(expected - found)] + \
        [f"{place} is no dead letter" for place in sorted(found - expected)]


def audit_alarms(nodes):
    """What the nodes' self-audit has said in all their lives: no value was planted."""
    return [f"node {node.name}: {line}" for node in nodes if node.starts
            for line in node.log.splitlines() if "audit mismatch" in line]


def oracle_of(config, topic, log):
    return Oracle(config, [Record(topic, partition, offset, timestamp, value)
                           for (partition, offset), (_, value, timestamp) in sorted(log.items())])


def instants_of(oracle, view, now):
    """Several instants of a view that a reader may ask for; None is its own clock."""
    retain = oracle.config.views[view].retain
    if oracle.config.views[view].clock == "event":
        clock = oracle.clock(view)
        return [None, clock - min(retain, MINUTE), clock + 2 * MINUTE]
    return [now - retain // 2, now, now + 3 * MINUTE]


def compare_all(oracle, nodes, now):
    """Every entity of every view, an instant through one node and the next through another."""
    comparison, statuses = Comparison(oracle), collections.Counter()
    clients = [node.client(timeout=30) for node in nodes]
    turn = 0
    for view in oracle.config.views:
        for instant in instants_of(oracle, view, now):
            turn += 1
            statuses.update(compare_served(clients[turn % len(clients)], oracle, comparison, view, [instant]))
    for client in clients:
        client.close()
    return comparison, statuses


class Table:
    """Times to fresh by kind of fault."""

    def __init__(self):
        self._seconds = {}

    def add(self, kind, seconds):
        self._seconds.setdefault(kind, []).append(seconds)

    def count(self, kind):
        return len(self._seconds.get(kind, []))

    def lines(self):
        width = max(map(len, self._seconds), default=5)
        yield f"{'fault':{width}}  number  worst s to fresh  median"
        for kind, seconds in sorted(self._seconds.items()):
            known = sorted(s for s in seconds if s is not None)
            worst = "never" if len(known) < len(seconds) else f"{known[-1]:.1f}"
            median = f"{known[len(known) // 2]:.1f}" if known else "-"
            yield f"{kind:{width}}  {len(seconds):6}  {worst:>16}  {median:>6}"
