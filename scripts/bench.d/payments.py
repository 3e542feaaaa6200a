"""The source and view that are measured, and how answers about them are compared with the oracle."""
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / "oracle"), str(ROOT / "tests" / "lib")]

from compare import Comparison
from oracle import Oracle
from resp import RespClient

VIEW = "payments"
FEATURES = 10
CONFIG = """\
kafka: {{brokers: "{kafka}", group: bench}}
redis: {{address: "{redis}"}}
lookup: {{listen: "127.0.0.1:0"}}
metrics: {{listen: "127.0.0.1:0"}}
log: {{level: warn}}
roles: [{roles}]
sources:
  payments:
    topic: {topic}
    format: json
    start: earliest
    time: {{field: ts, format: unix_ms}}
    fields: {{user: int, amount: float, items: int}}
views:
  payments:
    source: payments
    entity: user
    clock: event
    features:
      count_1h:    {{count: "*", window: 1h}}
      sum_1h:      {{sum: amount, window: 1h}}
      mean_1h:     {{mean: amount, window: 1h}}
      max_1h:      {{max: amount, window: 1h}}
      p95_1h:      {{quantile: amount, q: 0.95, window: 1h}}
      count_1d:    {{count: "*", window: 1d}}
      sum_1d:      {{sum: amount, window: 1d}}
      min_1d:      {{min: amount, window: 1d}}
      items_1d:    {{sum: items, window: 1d}}
      last_1d:     {{last: amount, window: 1d}}
"""


def config(redis, roles, kafka="127.0.0.1:9", topic="payments"):
    return CONFIG.format(redis=redis, roles=roles, kafka=kafka, topic=topic)


def equal(config_path, records_path, lookup, at=None, most=200):
    """Compares what the server answers with the oracle's values; returns (equal or what differs, values compared)."""
    oracle = Oracle(str(config_path), str(records_path))
    t = oracle.clock(VIEW) if at is None else at
    comparison = Comparison(oracle)
    host, port = lookup.rsplit(":", 1)
    with RespClient(host, int(port)) as client:
        for entity in oracle.entities(VIEW)[:most]:
            values, statuses, _, _ = client.call("FS.GET", VIEW, entity, "AT", str(t), "META")
            for i, status in enumerate(statuses):
                comparison.add(VIEW, entity, t, values[2 * i].decode(), ours=values[2 * i + 1],
                               ours_status=status.decode())
    if comparison.mismatches or comparison.nontrivial == 0:
        return f"DIFFERENT: {comparison.report()}", comparison.compared
    return "equal", comparison.compared
