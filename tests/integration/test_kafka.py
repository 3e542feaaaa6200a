"""Real Kafka, real Redis, 200,000 messy events in 8 partitions: every value of every entity equals the oracle, read
through TCP; the same after a stop half way and a resume, and with twice the aggregators."""
import base64
import json
import subprocess
import time

from kafka_services import ROOT, Services

from compare import Comparison
from configuration import load_config
from events import read_records
from freshet_process import FreshetProcess, binary, compare_served, wait_until
from generate_events import SOURCE_YAML, generate, partitioned
from oracle import Oracle

EVENTS = 200_000
PARTITIONS = 8
STEP_MS = 100
HOUR = 3_600_000

CONFIG = """
kafka: {{brokers: "{brokers}", group: "{group}"}}
redis: {{address: "{redis}", prefix: "{group}:"}}
lookup: {{listen: "127.0.0.1:0"}}
metrics: {{listen: "127.0.0.1:0"}}
ingest: {{aggregators: {aggregators}}}
sources:
  orders:
{source}
views:
  store_orders:
    source: orders
    entity: store
    clock: event
    features:
      orders_5m: {{count: "*", window: 5m}}
      orders_1h: {{count: "*", window: 1h}}
      amount_sum_1h: {{sum: amount, window: 1h}}
      amount_mean_6h: {{mean: amount, window: 6h, hop: 5m}}
      amount_max_1h: {{max: amount, window: 1h, where: express}}
      amount_p90_6h: {{quantile: amount, q: 0.9, window: 6h, hop: 5m}}
      items_sum_6h: {{sum: items, window: 6h, hop: 5m}}
      customers_6h: {{count_distinct: customer, window: 6h, hop: 5m}}
      last_city_1h: {{last: city, window: 1h}}
    freshness: {{max_staleness: 10s}}
  city_orders:
    source: orders
    entity: city
    clock: event
    retain: 1h
    where: amount >= 0
    features:
      orders_1h: {{count: "*", window: 1h}}
      amount_stddev_1h: {{stddev: amount, window: 1h}}
      amount_variance_6h: {{variance: amount, window: 6h}}
      amount_min_6h: {{min: amount, window: 6h}}
      first_customer_6h: {{first: customer, window: 6h}}
      stores_1h: {{count_distinct: store, window: 1h}}
  customer_store:
    source: orders
    entity: [store, customer]
    retain: 1h
    features:
      orders_1d: {{count: "*", window: 1d}}
      items_mean_1d: {{mean: items, window: 1d}}
      express_last_1d: {{last: express, window: 1d}}
      amount_sum_1d: {{sum: amount, window: 1d}}
"""


def write_records(path, start_ms):
    """Half the events each, with offsets as Kafka will give them."""
    halves = [[], []]
    offsets = [0] * PARTITIONS
    events = generate(seed=7, count=EVENTS, start_ms=start_ms, step_ms=STEP_MS, stores=40, customers=300)
    for index, (partition, _, key, value, timestamp) in enumerate(partitioned(events, PARTITIONS)):
        record = {"topic": "orders", "partition": partition, "offset": offsets[partition], "timestamp": timestamp}
        offsets[partition] += 1
        record["value_base64" if value is not None else "value"] = None if value is None else base64.b64encode(value).decode()
        if key is not None:
            record["key_base64"] = base64.b64encode(key).decode()
        halves[index * 2 // EVENTS].append(record)
    for name, records in (("first", halves[0]), ("second", halves[1]), ("all", halves[0] + halves[1])):
        with open(path / f"{name}.jsonl", "w", encoding="utf-8") as out:
            for record in records:
                print(json.dumps(record), file=out)
    return sum(offsets)


def config_file(services, group, aggregators):
    path = services.directory / f"{group}.yaml"
    path.write_text(CONFIG.format(brokers=services.kafka.brokers, redis=services.redis.address, group=group,
                                  aggregators=aggregators, source=SOURCE_YAML))
    return path


def recorded(client):
    """The sum of the offsets that the partitions' records have reached."""
    fields = client.call("FS.STATUS")
    texts = [f.decode() if isinstance(f, bytes) else str(f) for f in fields]
    total = 0
    for text in texts:
        words = dict(word.split("=", 1) for word in text.split() if "=" in word)
        total += int(words.get("next", 0))
    return total


def produce(services, config, name):
    subprocess.run([binary(), "replay", "-c", str(config), "--records",
                    str(services.directory / f"{name}.jsonl")], check=True, stdout=subprocess.DEVNULL)


def check(title, node, oracle, wall_instant):
    client = node.client()
    comparison = Comparison(oracle)
    statuses = {}
    for view, instants in (
            # At the clock; a little before it; and ahead, when windows have partly run out with no new event.
            ("store_orders", [None, oracle.clock("store_orders") - 60_000, oracle.clock("store_orders") + 2 * HOUR]),
            ("city_orders", [None, oracle.clock("city_orders") - HOUR, oracle.clock("city_orders") + HOUR // 2]),
            ("customer_store", [wall_instant, wall_instant + 3 * HOUR, wall_instant + 20 * HOUR])):
        for status, count in compare_served(client, oracle, comparison, view, instants).items():
            statuses[status] = statuses.get(status, 0) + count
    print(f"{title}: {comparison.compared} values, {comparison.nontrivial} other than 0 or null, statuses {statuses}")
    assert not comparison.mismatches, comparison.report()
    assert comparison.nontrivial * 2 > comparison.compared, "too few values that mean something"
    assert statuses.get("fresh", 0) > 0, "nothing was called fresh"
    return comparison


def check_dead_letters(services, oracle):
    """Every record that no view counts, and every one that a view refuses, is in the dead-letter topic, told apart by
    its headers, with its original bytes."""
    expected = {(partition, offset, "") for partition, offset, _ in oracle.dead_letter_records("orders")}
    for view in oracle.config.views:
        expected |= {(partition, offset, view) for partition, offset in oracle.view_dead_letters(view)}
    output = subprocess.run(["kcat", "-C", "-q", "-e", "-b", services.kafka.brokers, "-t", "orders.dlq", "-f",
                             "%S %h\n"], check=True, capture_output=True).stdout
    found = set()
    for line in output.decode("utf-8", "replace").splitlines():
        headers = dict(h.split("=", 1) for h in line.split(" ", 1)[1].split(",") if "=" in h)
        found.add((int(headers["freshet.partition"]), int(headers["freshet.offset"]), headers.get("freshet.view", "")))
    assert found == expected, f"{len(found - expected)} unexpected, {len(expected - found)} missing dead letters"
    print(f"dead letters: {len(found)}, as the oracle has them")


def main():
    with Services() as services:
        services.kafka.create_topic("orders", PARTITIONS)
        services.kafka.create_topic("orders.dlq", 1)
        now = int(time.time() * 1000)
        # Ends now, so that a wall-clock view has its windows full.
        total = write_records(services.directory, now - EVENTS * STEP_MS)
        oracle = Oracle(load_config(config_file(services, "oracle", 1)), read_records(services.directory / "all.jsonl"))

        stopped = config_file(services, "stopped", 1)
        produce(services, stopped, "first")
        with FreshetProcess(["run", "-c", str(stopped)], services.directory / "stopped.log") as node:
            client = node.client()
            wait_until(lambda: recorded(client) > 0, 60, "the first events are counted")
            assert node.stop() == 0, "SIGTERM must end the node orderly"
        produce(services, stopped, "second")

        for title, group, aggregators in (("stopped half way and resumed", "stopped", 1), ("straight", "straight", 1),
                                          ("twice the aggregators", "twice", 2)):
            config = config_file(services, group, aggregators)
            with FreshetProcess(["run", "-c", str(config)], services.directory / f"{group}.log") as node:
                client = node.client()
                wait_until(lambda c=client: recorded(c) >= total, 120, f"{title}: all {total} records are counted")
                check(title, node, oracle, now)
        check_dead_letters(services, oracle)


if __name__ == "__main__":
    main()
