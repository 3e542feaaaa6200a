"""The language of `where`: compiled against the types of the fields, with three-valued logic as in SQL.

    or-term    = and-term { "or" and-term }
    and-term   = not-term { "and" not-term }
    not-term   = "not" not-term | comparison
    comparison = operand [ op operand | ["not"] "in" "[" operand {"," operand} "]" | "is" ["not"] "null" ]
    operand    = field | number | text | "true" | "false" | "(" or-term ")"

Null is None. A compiled expression is a function of a mapping from field names to values.
"""
import operator
import re

_TOKEN = re.compile(r"""\s*(?:
    (?P<number>-?[0-9]+(?:\.[0-9]+)?(?![\w.]))
  | (?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
  | (?P<word>[A-Za-z_][A-Za-z0-9_]*)
  | (?P<sign>==|!=|<=|>=|<|>|\(|\)|\[|\]|,)
  | (?P<end>$))""", re.X | re.S)
_KEYWORDS = {"and", "or", "not", "in", "is", "null", "true", "false"}
_COMPARISONS = {"==": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le,
                ">": operator.gt, ">=": operator.ge}
_KIND = {"int": "number", "float": "number", "string": "string", "bool": "bool"}


class ExpressionError(ValueError):
    """An expression that is refused when the configuration is read."""


def compile_condition(text, types):
    """A function row -> True, False or None, for `types`: field name -> int, float, string or bool."""
    return _Parser(text, types).condition()


def _tokens(text):
    at = 0
    while True:
        match = _TOKEN.match(text, at)
        if not match:
            raise ExpressionError(f"{text!r}: cannot read from position {at}: {text[at:at + 20]!r}")
        yield match.lastgroup, match[match.lastgroup]
        if match.lastgroup == "end":
            return
        at = match.end()


def _and(left, right):
    def both(row):
        a = left(row)
        if a is False:
            return False
        b = right(row)
        if b is False:
            return False
        return None if a is None or b is None else True
    return both


def _or(left, right):
    def either(row):
        a = left(row)
        if a is True:
            return True
        b = right(row)
        if b is True:
            return True
        return None if a is None or b is None else False
    return either


def _not(inner):
    def negated(row):
        value = inner(row)
        return None if value is None else not value
    return negated


def _compare(sign, left, right):
    holds = _COMPARISONS[sign]

    def compared(row):
        a, b = left(row), right(row)
        return None if a is None or b is None else holds(a, b)
    return compared


class _Parser:
    """Each method returns (kind, function); a kind is number, string or bool."""

    def __init__(self, text, types):
        self.text = text
        self.types = types
        self.tokens = list(_tokens(text))
        self.at = 0

    def condition(self):
        term = self.boolean(self.or_term())
        if self.tokens[self.at][0] != "end":
            self.fail(f"unexpected {self.tokens[self.at][1]!r}")
        return term[1]

    def fail(self, message):
        raise ExpressionError(f"{self.text!r}: {message}")

    def take(self, *spellings):
        kind, spelling = self.tokens[self.at]
        if kind in ("word", "sign") and spelling in spellings:
            self.at += 1
            return spelling
        return None

    def expect(self, spelling):
        if not self.take(spelling):
            self.fail(f"{spelling!r} expected before {self.tokens[self.at][1] or 'the end'!r}")

    def boolean(self, term):
        if term[0] != "bool":
            self.fail(f"a {term[0]} where a condition is needed")
        return term

    def or_term(self):
        return self.chain("or", self.and_term, _or)

    def and_term(self):
        return self.chain("and", self.not_term, _and)

    def chain(self, word, operand, combine):
        term = operand()
        while self.take(word):
            right = self.boolean(operand())
            term = "bool", combine(self.boolean(term)[1], right[1])
        return term

    def not_term(self):
        if self.take("not"):
            return "bool", _not(self.boolean(self.not_term())[1])
        return self.comparison()

    def comparison(self):
        left = self.operand()
        sign = self.take(*_COMPARISONS)
        if sign:
            return self.compared(sign, left, self.operand())
        if self.take("is"):
            negated = self.take("not")
            self.expect("null")
            return "bool", ((lambda row: left[1](row) is not None) if negated else (lambda row: left[1](row) is None))
        if self.take("in"):
            return self.membership(left)
        if self.take("not"):
            self.expect("in")
            return "bool", _not(self.membership(left)[1])
        return left

    def compared(self, sign, left, right):
        if left[0] != right[0]:
            self.fail(f"a {left[0]} cannot be compared with a {right[0]}")
        if left[0] == "bool" and sign not in ("==", "!="):
            self.fail(f"bools have no order: {sign}")
        return "bool", _compare(sign, left[1], right[1])

    def membership(self, left):
        self.expect("[")
        term = self.compared("==", left, self.operand())
        while self.take(","):
            term = "bool", _or(term[1], self.compared("==", left, self.operand())[1])
        self.expect("]")
        return term

    def operand(self):
        if self.take("("):
            term = self.or_term()
            self.expect(")")
            return term
        kind, spelling = self.tokens[self.at]
        self.at += 1
        if kind == "number":
            return self.literal("number", float(spelling) if "." in spelling else int(spelling))
        if kind == "text":
            return self.literal("string", re.sub(r"\\(.)", r"\1", spelling[1:-1], flags=re.S))
        if kind == "word" and spelling in ("true", "false"):
            return self.literal("bool", spelling == "true")
        if kind == "word" and spelling not in _KEYWORDS:
            if spelling not in self.types:
                self.fail(f"there is no field '{spelling}'")
            return _KIND[self.types[spelling]], operator.itemgetter(spelling)
        self.fail(f"a field or a value expected before {spelling or 'the end'!r}")

    @staticmethod
    def literal(kind, value):
        return kind, lambda row: value
