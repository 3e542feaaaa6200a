"""The clients when nodes are killed, silent, or out of their mind."""
import asyncio
import time
import unittest

import lab as services
from lab import PATIENT, WITHIN, Cut, ScriptedServer, SilentServer, refusing_address

import freshet
import freshet.aio

ROW = b"*4\r\n*1\r\n:7\r\n*1\r\n$5\r\nfresh\r\n:12\r\n:1700000000000\r\n"
AWAY = b"-UNAVAILABLE redis localhost:6379 did not answer within 500 ms\r\n"


class Asked:
    """The same tests for both clients: `ask` gives the value of one look-up."""

    def client(self, *addresses, **limits):
        raise NotImplementedError

    def ask(self, client, **options):
        raise NotImplementedError

    def server(self, kind, *arguments):
        server = kind(*arguments)
        self.addCleanup(server.close)
        return server

    # ---- what is tried again ----

    def test_unavailable_and_lost_connections_are_tried_again(self):
        node = self.server(ScriptedServer, AWAY, Cut(), Cut(ROW[:9]), ROW)
        client = self.client(node.address, **PATIENT)
        self.assertEqual(self.ask(client), 7)
        self.assertEqual(len(node.asked), 4)

    def test_attempts_are_bounded(self):
        node = self.server(ScriptedServer, AWAY)
        client = self.client(node.address, **(PATIENT | {"attempts": 3}))
        with self.assertRaisesRegex(freshet.Unavailable, r"did not answer within 500 ms \(attempts: 3\)"):
            self.ask(client)
        self.assertEqual(len(node.asked), 3)

    def test_what_is_no_fault_of_the_node_is_not_tried_again(self):
        for code, kind in [("NOVIEW", freshet.UnknownView), ("NOFEATURE", freshet.UnknownFeature),
                           ("BADARG", freshet.BadArgument), ("RANGE", freshet.OutOfRange), ("STALE", freshet.Stale),
                           ("LIMIT", freshet.LimitExceeded), ("BUSY", freshet.Busy), ("ERR", freshet.ServerError)]:
            with self.subTest(code=code):
                node = self.server(ScriptedServer, f"-{code} for a reason\r\n".encode(), ROW)
                other = self.server(ScriptedServer, ROW)
                client = self.client(node.address, other.address, **PATIENT)
                self.assertRaisesRegex(kind, "^for a reason$", self.ask, client)
                self.assertEqual((len(node.asked), len(other.asked)), (1, 0))
                self.assertEqual(self.ask(client), 7)

    def test_a_server_of_something_else(self):
        for reply in [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"+PONG\r\n", b"*2\r\n:1\r\n:2\r\n"]:
            with self.subTest(reply=reply):
                client = self.client(self.server(ScriptedServer, reply).address, **PATIENT)
                self.assertRaises(freshet.BadReply, self.ask, client)

    # ---- which node is asked ----

    def test_the_next_node_is_asked_and_kept(self):
        away, node = self.server(ScriptedServer, AWAY), self.server(ScriptedServer, ROW)
        client = self.client(refusing_address(), away.address, node.address, **PATIENT)
        self.assertEqual([self.ask(client), self.ask(client)], [7, 7])
        self.assertEqual((len(away.asked), len(node.asked)), (1, 2))

    def test_nobody_is_there(self):
        first, second = refusing_address(), refusing_address()
        client = self.client(first, second, **(PATIENT | {"attempts": 4}))
        with self.assertRaises(freshet.Unavailable) as raised:
            self.ask(client)
        self.assertNotIsInstance(raised.exception, freshet.Timeout)
        for told in [first, second, "attempts: 4"]:
            self.assertIn(told, str(raised.exception))

    # ---- silence ----

    def test_silence_is_a_timeout(self):
        began = time.monotonic()
        for server in [self.server(SilentServer), self.server(ScriptedServer, None)]:
            client = self.client(server.address, timeout=0.1, connect_timeout=0.1, deadline=0.5)
            self.assertRaises(freshet.Timeout, self.ask, client)
        self.assertLess(time.monotonic() - began, WITHIN)

    def test_no_attempt_begins_that_might_outlast_the_deadline(self):
        node = self.server(ScriptedServer, None)
        client = self.client(node.address, timeout=0.1, connect_timeout=0.1, deadline=0.25)
        self.assertRaisesRegex(freshet.Timeout, "attempts: 1", self.ask, client)
        self.assertLessEqual(len(node.asked), 1)

    def test_a_silent_node_gives_way_to_the_next(self):
        silent, node = self.server(SilentServer), self.server(ScriptedServer, ROW)
        client = self.client(silent.address, node.address, **(PATIENT | {"timeout": 0.2}))
        self.assertEqual(self.ask(client), 7)

    def test_an_answer_after_its_timeout_is_nobody_elses(self):
        node = self.server(ScriptedServer, None, ROW)
        client = self.client(node.address, **(PATIENT | {"timeout": 0.2}))
        self.assertEqual(self.ask(client), 7)
        self.assertGreater(node.connections, 1)

    def test_a_wait_is_not_mistaken_for_silence(self):
        client = self.client(self.lab.node.address, **(PATIENT | {"timeout": 1.4}))
        with self.assertRaisesRegex(freshet.Busy, "within 1500 ms"):
            self.ask(client, after=(0, 999), wait=1.5)

    # ---- real nodes ----

    def test_a_node_is_killed_and_started_again_between_two_look_ups(self):
        node = self.lab.server(self.id())
        client = self.client(node.address, **PATIENT)
        value = self.ask(client)
        node.kill()
        node.start()
        self.assertEqual((value, self.ask(client)), (5, 5))

    def test_a_second_node_takes_over(self):
        node = self.lab.server(self.id())
        client = self.client(node.address, self.lab.node.address, **PATIENT)
        value = self.ask(client)
        node.kill()
        self.assertEqual((value, self.ask(client)), (5, 5))

    lab = None


class Threads(Asked, unittest.TestCase):
    def client(self, *addresses, **limits):
        client = freshet.Client(addresses, **limits)
        self.addCleanup(client.close)
        return client

    def ask(self, client, **options):
        return client.get("spend", "card-17", ["items_1d"], **options)["items_1d"]

    def test_redis_goes_and_comes_back(self):
        redis = self.lab.second_redis()
        node = self.lab.server(self.id(), redis)
        patient, hasty = self.client(node.address, **PATIENT), self.client(node.address, **(PATIENT | {"attempts": 3}))
        self.assertEqual(patient.get("spend", "card-17").statuses["items_1d"], "missing")
        redis.stop()
        with self.assertRaisesRegex(freshet.Unavailable, f"redis {redis.address}.*attempts: 3"):
            hasty.get("spend", "card-17")
        self.assertEqual(hasty.views(), ["spend", "pairs", "users"])
        redis.start()
        self.assertEqual(patient.get("spend", "card-17").statuses["items_1d"], "missing")


class Tasks(Asked, unittest.TestCase):
    """One event loop a test, in which the client lives."""

    def setUp(self):
        self.runner = asyncio.Runner()
        self.addCleanup(self.runner.close)

    def client(self, *addresses, **limits):
        client = freshet.aio.Client(addresses, **limits)
        self.addCleanup(lambda: self.runner.run(client.close()))
        return client

    def ask(self, client, **options):
        return self.runner.run(client.get("spend", "card-17", ["items_1d"], **options))["items_1d"]

    def test_an_answer_to_a_cancelled_task_is_nobody_elses(self):
        """The first request is cancelled when the node has it; the node answers it, 7, when it has the second one."""
        def answer_both():
            node.connection_of(0).sendall(ROW)
            return ROW.replace(b":7", b":8")

        node = self.server(ScriptedServer, None, answer_both)
        client = self.client(node.address, **PATIENT)

        async def cancel():
            task = asyncio.create_task(client.get("spend", "card-17", ["items_1d"]))
            while not node.asked:
                await asyncio.sleep(0.001)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

        self.runner.run(cancel())
        self.assertEqual(self.ask(client), 8)


def setUpModule():
    Asked.lab = services.Lab()
    unittest.addModuleCleanup(Asked.lab.close)
    with freshet.Client(Asked.lab.node.address, **PATIENT) as client:
        Asked.lab.wait_until_counted(client)


if __name__ == "__main__":
    unittest.main(verbosity=2)
