"""Reads the part of YAML that Freshet's configuration files use, and refuses everything else.

Read: block maps and lists, flow maps and lists (nested, over several lines), plain, 'single' and "double"
quoted scalars on one line, comments. Refused with line and column: anchors, aliases, tags, block scalars,
directives, several documents, scalars over several lines, tabs as indentation, a key that occurs twice.
"""
import re


class YamlError(ValueError):
    """Text outside the subset; the message begins with line:column."""


_SIMPLE = {"": None, "~": None, "null": None, "Null": None, "NULL": None,
           "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INTEGER = re.compile(r"[-+]?[0-9]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_ESCAPES = {"0": "\0", "a": "\a", "b": "\b", "t": "\t", "n": "\n", "v": "\v", "f": "\f", "r": "\r", "e": "\x1b",
            " ": " ", '"': '"', "/": "/", "\\": "\\"}
_HEX_ESCAPES = {"x": 2, "u": 4, "U": 8}
_INDICATORS = "-?:,[]{}#&*!|>'\"%@`"
_END_OF_PLAIN = re.compile(r"\n|[ \t]+#|:(?=[ \t\n]|$)|$")
_END_OF_FLOW_PLAIN = re.compile(r"\n|[ \t]+#|:(?=[ \t\n,\[\]{}]|$)|[,\[\]{}]|$")


def load(text):
    """The document as dicts, lists, str, int, float, bool and None."""
    return _Reader(text.replace("\r\n", "\n")).document()


def load_file(path):
    with open(path, encoding="utf-8") as file:
        return load(file.read())


def _resolve(text):
    if text in _SIMPLE:
        return _SIMPLE[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    return text


class _Reader:
    def __init__(self, text):
        self.text = text
        self.at = 0

    def document(self):
        if re.match(r"---[ \t]*(#.*)?(\n|$)", self.text):
            self.at = (self.text + "\n").index("\n") + 1
        column = self.next_token()
        if column is None:
            return None
        value = self.block(column)
        if self.next_token() is not None:
            self.fail("unexpected content (indentation?)")
        return value

    def fail(self, message, at=None):
        at = self.at if at is None else at
        line = self.text.count("\n", 0, at) + 1
        raise YamlError(f"{line}:{at - self.line_start(at) + 1}: {message}")

    def line_start(self, at):
        return self.text.rfind("\n", 0, at) + 1

    def column(self):
        return self.at - self.line_start(self.at)

    def peek(self, length=1):
        return self.text[self.at:self.at + length]

    def next_token(self):
        """Skips blank space and comments, over lines; the column of what follows, or None at the end."""
        self.at = re.compile(r"(?:[ \t\n]|(?:^|(?<=\s))#[^\n]*)*", re.M).match(self.text, self.at).end()
        if self.at >= len(self.text):
            return None
        indentation = self.text[self.line_start(self.at):self.at]
        if not indentation.strip() and "\t" in indentation:
            self.fail("a tab in the indentation")
        return self.column()

    def rest_is_empty(self):
        return re.compile(r"[ \t]*(?:(?<=\s)#[^\n]*)?(?:\n|$)").match(self.text, self.at) is not None

    # ---- block style ----

    def block(self, column):
        """The node that begins here; its further entries begin in the same column."""
        if self.is_dash():
            return self.block_list(column)
        if self.key_ahead():
            return self.block_map(column)
        return self.inline_value()

    def is_dash(self):
        return re.compile(r"-(?=[ \t\n]|$)").match(self.text, self.at) is not None

    def key_ahead(self):
        start = self.at
        if self.peek() in ("[", "{"):
            return False
        try:
            self.scalar(_END_OF_PLAIN)
            return self.is_colon()
        finally:
            self.at = start

    def is_colon(self):
        return re.compile(r":(?=[ \t\n]|$)").match(self.text, self.at) is not None

    def block_map(self, column):
        entries = {}
        while True:
            start = self.at
            if self.is_dash() or not self.key_ahead():
                self.fail("a key is expected here")
            key = self.key(self.scalar(_END_OF_PLAIN), entries, start)
            self.at += 1
            entries[key] = self.value_of_entry(column, list_may_align=True)
            if self.next_token() != column:
                return self.leave(column, entries)

    def block_list(self, column):
        items = []
        while True:
            if not self.is_dash():
                return self.leave(column, items)
            self.at += 1
            items.append(self.value_of_entry(column, list_may_align=False))
            if self.next_token() != column:
                return self.leave(column, items)

    def leave(self, column, node):
        """Ends a node: what follows must stand further left, or (after a list) begin an entry of the map."""
        if self.at < len(self.text) and self.column() > column:
            self.fail("unexpected indentation")
        return node

    def value_of_entry(self, column, list_may_align):
        if self.rest_is_empty():
            next_column = self.next_token()
            if next_column is None or next_column < column:
                return None
            if next_column == column and not (list_may_align and self.is_dash()):
                return None
            return self.block(next_column)
        self.at = re.compile(r"[ \t]*").match(self.text, self.at).end()
        if not list_may_align:
            return self.block(self.column())
        if self.is_dash():
            self.fail("a list cannot begin on the line of its key")
        return self.inline_value()

    def inline_value(self):
        if self.peek() in ("[", "{"):
            value = self.flow()
        else:
            value = self.value_of(self.scalar(_END_OF_PLAIN))
            if self.is_colon():
                self.fail("': ' inside of a plain value; quote it")
        if not self.rest_is_empty():
            self.fail("unexpected text after a value")
        return value

    def key(self, scalar, entries, start):
        text, quoted = scalar
        if text in entries:
            self.fail(f"the key '{text}' occurs twice", start)
        if not text and not quoted:
            self.fail("an empty key", start)
        return text

    @staticmethod
    def value_of(scalar):
        text, quoted = scalar
        return text if quoted else _resolve(text)

    # ---- scalars: (text, whether it was quoted) ----

    def scalar(self, end_of_plain):
        first = self.peek()
        if first == "'":
            match = re.compile(r"'((?:[^'\n]|'')*)'").match(self.text, self.at)
            if not match:
                self.fail("an unterminated single-quoted text")
            self.at = match.end()
            return match[1].replace("''", "'"), True
        if first == '"':
            return self.double_quoted(), True
        if first in _INDICATORS and not (first and first in "-?:" and self.peek(2)[1:] not in ("", " ", "\t", "\n")):
            self.fail(f"a value cannot begin with {first!r} here; quote it")
        end = end_of_plain.search(self.text, self.at).start()
        text = self.text[self.at:end].rstrip(" \t")
        self.at += len(text)
        if end < len(self.text) and self.text[end] == ":":
            self.at = end
        return text, False

    def double_quoted(self):
        match = re.compile(r'"((?:[^"\\\n]|\\[^\n])*)"').match(self.text, self.at)
        if not match:
            self.fail("an unterminated double-quoted text")
        body, parts, at = match[1], [], 0
        while at < len(body):
            if body[at] != "\\":
                parts.append(body[at])
                at += 1
                continue
            kind = body[at + 1]
            at += 2
            if kind in _HEX_ESCAPES:
                digits = body[at:at + _HEX_ESCAPES[kind]]
                if not re.fullmatch(r"[0-9a-fA-F]{%d}" % _HEX_ESCAPES[kind], digits):
                    self.fail(f"\\{kind} without its digits")
                parts.append(chr(int(digits, 16)))
                at += len(digits)
            elif kind in _ESCAPES:
                parts.append(_ESCAPES[kind])
            else:
                self.fail(f"unknown escape \\{kind}")
        self.at = match.end()
        return "".join(parts)

    # ---- flow style ----

    def flow(self):
        first = self.peek()
        if first == "{":
            return self.flow_collection("}", {}, self.flow_entry)
        if first == "[":
            return self.flow_collection("]", [], lambda items: items.append(self.flow()))
        return self.value_of(self.scalar(_END_OF_FLOW_PLAIN))

    def flow_collection(self, closing, collection, read_one):
        opening = self.at
        self.at += 1
        while True:
            if self.next_token() is None:
                self.fail(f"'{closing}' is missing", opening)
            if self.peek() == closing:
                self.at += 1
                return collection
            read_one(collection)
            self.next_token()
            if self.peek() == ",":
                self.at += 1
            elif self.peek() != closing:
                self.fail(f"',' or '{closing}' expected")

    def flow_entry(self, entries):
        start = self.at
        scalar = self.scalar(_END_OF_FLOW_PLAIN)
        key = self.key(scalar, entries, start)
        self.next_token()
        if self.peek() != ":" or not (scalar[1] or re.compile(r":[ \t\n,}\[{]").match(self.text, self.at)):
            self.fail("'key: value' expected")
        self.at += 1
        self.next_token()
        entries[key] = None if self.peek() in (",", "}") else self.flow()
