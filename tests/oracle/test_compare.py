"""What a comparison accepts and what it reports."""
import unittest

from compare import STANDARD_ERROR, Comparison
from test_oracle import T, config, run


def comparison(features, *column):
    """Over one column x (floats) or n (ints), all events at T."""
    return Comparison(run(config(features), *[(T, {"n": c} if isinstance(c, int) else {"x": c}) for c in column]))


def accepts(aggregate, column, ours, status=None):
    judged = comparison({"f": f"{{{aggregate}, window: 1h}}"}, *column)
    right = judged.add("v", "a", T, "f", ours, status)
    assert right == (not judged.mismatches), judged.report()
    return right


class Rules(unittest.TestCase):
    def check(self, aggregate, column, right, wrong):
        for ours in right:
            self.assertTrue(accepts(aggregate, column, ours), (aggregate, ours))
        for ours in wrong:
            self.assertFalse(accepts(aggregate, column, ours), (aggregate, ours))

    def test_exact_ones(self):
        self.check("count: n", [1, 2], [2, b"2"], [3, None, 2.0, b"2.0", True, b""])
        self.check("sum: n", [2**62, 1], [2**62 + 1, b"4611686018427387905"], [2**62, float(2**62)])
        self.check("min: x", [0.1, 0.3], [0.1, b"0.1", b"1e-1"], [0.1 + 1e-16, 0.3, b"1"])
        self.check("max: n", [1, 3], [3], [1, 3.0])
        self.check("first: n", [7, 3], [7], [3])
        self.check("last: n", [7, 3], [3], [7])

    def test_bools_on_the_wire_are_integers(self):
        judged = Comparison(run(config({"f": "{last: b, window: 1h}"}), (T, {"b": True})))
        for ours, right in [(1, True), (True, True), (b"true", True), (0, False), (2, False), (False, False)]:
            self.assertEqual(judged.add("v", "a", T, "f", ours), right, ours)

    def test_sum_and_mean(self):
        column = [1e6, -1e6, 1.0]
        self.check("sum: x", column, [1.0, 1.0 + 1.9e-3, b"1."], [1.0 + 2.1e-3, 1, None])
        self.check("mean: x", column, [1 / 3, 1 / 3 + 6e-4], [1 / 3 + 7e-4])

    def test_variance_and_stddev(self):
        column = [1e6 - 1.0, 1e6 + 1.0]             # variance 1, rms 1e6
        self.check("variance: x", column, [1.0, 1.0009], [1.0011, -1.0, 0.0])
        self.check("stddev: x", column, [1.0, 1.0004], [1.0006, -1.0])
        self.check("variance: x", [5.5, 5.5], [0.0, 1e-17], [1e-15])

    def test_quantile(self):
        self.check("quantile: x, q: 0.5", [100.0, 200.0, 300.0], [200.0, 202.0, 198.0, b"2.01e2"],
                   [202.1, 197.9, 300.0, 200])
        self.check("quantile: x, q: 0", [0.0], [0.0, 1e-9, -1e-9], [1e-8])
        self.check("quantile: x, q: 0", [1e-20, 1e10], [1e-20, 0.0, 1e-8], [1e-6])
        self.check("quantile: x, q: 1", [-1e-20, -1e10], [-1e-20, 0.0, -1e-8], [-1e-6, 1e-6])
        self.check("quantile: x, q: 0", [1e-4, 1e20], [1e-4, 100.0], [1e3, 0.0, -100.0])

    def test_count_distinct(self):
        self.check("count_distinct: n", range(128), [128], [127, 129])
        self.check("count_distinct: n", range(1000), [1000, 970, 1080], [880, 1120, 1000.0, None])

    def test_the_share_of_large_errors_is_judged_over_the_whole(self):
        off = round(1000 * (1 + 4 * STANDARD_ERROR))
        judged = comparison({"f": "{count_distinct: n, window: 1h}"}, *range(1000))
        for _ in range(200):
            judged.add("v", "a", T, "f", 1005)
        for allowed in (True, True, False):
            self.assertTrue(judged.add("v", "a", T, "f", off))
            self.assertEqual(not judged.mismatches, allowed)
        self.assertIn("3 of 203 estimates", judged.mismatches[0])
        self.assertIn("3 beyond three standard errors", judged.report())

    def test_overflow(self):
        self.assertTrue(accepts("sum: n", [2**62, 2**62], None, "overflow"))
        self.assertFalse(accepts("sum: n", [2**62, 2**62], -2**63, "overflow"))
        self.assertFalse(accepts("sum: n", [2**62, 2**62], None, "ok"))
        self.assertFalse(accepts("sum: x", [1e308, 1e308], 1e308))
        for ours, status in [(None, "overflow"), (1e308, "ok")]:      # by the order of the steps
            self.assertTrue(accepts("sum: x", [1e308, 1e308, -1e308], ours, status))
            self.assertTrue(accepts("mean: x", [1e308, 1e308], ours, status))

    def test_statuses_and_missing(self):
        for status, right in [("ok", True), ("fresh", True), (b"stale", True), ("overflow", False), ("missing", False),
                              (None, True)]:
            self.assertEqual(accepts("count: n", [1], 1, status), right, status)
        judged = comparison({"f": "{count: n, window: 1h}"}, 1)
        self.assertTrue(judged.add("v", "nobody", T, "f", None, "missing"))
        self.assertFalse(judged.add("v", "nobody", T, "f", 0, "missing"))
        self.assertFalse(judged.add("v", "nobody", T, "f", None, "ok"))


class Reports(unittest.TestCase):
    def test_totals_and_descriptions(self):
        judged = comparison({"c": "{count: n, window: 1h}", "m": "{mean: n, window: 1h, where: n > 5}"}, 1, 2)
        judged.add("v", "a", T, "c", 2)
        judged.add("v", "a", T, "c", 3)
        judged.add("v", "a", T, "m", None)
        self.assertEqual((judged.compared, judged.nontrivial), (3, 2))
        self.assertEqual(judged.mismatches, [f"v.c (count) of 'a' at {T}: 3, expected exactly 2"])
        self.assertIn("3 values compared, 2 of them nontrivial, 1 mismatches", judged.report())


if __name__ == "__main__":
    unittest.main()
