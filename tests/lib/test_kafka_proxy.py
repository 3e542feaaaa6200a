"""The proxy, with a broker that answers every request with the address it is known by."""
import socket
import struct
import threading
import unittest

from kafka_proxy import HOST, KafkaProxy, _frame, _send

PRODUCE, FETCH, METADATA = 0, 1, 3


class Proxy(unittest.TestCase):
    def setUp(self):
        listener = socket.create_server((HOST, 0))
        self.addCleanup(listener.close)
        self.broker_port = listener.getsockname()[1]
        self.proxy = KafkaProxy(self.broker_port)
        self.addCleanup(self.proxy.close)
        self.client = socket.create_connection((HOST, self.proxy.port), timeout=10)
        self.addCleanup(self.client.close)
        broker, _ = listener.accept()
        self.addCleanup(broker.close)
        thread = threading.Thread(target=self._answer, args=(broker,), daemon=True)
        thread.start()

    def _answer(self, broker):
        try:
            while True:
                _send(broker, _frame(broker)[4:8] + HOST.encode() + struct.pack(">i", self.broker_port))
        except (OSError, EOFError):
            pass

    def ask(self, api, correlation):
        _send(self.client, struct.pack(">hhi", api, 0, correlation))

    def answer(self):
        """(correlation, the port that it names)"""
        frame = _frame(self.client)
        return struct.unpack_from(">i", frame)[0], struct.unpack_from(">i", frame, len(frame) - 4)[0]

    def test_the_broker_is_where_the_proxy_is(self):
        self.ask(METADATA, 1)
        self.assertEqual(self.answer(), (1, self.proxy.port))
        self.ask(PRODUCE, 2)
        self.assertEqual(self.answer(), (2, self.broker_port))

    def test_a_held_fetch_holds_what_is_behind_it_and_comes_in_the_end(self):
        self.ask(FETCH, 1)
        self.assertEqual(self.answer()[0], 1)
        self.proxy.hold_fetches()
        for api, correlation in ((PRODUCE, 2), (FETCH, 3), (PRODUCE, 4)):
            self.ask(api, correlation)
        self.assertEqual(self.answer()[0], 2)
        self.client.settimeout(0.2)
        self.assertRaises(TimeoutError, self.answer)
        self.assertEqual(self.proxy.held, 1)
        self.client.settimeout(10)
        self.proxy.go_on()
        self.assertEqual([self.answer()[0], self.answer()[0]], [3, 4])


if __name__ == "__main__":
    unittest.main()
