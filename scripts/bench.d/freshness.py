"""How long an event takes from the producer's send to the first answer that holds it, real Kafka and Redis included,
beside the time until a bare consumer has received it, which is Kafka's own; against the events a second that come in
meanwhile."""
import sys

import freshness_plot
import ingest
import payments

TOPIC = "payments"
RATES = (0, 5_000, 20_000, 50_000, 100_000)     # events a second beside the probes
TURNS = 5
PROBES = 400
WARM_SECONDS = 3
SECONDS_A_PROBE = 0.3                           # at most, for as long as the load must last
FIRST_PROBE = 1_000_000


def run(bench):
    with bench:
        kafka = ingest.start_kafka(bench, [TOPIC])
        stream = ingest.Stream(bench, "freshness", kafka, topic=TOPIC)
        turns, probes, rates = (1, 60, RATES[:3]) if bench.quick else (TURNS, PROBES, RATES)
        found = {rate: [] for rate in rates}
        first = FIRST_PROBE
        for turn in range(turns):
            for rate in rates:
                found[rate].append(_measure(bench, kafka, stream, rate, probes, first))
                first += probes
        for rate in rates:
            _report(bench, rate, found[rate])
        _plot(bench, found)
        verdict = _counted_once(stream, first - FIRST_PROBE)
        stream.stop()
    return bench.finish(verdict)


def _measure(bench, kafka, stream, rate, probes, first):
    load = None
    if rate:
        load = ingest.feed(bench, kafka, rate, int(probes * SECONDS_A_PROBE) + WARM_SECONDS, TOPIC)
    try:
        host, port = stream.ready["lookup"].rsplit(":", 1)
        took = bench.json_of([bench.program("freshness"), "--brokers", kafka, "--topic", TOPIC, "--partitions",
                              str(ingest.PARTITIONS), "--port", port, "--view", payments.VIEW, "--probes", str(probes),
                              "--first-entity", str(first)])
    finally:
        if load is not None:
            load.stop()
    print(f"  {rate} events/s: readable {took['readable']}, received {took['received']} ms", file=sys.stderr)
    return took


def _median(values):
    return sorted(values)[len(values) // 2]


def _report(bench, rate, turns):
    for share in ("p50", "p99"):
        ours = _median([turn["readable"][share] for turn in turns])
        theirs = _median([turn["received"][share] for turn in turns])
        bench.row(f"event to readable at {rate:,} events/s, {share}", "ms", ours, "bare consumer", theirs,
                  ours / theirs)


def _plot(bench, found):
    points = [(rate, *(_median([turn[which][share] for turn in turns])
                       for which in ("readable", "received") for share in ("p99", "p50")))
              for rate, turns in found.items()]
    bench.keep("freshness.svg", freshness_plot.svg(points))


def _counted_once(stream, probes):
    """Every probe, of an entity of its own, counts one."""
    host, port = stream.ready["lookup"].rsplit(":", 1)
    with ingest.RespClient(host, int(port)) as client:
        for probe in range(probes):
            count, = client.call("FS.GET", payments.VIEW, FIRST_PROBE + probe, "FEATURES", 1, "count_1d")
            if count != 1:
                return f"DIFFERENT: probe {probe} counts {count}"
    return "equal"
