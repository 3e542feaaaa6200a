"""What the YAML reader reads, and what it refuses."""
import unittest

from yaml_subset import YamlError, load


class Reads(unittest.TestCase):
    def test_block_maps_and_lists(self):
        self.assertEqual(load("a:\n  b: 1\n  c:\n    - x\n    - y: 2\n      z: 3\n    -\n      - 4\n"
                              "d:\n- 5\n- - 6\n  - 7\ne:\n"),
                         {"a": {"b": 1, "c": ["x", {"y": 2, "z": 3}, [4]]}, "d": [5, [6, 7]], "e": None})

    def test_flow_collections_nested_and_over_lines(self):
        self.assertEqual(load('a: {b: [1, {c: "*", d: 1d}], "e":2,\n  f: {g: h,   # comment\n}, i: }\nj: []\nk: {}\n'),
                         {"a": {"b": [1, {"c": "*", "d": "1d"}], "e": 2, "f": {"g": "h"}, "i": None}, "j": [], "k": {}})
        self.assertEqual(load("- {format: '%Y, %m', at: 10:30}\n"), [{"format": "%Y, %m", "at": "10:30"}])

    def test_scalars(self):
        document = load("i: -60\nf: 0.95\ng: 1e3\nt: true\nn: null\ntilde: ~\ns: 'it''s # a'\nd: \"a\\tb\\u00fc\\\"\"\n"
                        "p: a b:c#d  # comment\nw: delay >= -60 and x == \"a\"\nv: 1_000\nq: -x\n'k': 1.\nz: 1d\n")
        self.assertEqual(document, {
            "i": -60, "f": 0.95, "g": 1000.0, "t": True, "n": None, "tilde": None, "s": "it's # a", "d": 'a\tbü"',
            "p": "a b:c#d", "w": 'delay >= -60 and x == "a"', "v": "1_000", "q": "-x", "k": 1.0, "z": "1d"})
        self.assertIs(type(document["i"]), int)

    def test_comments_blank_lines_and_the_document_mark(self):
        self.assertEqual(load("--- # start\n# c\n\na: # c\n  # c\n  b: 1 # c\n\n# c\nc: 2"), {"a": {"b": 1}, "c": 2})
        self.assertIsNone(load("# nothing\n"))
        self.assertEqual(load("a: 1\r\nb: 2\r\n"), {"a": 1, "b": 2})


class Refuses(unittest.TestCase):
    def test_everything_else(self):
        for text in ["a: &x 1", "a: *x", "a: !!str 1", "a: |\n  text", "a: >\n  text", "%YAML 1.2\n---\na: 1",
                     "a: 1\n---\nb: 2", "a: one\n  two", "a: 1\n  b: 2", "a: 1\na: 2", "{a: 1, a: 2}", "\ta: 1",
                     "a:\n\t- 1", "a: b: c", "a: - 1", "? a\n: b", "a: {b: 1", "a: [1, 2", "a: [1 2: 3]", "a: {b, c}",
                     "a: 'x", 'a: "x', 'a: "\\q"', "a: 'x' y", "a: @x", "a: {b: 1} c", "a:\n    b: 1\n  c: 2",
                     "- 1\na: 2", "a: 1\n- 2", "a: {b: x: y}", "a: %x", "a: ,", "a: [,]", "plain\nb: 1"]:
            with self.subTest(text):
                self.assertRaises(YamlError, load, text)

    def test_with_line_and_column(self):
        with self.assertRaisesRegex(YamlError, r"^3:6: "):
            load("a: 1\nb:\n  c: *x\n")


if __name__ == "__main__":
    unittest.main()
