"""The configuration that the lab and the tests of single faults run: both clocks, one and two columns, lifetime."""
from generate_events import SOURCE_YAML

CONFIG = """
kafka: {{brokers: "{brokers}", group: "{group}", instance: "{instance}", dead_letter_topic: "{letters}"}}
redis: {{address: "{redis}", prefix: "{group}:"}}
lookup: {{listen: "{lookup}"}}
metrics: {{listen: "127.0.0.1:0"}}
audit: {{enabled: {audit}, every: 1s, rate: 8MiB}}
sources:
  orders:
{source}
views:
  store_totals:
    source: orders
    entity: store
    freshness: {{max_staleness: 2s}}
    features:
      total: {{count: "*", window: lifetime}}
      items_ever: {{sum: items, window: lifetime}}
      last_city_ever: {{last: city, window: lifetime}}
      customers_ever: {{count_distinct: customer, window: lifetime}}
  store_recent:
    source: orders
    entity: store
    clock: event
    retain: 1m
    features:
      orders_1m: {{count: "*", window: 1m}}
      amount_sum_5m: {{sum: amount, window: 5m}}
      amount_max_5m: {{max: amount, window: 5m, where: express}}
      amount_p90_5m: {{quantile: amount, q: 0.9, window: 5m}}
      last_city_1m: {{last: city, window: 1m}}
  customer:
    source: orders
    entity: customer
    retain: 10m
    features:
      orders_1h: {{count: "*", window: 1h}}
      items_mean_1h: {{mean: items, window: 1h}}
      amount_stddev_5m: {{stddev: amount, window: 5m}}
      first_store_1h: {{first: store, window: 1h}}
  city_express:
    source: orders
    entity: [city, express]
    clock: event
    retain: 1m
    where: amount >= 0
    features:
      orders_5m: {{count: "*", window: 5m}}
      amount_min_5m: {{min: amount, window: 5m}}
      customers_1h: {{count_distinct: customer, window: 1h}}
"""
# An entity of each view, to ask how fresh it is.
PROBES = {"store_totals": ["s1"], "store_recent": ["s1"], "customer": [1], "city_express": ["Oslo", "1"]}
# A lifetime count that every good event raises by one.
COUNTED = ("store_totals", "total")
MAX_STALENESS = 2.0                     # of its view, in seconds


def configuration(brokers, redis, lookup, topic="orders", group="chaos", letters="", instance="",
                  start="earliest", audit=False):
    source = SOURCE_YAML.replace("topic: orders", f"topic: {topic}\n    start: {start}")
    return CONFIG.format(brokers=brokers, redis=redis, lookup=lookup, source=source, group=group, letters=letters,
                         instance=instance, audit=str(audit).lower())
