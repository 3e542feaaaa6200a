"""The `where` language: three-valued logic, binding, types."""
import unittest

from expression import ExpressionError, compile_condition

TYPES = {"i": "int", "j": "int", "f": "float", "s": "string", "b": "bool", "c": "bool"}
NULLS = dict.fromkeys(TYPES)


def holds(text, **row):
    return compile_condition(text, TYPES)({**NULLS, **row})


class ThreeValues(unittest.TestCase):
    def test_tables_of_and_or_not(self):
        values = (True, False, None)
        both = {(True, True): True, (True, None): None, (None, True): None, (None, None): None}
        either = {(False, False): False, (False, None): None, (None, False): None, (None, None): None}
        for b in values:
            self.assertIs(holds("not b", b=b), {True: False, False: True, None: None}[b])
            for c in values:
                self.assertIs(holds("b and c", b=b, c=c), both.get((b, c), False))
                self.assertIs(holds("b or c", b=b, c=c), either.get((b, c), True))

    def test_comparison_with_null_is_null(self):
        for sign in ("==", "!=", "<", "<=", ">", ">="):
            self.assertIsNone(holds(f"i {sign} 1"))
            self.assertIsNone(holds(f"1 {sign} i"))
        self.assertIsNone(holds("i == j"))
        self.assertIsNone(holds("i in [1, 2]"))
        self.assertIsNone(holds("i not in [1, 2]"))

    def test_is_null(self):
        self.assertIs(holds("i is null"), True)
        self.assertIs(holds("i is not null"), False)
        self.assertIs(holds("i is null", i=0), False)
        self.assertIs(holds("not i is null", i=0), True)
        self.assertIs(holds("(i > 1) is null"), True)


class Binding(unittest.TestCase):
    def test_or_and_not_comparison(self):
        self.assertIs(holds("true or true and false"), True)
        self.assertIs(holds("(true or true) and false"), False)
        self.assertIs(holds("not b and c", b=True, c=False), False)
        self.assertIs(holds("not (b and c)", b=True, c=False), True)
        self.assertIs(holds("not i == 1", i=2), True)
        self.assertIs(holds("not not b", b=True), True)
        self.assertIs(holds("not i in [1]", i=1), False)
        self.assertIs(holds("i not in [1, 3]", i=2), True)
        self.assertIs(holds("(i > 1) == b", i=2, b=True), True)


class Values(unittest.TestCase):
    def test_numbers_compare_exactly(self):
        self.assertIs(holds("i == f", i=2**53 + 1, f=float(2**53)), False)
        self.assertIs(holds("i > f", i=2**53 + 1, f=float(2**53)), True)
        self.assertIs(holds("i == 1.0", i=1), True)
        self.assertIs(holds("f == 0.1", f=0.1), True)
        self.assertIs(holds("f == 0", f=-0.0), True)
        self.assertIs(holds("i>=-60 and i<-59", i=-60), True)
        self.assertIs(holds("i == 9223372036854775807", i=2**63 - 1), True)

    def test_strings_compare_by_bytes(self):
        self.assertIs(holds("s < 'b'", s="B"), True)
        self.assertIs(holds("s > '\uffff'", s="\U00010000"), True)      # UTF-16 would say otherwise
        self.assertIs(holds('s == "a\\"b"', s='a"b'), True)
        self.assertIs(holds(r"s == 'a\'\\n\n'", s="a'\\nn"), True)
        self.assertIs(holds("s in ['x', \"and\"]", s="and"), True)

    def test_bools(self):
        self.assertIs(holds("b == true", b=False), False)
        self.assertIs(holds("b != c", b=False, c=True), True)
        self.assertIs(holds("b in [true]", b=True), True)
        self.assertIs(holds("b", b=True), True)
        self.assertIsNone(holds("b"))


class Refuses(unittest.TestCase):
    def test_wrong_types_and_forms(self):
        for text in ["", "i", "1", "'x'", "i and b", "not i", "i == 's'", "i == b", "b == 1", "b < c", "s > 1",
                     "x == 1",
                     "i in ['a']", "i in []", "i in [1,]", "i in 1", "i == null", "null", "i = 1", "i == 1 == b",
                     "i <> 1",
                     "(i == 1", "i == 1)", "i is 1", "i not 1", "b b", "i == 1e3", "i == .5", "i == 5.", "i == 0x10",
                     "b && c", "s == 'x", "i + 1 == 2", "i == 1x", "b AND c", "in == 1", "b or", "and b", "i == --1"]:
            with self.subTest(text):
                self.assertRaises(ExpressionError, compile_condition, text, TYPES)


if __name__ == "__main__":
    unittest.main()
