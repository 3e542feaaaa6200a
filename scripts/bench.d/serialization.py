"""The stored value, and rows of features, against other encodings of the same (docs/decisions/0014)."""
import statistics

OURS = {"head": "freshet", "chunk": "freshet", "row": "resp3"}


def run(bench):
    with bench:
        program = bench.program("serialization")
        seconds = "0.01" if bench.quick else "0.1"
        # It compares what each codec reads with what was written, and ends with an error where that differs.
        cases = bench.json_of([program, "--turns", str(bench.turns), "--seconds", seconds], seconds=1800)
        for case in cases:
            codecs = {codec["codec"]: codec for codec in case["codecs"]}
            label = f"{case['kind']}: {case['what']}"
            ours = codecs.pop(OURS[case["what"]])
            in_place = codecs.pop("freshet in place", None)
            for name, peer in codecs.items():
                bench.row(f"{label}, bytes", "B", ours["bytes"], name, peer["bytes"])
                compare(bench, f"{label}, encode", ours["encode"], name, peer["encode"])
                compare(bench, f"{label}, decode", ours["decode"], name, peer["decode"])
                if in_place:
                    compare(bench, f"{label}, all features in place", in_place["decode"], name, peer["decode"])
        bench.facts["turns"] = cases
        return bench.finish("equal")


def compare(bench, metric, ours, name, theirs):
    """Medians, and the median of the turns' ratios."""
    bench.row(metric, "ns", statistics.median(ours), name, statistics.median(theirs),
              statistics.median(a / b for a, b in zip(ours, theirs)))
