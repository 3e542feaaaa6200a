"""The rate of 10 billion look-ups a day, 115,741 a second, offered evenly: as single-entity requests at a pipeline of 16,
and as requests of 20 entities; the highest rate of each that keeps the p99 under a millisecond; and requests of 100
entities by 50 features. Latency counts from the time a request was due (bench_loadgen)."""
import payments
from lookup import ASK, ENTITIES, HMGET, Servers

A_DAY = 10_000_000_000
RATE = A_DAY / 86_400
SECONDS = 60
MANY = 20
CONNECTIONS = 16
MOST_P99_US = 1_000
SEARCH_SECONDS = 3
KEPT = 0.99            # of the rate that was offered

BIG_ROWS = 100
WINDOWS = ("10m", "1h", "6h", "1d", "7d")
AGGREGATES = ("{count: \"*\"", "{sum: amount", "{mean: amount", "{min: amount", "{max: amount", "{stddev: amount",
              "{sum: items", "{max: items", "{first: amount", "{last: amount")
FIELDS = len(WINDOWS) * len(AGGREGATES)


def run(bench):
    verdicts = []
    with bench:
        servers, verdict = _filled(bench, "ten", payments.config)
        verdicts.append(verdict)
        _at_the_rate(bench, servers)
    with bench:
        servers, verdict = _filled(bench, "fifty", _fifty_features)
        verdicts.append(verdict)
        _large_requests(bench, servers)
    return bench.finish(next((v for v in verdicts if v != "equal"), "equal"))


def _fifty_features(redis, roles):
    head = payments.config(redis, roles).split("    features:\n")[0]
    features = "".join(f"      f{i}_{window}: {aggregate}, window: {window}}}\n"
                       for window in WINDOWS for i, aggregate in enumerate(AGGREGATES))
    return f"{head}    features:\n{features}"


def _filled(bench, name, configuration):
    redis, address = bench.redis(f"redis_{name}")
    config = bench.write(f"{name}.yaml", configuration(address, "serve"))
    records = bench.folder / f"{name}.jsonl"
    bench.facts[name] = bench.json_of([bench.program("fill_store"), "--config", config, "--entities", str(ENTITIES),
                                       "--record-to", records, "--tiles", "1"])
    servers = Servers(bench, redis, address, *bench.node(config, f"node_{name}"))
    verdict, compared = payments.equal(config, records, servers.lookup)
    bench.facts[name]["compared"] = compared
    return servers, verdict


def _mget(keys, features=""):
    return f"FS.MGET {payments.VIEW} {keys} " + " ".join(["{key}"] * keys) + features


def _at_the_rate(bench, servers):
    seconds = 3 if bench.quick else SECONDS
    for what, address, command, entities, pipeline in (
            ("single entities, pipeline 16", servers.lookup, ASK, 1, 16),
            ("HMGET of redis-server itself, pipeline 16", servers.address, HMGET, 1, 16),
            (f"{MANY} entities a request", servers.lookup, _mget(MANY), MANY, 1)):
        def offered(rate, for_seconds, address=address, command=command, entities=entities, pipeline=pipeline):
            return servers.load(address, command, rate=rate / entities, pipeline=pipeline, connections=CONNECTIONS,
                                seconds=for_seconds)
        result = offered(RATE, seconds)
        bench.facts[what] = result
        bench.row(f"{what}, {RATE:,.0f} entities/s offered for {seconds} s: answered", "entities/s",
                  result["achieved_per_s"] * entities, "offered", RATE)
        for figure in ("p50_us", "p99_us", "p999_us"):
            bench.row(f"{what}: {figure[:-3]}", "us", result[figure])
        bench.row(f"{what}: highest rate with a p99 under 1 ms", "entities/s", _highest(offered, bench.quick))


def _highest(offered, quick):
    """The highest of the rates that were tried, each closer to the border than the one before."""
    def keeps(rate):
        result = offered(rate, 1 if quick else SEARCH_SECONDS)
        return result["p99_us"] < MOST_P99_US and result["unsent"] == 0
    good, step = 0.0, RATE / 2
    while step > RATE / 32:
        if keeps(good + step):
            good += step
        else:
            step /= 2
    return good


def _large_requests(bench, servers):
    names = [f"f{i}_{window}" for window in WINDOWS for i in range(len(AGGREGATES))]
    ask = _mget(BIG_ROWS, f" FEATURES {FIELDS} " + " ".join(names))
    hmget = "HMGET h:{key} " + " ".join(f"f{i}" for i in range(FIELDS))
    what = f"{BIG_ROWS} entities x {FIELDS} features"
    rates = []

    def ours():
        result = servers.load(servers.lookup, ask, connections=8)
        rates.append(result["achieved_per_s"])
        return {"entities": result["achieved_per_s"] * BIG_ROWS}

    def theirs():
        return {"entities": servers.load(servers.address, hmget, pipeline=BIG_ROWS, connections=8)["achieved_per_s"]}

    bench.compare([(what, "entities/s", "entities")], ours, theirs, f"HMGETs of {FIELDS} fields, pipeline {BIG_ROWS}")
    half = sorted(rates)[len(rates) // 2] / 2
    result = servers.load(servers.lookup, ask, rate=half, connections=8, seconds=2 if bench.quick else 20)
    for figure in ("p50_us", "p99_us"):
        bench.row(f"{what}, half of saturation ({half:,.0f} requests/s): {figure[:-3]}", "us", result[figure])
