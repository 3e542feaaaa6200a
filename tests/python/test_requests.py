"""Commands as docs/protocol.md has them, replies as the node gives them, and which node is asked when: no I/O."""
import datetime
import sys
import unittest

import lab  # noqa: F401  (finds the package)
import redis

import freshet
from freshet import requests
from freshet.calls import Call, Limits, Node, Nodes


def get(entity="card-17", features=None, at=None, after=None, wait=1.0, with_event=None):
    return requests.get("spend", entity, features, at, after, wait, with_event)


class Commands(unittest.TestCase):
    def test_get(self):
        self.assertEqual(get().arguments, ["FS.GET", "spend", "card-17", "META"])
        self.assertEqual(get(("a", 1, True, False, b"\xff"), ["x", "y"], 5, (3, 41872), 0.2, {"card": "ü"}).arguments,
                         ["FS.GET", "spend", "a", "1", "true", "false", b"\xff", "FEATURES", "2", "x", "y", "AT", "5",
                          "AFTER", "3:41872", "WAIT", "200", "WITH", '{"card": "ü"}', "META"])

    def test_get_many_counts_entities(self):
        request = requests.get_many("pairs", [("a", 1)], None, None, None, 1.0, {"card": "a"})
        self.assertEqual(request.arguments, ["FS.MGET", "pairs", "1", "a", "1", "WITH", '{"card": "a"}', "META"])
        request = requests.get_many("pairs", iter([("a", 1), ("b", 2)]), "x", None, None, 1.0)
        self.assertEqual(request.arguments, ["FS.MGET", "pairs", "2", "a", "1", "b", "2", "FEATURES", "1", "x", "META"])

    def test_vector_takes_values_in_the_order_of_the_keys(self):
        rows = [{"card": "a", "user": 1}, {"user": 2, "card": "b"}]
        self.assertEqual(requests.vector("s", ["v.x"], rows, 7).arguments,
                         ["FS.VECTOR", "s", "AT", "7", "META", "KEYS", "2", "card", "user", "ROWS", "2", "a", "1", "b", "2"])
        request = requests.vector("s", ["v.x"], rows[:1], None, (3, 41872), 0.2, {"card": "a"})
        self.assertEqual(request.arguments,
                         ["FS.VECTOR", "s", "AFTER", "3:41872", "WAIT", "200", "WITH", '{"card": "a"}', "META", "KEYS", "2",
                          "card", "user", "ROWS", "1", "a", "1"])
        self.assertEqual(request.wait, 0.2)
        with self.assertRaisesRegex(freshet.BadArgument, r"row 1 has the keys \['card'\], row 0 has \['card', 'user'\]"):
            requests.vector("s", ["v.x"], [rows[0], {"card": "b"}], None)

    def test_freshness_takes_parts_of_a_second(self):
        self.assertEqual(requests.freshness("spend", 0.2).arguments, ["FS.FRESHNESS", "spend", "0.200000"])
        self.assertEqual(requests.all_freshness(5).arguments, ["FS.FRESHNESS", "5.000000"])

    def test_times(self):
        zone = datetime.timezone(datetime.timedelta(hours=2))
        moment = datetime.datetime(2023, 11, 15, 0, 13, 20, 999_999, zone)
        self.assertEqual(get(at=moment).arguments[-3:-1], ["AT", "1700000000999"])
        self.assertEqual(get(at=datetime.datetime(1969, 12, 31, 23, 59, 59, tzinfo=datetime.timezone.utc)).arguments[-2],
                         "-1000")
        self.assertRaisesRegex(freshet.BadArgument, "has no time zone", get, at=datetime.datetime(2024, 1, 1))

    def test_what_is_no_value_of_an_entity_column_is_refused(self):
        for entity in [1.0, None, ("a", None), (), {}]:
            with self.subTest(entity=entity):
                self.assertRaises(freshet.BadArgument, get, entity)

    def test_an_event_that_is_no_json_is_refused(self):
        for event in [{"amount": float("nan")}, {"amount": b"1"}]:
            self.assertRaisesRegex(freshet.BadArgument, "with_event does not fit JSON", get, with_event=event)

    def test_only_after_makes_a_request_wait(self):
        self.assertEqual((get(wait=9.0).wait, get(after=(0, 1), wait=9.0).wait), (0.0, 9.0))


class Replies(unittest.TestCase):
    def test_names_come_with_the_reply_or_were_asked_for(self):
        row = get().read([{"a": 1, "b": None}, ["fresh", "overflow"], 12, None])
        self.assertEqual((row.to_dict(), row.statuses, row.staleness_ms, row.newest_event_ms),
                         ({"a": 1, "b": None}, {"a": "fresh", "b": "overflow"}, 12, None))
        self.assertEqual(get(features=["b", "a"]).read([[1, 2], ["fresh", "stale"], None, 5]), {"b": 1, "a": 2})

    def test_a_vector_is_put_back_in_the_order_of_the_service(self):
        request = requests.vector("s", ["u.x", "v.y", "u.z"], [{"k": 1}], None)
        row = request.read([[[[1, 3], ["fresh", "stale"], 5, 40], [[2], ["fresh"], 9, 30]]])[0]
        self.assertEqual(list(row.items()), [("u.x", 1), ("v.y", 2), ("u.z", 3)])
        self.assertEqual((row.statuses["u.z"], row.fresh, row.staleness_ms, row.newest_event_ms), ("stale", False, 9, 40))
        self.assertEqual((row.views["v"].staleness_ms, row.views["u"].to_dict()), (9, {"x": 1, "z": 3}))

    def test_the_staleness_of_a_vector_is_not_known_where_one_is_not(self):
        request = requests.vector("s", ["u.x", "v.y"], [{"k": 1}], None)
        row = request.read([[[[1], ["fresh"], 5, None], [[2], ["stale"], None, None]]])[0]
        self.assertEqual((row.staleness_ms, row.newest_event_ms), (None, None))

    def test_other_replies_are_refused(self):
        for request, replies in [(get(), ["OK", [], [[1], ["fresh"], 1, 1], None]),
                                 (get(features=["a"]), [[[1, 2], ["fresh", "fresh"], 1, 1], [[1], [], 1, 1]]),
                                 (requests.get_many("v", ["a"], ["x"], None, None, 1.0), [[], {}, [[]]]),
                                 (requests.views(), [{}]), (requests.status(), [[]]), (requests.freshness("v", 1), [[1]])]:
            for reply in replies:
                with self.subTest(command=request.arguments, reply=reply):
                    self.assertRaises(freshet.BadReply, request.read, reply)


class Addresses(unittest.TestCase):
    def test_as_they_are_written(self):
        for text, host, port, shown in [("node1:7601", "node1", 7601, "node1:7601"), ("node1", "node1", 7600, "node1:7600"),
                                        ("[::1]:7601", "::1", 7601, "[::1]:7601"), ("[::1]", "::1", 7600, "[::1]:7600")]:
            self.assertEqual((Node.parse(text), str(Node.parse(text))), (Node(host, port), shown))

    def test_others_are_refused(self):
        for text in ["", ":7600", "node1:", "node1:http", "node1:0", "node1:65536", "redis://node1:7600"]:
            with self.subTest(text=text):
                self.assertRaisesRegex(freshet.BadArgument, "host:port", Node.parse, text)
        self.assertRaises(freshet.BadArgument, freshet.Client, [])
        self.assertRaises(freshet.BadArgument, freshet.Client, timeout=0)


class Attempts(unittest.TestCase):
    def setUp(self):
        self.time = 0.0
        self.nodes = Nodes(["a", "b"])

    def call(self, wait=0.0, attempts=100, deadline=3.0, backoff=0.1):
        return Call(self.nodes, Limits(1.0, 0.5, deadline, attempts, backoff), wait, lambda: self.time)

    def fail(self, call, seconds=0.0, error=None):
        """One attempt that takes so long; the pause after it."""
        call.node()
        self.time += seconds
        pause = call.failed(error or redis.ConnectionError("gone"))
        self.time += pause
        return pause

    def test_the_pause_grows_with_each_round_over_all_nodes(self):
        call = self.call(deadline=1000.0)
        pauses = [self.fail(call) for _ in range(16)]
        self.assertEqual(set(pauses[::2]), {0.0})
        for round_number, pause in enumerate(pauses[1::2]):
            most = min(0.1 * 2 ** round_number, 1.0)
            self.assertTrue(most / 2 <= pause <= most, pauses)

    def test_no_attempt_begins_that_might_outlast_the_deadline(self):
        call = self.call()
        self.fail(call, 1.4)
        with self.assertRaisesRegex(freshet.Unavailable, r"a:7600: gone; b:7600: gone \(attempts: 2\)"):
            self.fail(call, 0.2)

    def test_what_the_node_was_asked_to_wait_is_no_part_of_the_deadline(self):
        call = self.call(wait=10.0)
        self.fail(call, 1.4)
        self.assertRaises(freshet.Unavailable, self.fail, call, 0.2)

    def test_a_failure_that_another_call_met_too_does_not_skip_a_node(self):
        one, other = self.call(), self.call()
        self.assertEqual(str(one.node()), str(other.node()))
        one.failed(redis.ConnectionError("gone"))
        other.failed(redis.ConnectionError("gone"))
        self.assertEqual((str(one.node()), str(other.node())), ("b:7600", "b:7600"))


if __name__ == "__main__":
    sys.exit(unittest.main(verbosity=2))
