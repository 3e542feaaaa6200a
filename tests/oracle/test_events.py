"""Decoding: JSON, types, paths, time formats, dead letters; and the files of records."""
import json
import os
import tempfile
import unittest

import times
from configuration import parse_config
from events import DeadLetter, Record, decode, parse, read_plain, read_records, record_line

HEAD = "views: {}\nsources:\n  s:\n    topic: t\n"
FIELDS = "    fields: {i: int, f: float, s: string, b: bool, city: {type: string, path: address.city}}\n"
NOW = 1_700_000_000_000


def source(extra=""):
    return parse_config(HEAD + FIELDS + extra).sources["s"]


def fields(payload, of=source()):
    payload = payload if isinstance(payload, bytes) else payload.encode()
    return decode(of, Record("t", 0, 0, NOW, payload), None)[1]


def reason(payload, of=source(), clock=None):
    payload = payload if isinstance(payload, bytes) else payload.encode()
    try:
        decode(of, Record("t", 0, 0, NOW, payload), clock)
    except DeadLetter as letter:
        return letter.reason
    return None


class Json(unittest.TestCase):
    def test_one_object_valid_to_its_last_byte(self):
        for good in ["{}", " {} \r\n\t", '{"x": [1, {"y": null}]}', '{"s": "\\ud83d\\ude00"}', '{"s":"\\u0000"}']:
            self.assertIsNone(reason(good), good)
        for bad in ["", " ", "[]", "1", "null", '"x"', "{} x", "{}{}", '{"a":1,}', "{'a':1}", '{"a":01}', '{"a":+1}',
                    '{"a":1.}', '{"a":.5}', '{"a":tru}', '{"a":"\n"}', '{"a":"\\x"}', '{"a"}', "{", "\ufeff{}", "\f{}",
                    '{"a":NaN}', '{"a":Infinity}', '{"a":-Infinity}', "{/**/}"]:
            self.assertEqual(reason(bad), "json", bad)

    def test_utf8_without_lone_surrogates(self):
        for bad in [b'{"s":"\xff"}', b'{"s":"\xed\xa0\x80"}', b'{"s":"\xc0\x80"}', b"{}\x80", '{"s":"\\ud800"}',
                    '{"x":["\\udc00"]}',
                    '{"\\ud800":1}', '{"s":"\\ud800","s":"a"}', '{"s":"\\ud800x\\udc00"}', '{"x":[["\\udfff", 1]]}']:
            self.assertEqual(reason(bad), "json", bad)

    def test_numbers_fit_64_bits_or_a_finite_double(self):
        for good in [2**64 - 1, -2**63]:
            self.assertIsNone(reason('{"x":[%d]}' % good))
        for bad in [2**64, -2**63 - 1, 10**4999]:
            self.assertEqual(reason('{"x":[%s]}' % (str(bad) if bad < 10**40 else "1" + "0" * 4999)), "json")
        self.assertEqual(reason('{"x":1e400}'), "json")
        self.assertEqual(reason('{"x":-1.0e309,"x":1}'), "json")
        self.assertIsNone(reason('{"x":1e-400}'))
        self.assertIsNone(reason('{"x":100000000000000000000.0}'))

    def test_the_last_of_equal_keys_counts(self):
        self.assertEqual(fields('{"i":1,"i":2}')["i"], 2)
        self.assertEqual(fields('{"i":"x","i":2}')["i"], 2)
        self.assertIsNone(fields('{"i":1,"i":null}')["i"])
        self.assertIsNone(fields('{"address":{"city":"a"},"address":{}}')["city"])


class Types(unittest.TestCase):
    def test_accepts(self):
        self.assertEqual(fields('{"i":-9223372036854775808,"f":1,"s":"","b":false}'),
                         {"i": -2**63, "f": 1.0, "s": "", "b": False, "city": None})
        self.assertIs(type(fields('{"f":1}')["f"]), float)
        self.assertEqual(fields('{"f":18446744073709551615}')["f"], 2.0**64)
        self.assertEqual(fields('{"f":-1.5e2}')["f"], -150.0)

    def test_missing_and_null_are_null(self):
        self.assertEqual(fields('{"i":null,"undeclared":7}'), dict.fromkeys(["i", "f", "s", "b", "city"]))

    def test_errors(self):
        for name, texts in {"i": ["1.0", "1e0", '"1"', "true", "{}", "[]", "9223372036854775808"],
                            "f": ['"1"', "true", "{}", "[]"], "s": ["1", "true", "{}", "[]"],
                            "b": ["0", "1", '"true"', "{}"]}.items():
            for text in texts:
                self.assertEqual(reason('{"%s":%s}' % (name, text)), "type", (name, text))

    def test_paths(self):
        self.assertEqual(fields('{"address":{"city":"x"}}')["city"], "x")
        for text in ["{}", '{"address":5}', '{"address":["city"]}', '{"address":null}', '{"address.city":"x"}',
                     '{"city":"x"}']:
            self.assertIsNone(fields(text)["city"], text)
        self.assertEqual(reason('{"address":{"city":5}}'), "type")


class Times(unittest.TestCase):
    def read(self, form, text, zone="UTC"):
        of = source(f"    max_future: 99999999d\n    time: {{field: meta.at, format: \"{form}\", zone: {zone}}}\n")
        return decode(of, Record("t", 0, 0, NOW, ('{"meta":{"at":%s}}' % text).encode()), None)[0]

    def refuse(self, form, *texts, zone="UTC"):
        for text in texts:
            with self.assertRaises(DeadLetter, msg=text) as caught:
                self.read(form, text, zone)
            self.assertEqual(caught.exception.reason, "time")

    def test_kafka(self):
        self.assertEqual(decode(source(), Record("t", 0, 0, 77, b"{}"), None)[0], 77)

    def test_unix(self):
        self.assertEqual(self.read("unix", "1700000000"), NOW)
        self.assertEqual(self.read("unix", "1700000000.123"), NOW + 123)
        self.assertEqual(self.read("unix", "1700000000.1239"), NOW + 123)
        self.assertEqual(self.read("unix", "1.001"), 1001)
        self.assertEqual(self.read("unix", "-0.0005"), -1)
        self.assertEqual(self.read("unix", "1.7e9"), NOW)
        self.assertEqual(self.read("unix", "1700000000.00099999999999999"), NOW + 1)    # the double is that of .001
        self.refuse("unix", "253402300800", "-62135596801", "-62135596800.001", "null", '"1700000000"', "true", "1e300", "9223372036854775807", "[]")

    def test_unix_ms(self):
        self.assertEqual(self.read("unix_ms", "1700000000000"), NOW)
        self.assertEqual(self.read("unix_ms", "-5"), -5)
        self.refuse("unix_ms", "253402300800000", "-62135596800001", "1700000000000.0", "1.7e12", '"1"', "null", "false", str(2**63))

    def test_iso8601(self):
        for text in ["2023-11-14T22:13:20Z", "2023-11-14T23:13:20+01:00", "2023-11-14t22:13:20.000z",
                     "2023-11-14T16:43:20-05:30",
                     "2023-11-14T22:13:20.0009Z", "2023-11-14T22:13:20-00:00", "2023-11-15T22:12:20+23:59"]:
            self.assertEqual(self.read("iso8601", f'"{text}"'), NOW, text)
        self.assertEqual(self.read("iso8601", '"2024-05-01T10:00:00.250Z"'), 1_714_557_600_250)
        self.assertEqual(self.read("iso8601", '"1969-12-31T23:59:59.5Z"'), -500)
        self.assertEqual(self.read("iso8601", '"0001-01-01T00:00:00Z"'), -62_135_596_800_000)
        self.refuse("iso8601", '"0000-03-01T00:00:00Z"', '"0001-01-01T00:00:00+00:01"', '"9999-12-31T23:59:59-00:01"')
        self.refuse("iso8601", *(f'"{text}"' for text in [
            "2023-11-14T22:13:20", "2023-11-14", "2023-11-14T22:13Z", "2023-02-29T00:00:00Z", "2023-11-14T24:00:00Z",
            "2023-11-14T22:60:00Z", "2023-11-14T22:13:60Z", "2023-11-14T22:13:20+0100", "2023-11-14T22:13:20+24:00",
            "2023-11-14T22:13:20.Z", "2023-13-01T00:00:00Z", " 2023-11-14T22:13:20Z", "2023-11-14T22:13:20Z ", ""]),
                    "5")

    def test_patterns(self):
        self.assertEqual(self.read("%Y/%m/%d %H:%M", '"2023/11/14 22:13"'), NOW - 20_000)
        self.assertEqual(self.read("%Y%m%d%H%M%S", '"20231114221320"'), NOW)
        self.assertEqual(self.read("%Y", '"1970"'), 0)
        self.refuse("%Y/%m/%d", '"2023/2/03"', '"2023/02/30"', '"2023/02/03 "', '"2023-02-03"', '"２０２３/02/03"', "null",
                    "20230203")

    def test_zones(self):
        form, zone = "%Y-%m-%d %H:%M", "Europe/Berlin"
        self.assertEqual(self.read(form, '"2023-11-14 23:13"', zone), NOW - 20_000)
        self.assertEqual(self.read(form, '"2023-07-01 02:00"', zone), 1_688_169_600_000)
        first = 1_698_537_600_000 + 30 * times.MINUTE           # 2023-10-29 00:30 UTC, still summer time
        self.assertEqual(self.read(form, '"2023-10-29 02:30"', zone), first)
        self.assertEqual(self.read(form, '"2023-10-29 03:00"', zone), first + 90 * times.MINUTE)
        self.assertEqual(self.read(form, '"2023-03-26 02:30"', zone),       # skipped: read with the offset before
                         self.read(form, '"2023-03-26 03:30"', zone))

    def test_declared_fields_are_read_by_their_path(self):
        of = parse_config(HEAD + "    fields: {ts: {type: int, path: meta.ts}}\n"
                          "    time: {field: ts, format: unix_ms}\n").sources["s"]
        self.assertEqual(decode(of, Record("t", 0, 0, NOW, b'{"ts":1,"meta":{"ts":2}}'), None)[0], 2)


class DeadLetters(unittest.TestCase):
    timed = source("    time: {field: i, format: unix_ms}\n    max_future: 10s\n    max_jump: 1h\n")

    def test_future(self):
        self.assertIsNone(reason('{"i":%d}' % (NOW + 10_000), self.timed))
        self.assertEqual(reason('{"i":%d}' % (NOW + 10_001), self.timed), "future")
        default = source("    time: {field: i, format: unix_ms}\n")
        self.assertIsNone(reason('{"i":%d}' % (NOW + 60_000), default))
        self.assertEqual(reason('{"i":%d}' % (NOW + 60_001), default), "future")

    def test_jump(self):
        self.assertIsNone(reason('{"i":%d}' % NOW, self.timed, clock=None))
        self.assertIsNone(reason('{"i":%d}' % NOW, self.timed, clock=NOW - times.HOUR))
        self.assertEqual(reason('{"i":%d}' % NOW, self.timed, clock=NOW - times.HOUR - 1), "jump")

    def test_the_first_rule_that_fails_names_the_reason(self):
        self.assertEqual(reason('{"i":"x","s":1', self.timed), "json")
        self.assertEqual(reason('{"i":"x"}', self.timed), "type")
        self.assertEqual(reason("{}", self.timed), "time")


class Files(unittest.TestCase):
    def setUp(self):
        handle, self.path = tempfile.mkstemp()
        os.close(handle)
        self.addCleanup(os.remove, self.path)

    def write(self, data):
        with open(self.path, "wb") as file:
            file.write(data)

    def test_records_survive_the_way_through_a_file(self):
        records = [Record("t", 0, 1, NOW, b'{"a": "\xc3\xbc"}'), Record("t", 1, 0, NOW, b"\xff\x00"),
                   Record("t", 1, 1, NOW, None)]
        self.write("\n".join(map(record_line, records)).encode())
        self.assertEqual(list(read_records(self.path)), records)

    def test_lines_that_are_no_records(self):
        for line in ["{", "{}", '{"topic":"t","partition":0,"offset":1,"timestamp":2}', json.dumps(
                {"topic": "t", "partition": 0, "offset": 1, "timestamp": 2, "value_base64": "*"})]:
            self.write(line.encode())
            with self.assertRaisesRegex(ValueError, ":1: not a record"):
                list(read_records(self.path))

    def test_plain(self):
        self.write(b'{"i": 5}\n\nbroken\n{"i": 9}')
        of = source("    time: {field: i, format: unix_ms}\n")
        self.assertEqual(list(read_plain(self.path, of)), [Record("t", 0, 0, 5, b'{"i": 5}'), Record("t", 0, 1, 0, b""),
                                                           Record("t", 0, 2, 0, b"broken"),
                                                           Record("t", 0, 3, 9, b'{"i": 9}')])
        self.assertRaisesRegex(ValueError, "Kafka's timestamp", lambda: list(read_plain(self.path, source())))


class Parse(unittest.TestCase):
    def test_deep_nesting_is_a_dead_letter_not_a_crash(self):
        self.assertRaises(DeadLetter, parse, b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}")


if __name__ == "__main__":
    unittest.main()
