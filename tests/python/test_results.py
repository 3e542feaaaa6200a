"""Rows as matrices and frames. What needs pandas is skipped, and says so, where it is not installed."""
import importlib.util
import math
import unittest

import lab  # noqa: F401  (finds the package)
import numpy

import freshet
from freshet import Row, Rows

HAS_PANDAS = importlib.util.find_spec("pandas") is not None
FEATURES = ["count", "mean", "last", "online"]


def row(entity, values, staleness=5, newest=1_700_000_000_000):
    return Row(entity, dict(zip(FEATURES, values)), dict.fromkeys(FEATURES, "fresh"), staleness, newest)


def rows(*entities):
    values = [(3, 1.5, "NL", True), (None, None, None, None), (2**53 + 1, -0.5, "12.5", False)]
    return Rows(FEATURES, [row(entity, each) for entity, each in zip(entities, values)])


class Matrices(unittest.TestCase):
    def test_numbers(self):
        numbers = Rows(["count", "mean", "online"], rows("a", "b")[:]).to_numpy()
        self.assertEqual((numbers.dtype, numbers.shape), (numpy.dtype(float), (2, 3)))
        self.assertEqual(numbers[0].tolist(), [3.0, 1.5, 1.0])
        self.assertTrue(all(map(math.isnan, numbers[1])))
        self.assertEqual(Rows(["count"], rows("a")[:]).to_numpy(dtype="float32").dtype, numpy.dtype("float32"))

    def test_texts_are_not_taken_for_numbers(self):
        with self.assertRaisesRegex(freshet.BadArgument, "feature last has texts, such as 'NL'"):
            rows("a").to_numpy()

    def test_objects_are_kept_as_they_are(self):
        self.assertEqual(rows("a", "b", "c").to_numpy(dtype=object).tolist(),
                         [[3, 1.5, "NL", True], [None] * 4, [2**53 + 1, -0.5, "12.5", False]])

    def test_no_rows(self):
        self.assertEqual(Rows(FEATURES, []).to_numpy().shape, (0, 4))


@unittest.skipUnless(HAS_PANDAS, "python3-pandas is not installed")
class Frames(unittest.TestCase):
    def test_columns_have_types_and_nulls(self):
        frame = rows("a", "b", "c").to_pandas()
        self.assertEqual([str(kind) for kind in frame.dtypes], ["Int64", "float64", "string", "boolean"])
        self.assertEqual((frame.loc["c", "count"], frame.loc["c", "last"]), (2**53 + 1, "12.5"))
        self.assertTrue(frame.loc["b"].isna().all())
        self.assertEqual(list(frame.index), ["a", "b", "c"])

    def test_what_is_said_of_the_values(self):
        frame = rows("a").to_pandas(meta=True)
        self.assertEqual(list(frame.columns), [*FEATURES, *(f"{name}.status" for name in FEATURES), "staleness_ms",
                                               "newest_event_ms"])
        self.assertEqual((frame.loc["a", "last.status"], frame.loc["a", "staleness_ms"]), ("fresh", 5))
        unknown = Rows(FEATURES, [row("a", (1, 1.0, "x", True), None, None)]).to_pandas(meta=True)
        self.assertTrue(unknown[["staleness_ms", "newest_event_ms"]].isna().all(axis=None))

    def test_entities_are_the_index(self):
        self.assertEqual(list(rows(("a", 1), ("b", 2)).to_pandas().index), [("a", 1), ("b", 2)])
        vector = rows({"card": "a", "user": 1}, {"user": 2, "card": "b"}).to_pandas()
        self.assertEqual((list(vector.index.names), list(vector.index)), (["card", "user"], [("a", 1), ("b", 2)]))
        single = rows({"card": "a"}).to_pandas()
        self.assertEqual((single.index.name, list(single.index)), ("card", ["a"]))

    def test_no_rows(self):
        self.assertEqual(Rows(FEATURES, []).to_pandas(meta=True).shape, (0, 10))


class Entities(unittest.TestCase):
    def test_scalars_of_numpy(self):
        from freshet import requests
        entity = (numpy.int64(7), numpy.bool_(True), numpy.str_("x"))
        self.assertEqual(requests.get("v", entity, None, None, None, 1.0, None).arguments[2:5], ["7", "true", "x"])
        self.assertRaises(freshet.BadArgument, requests.get, "v", numpy.float64(7), None, None, None, 1.0, None)


if __name__ == "__main__":
    unittest.main(verbosity=2)
