"""The benchmark's client sees the end of each answer, however the answers come in."""
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "scripts" / "bench.d"))

from closed_loop import HttpAnswer, RespAnswer

HTTP = b"HTTP/1.1 200 OK\r\ndate: today\r\nContent-Length: 7\r\n\r\n{\"a\":1}"
RESP = b"*1\r\n*2\r\n:1\r\n$3\r\n1.5\r\n"


def ends(answer, data, size):
    """Where the answer is told to have ended when `data` comes in pieces of a size."""
    return [at + size for at in range(0, len(data), size) if answer.ended(data[at:at + size])]


class Ends(unittest.TestCase):
    def test_in_pieces(self):
        for make, data in ((HttpAnswer, HTTP), (lambda: RespAnswer(5), RESP)):
            for size in (divisor for divisor in range(1, len(data) + 1) if len(data) % divisor == 0):
                with self.subTest(data=data, size=size):
                    self.assertEqual(ends(make(), data * 2, size), [len(data), 2 * len(data)])

    def test_errors_end_the_program(self):
        for answer, data in ((HttpAnswer(), b"HTTP/1.1 500 no\r\nContent-Length: 0\r\n\r\n"),
                             (RespAnswer(1), b"-ERR no\r\n"), (RespAnswer(4), RESP)):
            with self.subTest(data=data), self.assertRaises(SystemExit):
                answer.ended(data)


if __name__ == "__main__":
    unittest.main()
