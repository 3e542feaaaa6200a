"""The second half of scripts/demo: runs the node on the flights, shows features, compares all of them."""
import pathlib
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests/oracle"), str(ROOT / "tests/lib")]

from compare import Comparison  # noqa: E402
from configuration import load_config  # noqa: E402
from events import read_records  # noqa: E402
from freshet_process import FreshetProcess, compare_served, fail  # noqa: E402
from oracle import Oracle  # noqa: E402

CONFIG = ROOT / "examples/flights.yaml"
EVENTS = ROOT / "build/datasets/flights.jsonl"
RECORDS = ROOT / "build/datasets/flights-records.jsonl"
INSTANTS = 50
DAY_MS = 86_400_000
SHOWN = {"origin_delays": ["ATL", "LAX", "ORD", "DFW", "PHX"]}


def show(client, view, airports, features):
    print(f"\n{view}, as of the newest flight:\n")
    print(f"{'airport':10}" + "".join(f"{name:>18}" for name in features))
    for airport in airports:
        values = client.call("FS.GET", view, airport, "FEATURES", len(features), *features)
        texts = ["-" if v is None else v.decode() if isinstance(v, bytes) else str(v) for v in values]
        print(f"{airport:10}" + "".join(f"{text[:16]:>18}" for text in texts))


def compare_all(client, oracle):
    comparison = Comparison(oracle)
    for view in oracle.config.views:
        clock = oracle.clock(view)
        instants = [clock - DAY_MS * 89 * i // (INSTANTS - 1) for i in range(INSTANTS)]
        done = [0]

        def progress():
            done[0] += 1
            print(f"\rcomparing {view}: {done[0]} of {INSTANTS} instants", end="", flush=True)

        compare_served(client, oracle, comparison, view, instants, progress=progress)
        print()
    return comparison


def main():
    stay = "--stay" in sys.argv[1:]
    command = ["demo", "-c", str(CONFIG), str(EVENTS), "--record-to", str(RECORDS)]
    with FreshetProcess(command) as node:
        caught_up = node.wait_for_line("caught_up", 120)
        print(f"{caught_up['events']} flights streamed in {caught_up['seconds']:.1f} s")
        client = node.client()
        oracle = Oracle(load_config(CONFIG), read_records(RECORDS))
        shown = list(oracle.config.views["origin_delays"].features)[:7]
        known = sorted(oracle.entities("origin_delays"))
        airports = [a for a in SHOWN["origin_delays"] if a in known] or known[:5]
        show(client, "origin_delays", airports, shown)
        print()
        comparison = compare_all(client, oracle)
        if comparison.mismatches:
            fail(comparison.report())
        if comparison.nontrivial * 2 < comparison.compared:
            fail(f"only {comparison.nontrivial} of {comparison.compared} values are other than 0 or null")
        print(f"\ncompared {comparison.compared} values ({comparison.nontrivial} other than 0 or null) with the oracle: "
              "all equal")
        host, _, port = node.ready["lookup"].rpartition(":")
        print(f"\nask it yourself:\n\n    redis-cli -h {host} -p {port} FS.GET origin_delays {airports[0]}\n")
        if stay:
            print("the node stays up; end it with Ctrl-C", flush=True)
            try:
                while True:
                    time.sleep(3600)
            except KeyboardInterrupt:
                pass
        else:
            print("scripts/demo --stay keeps the node up")


if __name__ == "__main__":
    main()
