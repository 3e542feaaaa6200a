"""The RESP client against a scripted server, and the promises of the event generator."""
import json
import socket
import threading
import unittest

from generate_events import BAD_SHARES, generate, partitioned, record_line
from resp import ProtocolError, RespClient, RespError, encode_command


class Resp(unittest.TestCase):
    def serve(self, answer, size):
        """A client of a server that reads `size` bytes and then sends `answer`, in small pieces."""
        listener = socket.create_server(("127.0.0.1", 0))
        self.received = bytearray()

        def run():
            connection, _ = listener.accept()
            with connection:
                while len(self.received) < size:
                    self.received += connection.recv(1 << 16)
                for at in range(0, len(answer), 7 if len(answer) < 1000 else 100_000):
                    connection.sendall(answer[at:at + (7 if len(answer) < 1000 else 100_000)])
                connection.shutdown(socket.SHUT_WR)
                while connection.recv(1 << 16):  # what is left unread when it closes would reset the connection
                    pass

        thread = threading.Thread(target=run)
        thread.start()
        client = RespClient("localhost", listener.getsockname()[1], timeout=5)
        self.addCleanup(listener.close)
        self.addCleanup(thread.join)
        self.addCleanup(client.close)
        return client

    def test_commands_are_arrays_of_bulk_strings(self):
        self.assertEqual(encode_command(["GET", "ü", b"\xff", 7]),
                         b"*4\r\n$3\r\nGET\r\n$2\r\n\xc3\xbc\r\n$1\r\n\xff\r\n$1\r\n7\r\n")

    def test_replies_of_every_kind(self):
        commands = [["A"]] * 7
        size = sum(len(encode_command(c)) for c in commands)
        client = self.serve(b"+OK\r\n-NOVIEW no such view\r\n:-3\r\n$-1\r\n$4\r\na\r\nb\r\n*-1\r\n"
                            b"*3\r\n$0\r\n\r\n*1\r\n:1\r\n-X y\r\n", size)
        replies = client.pipeline(commands)
        self.assertEqual(replies, ["OK", RespError("NOVIEW no such view"), -3, None, b"a\r\nb", None,
                                   [b"", [1], RespError("X y")]])
        self.assertEqual(replies[1].code, "NOVIEW")
        self.assertRaises(ProtocolError, client.command, "PING")

    def test_call_raises_errors(self):
        self.assertRaisesRegex(RespError, "RANGE", self.serve(b"-RANGE too old\r\n", 1).call, "A")

    def test_large_pipelines(self):
        commands = [["SET", i, "x" * 1000] for i in range(5000)]
        size = sum(len(encode_command(c)) for c in commands)
        client = self.serve(b"".join(b"$1000\r\n%s\r\n" % (b"y" * 1000) for _ in commands), size)
        self.assertEqual(client.pipeline(commands), [b"y" * 1000] * 5000)

    def test_other_hosts_are_refused(self):
        for host in ["0.0.0.0", "10.0.0.1", "8.8.8.8", "::", "192.168.1.1"]:
            self.assertRaisesRegex(ValueError, "not this machine", RespClient, host, 6379)


class Events(unittest.TestCase):
    def test_the_same_seed_gives_the_same_events(self):
        self.assertEqual(list(generate(4, 500)), list(generate(4, 500)))
        self.assertNotEqual(list(generate(4, 500)), list(generate(5, 500)))
        self.assertEqual(list(generate(4, 500))[:100], list(generate(4, 100)))

    def test_without_mess_all_are_good(self):
        for key, value, timestamp in generate(1, 500, mess=0):
            event = json.loads(value)
            self.assertEqual(sorted(event), ["address", "amount", "customer", "express", "items", "store", "ts"])
            self.assertEqual(event["store"].encode(), key)
            self.assertLessEqual(event["ts"], timestamp)

    def test_timestamps_rise_and_a_key_stays_in_its_partition(self):
        rows = list(partitioned(generate(2, 2000), 4))
        self.assertEqual([row[4] for row in rows], sorted(row[4] for row in rows))
        places = {}
        for partition, _, key, _, _ in rows:
            self.assertEqual(places.setdefault(key, partition) if key is not None else partition, partition)
        for partition in range(4):
            offsets = [row[1] for row in rows if row[0] == partition]
            self.assertEqual(offsets, list(range(len(offsets))))
            self.assertGreater(len(offsets), 50)

    def test_tombstones_and_binary_records_have_lines(self):
        self.assertIsNone(json.loads(record_line(0, 0, None, 5))["value"])
        self.assertEqual(json.loads(record_line(0, 0, b"\xff", 5))["value_base64"], "/w==")

    def test_bad_records_come_in_their_share(self):
        rows = list(generate(3, 50_000))
        self.assertAlmostEqual(sum(value is None for _, value, _ in rows) / len(rows), BAD_SHARES["tombstone"],
                               delta=0.001)


if __name__ == "__main__":
    unittest.main()
