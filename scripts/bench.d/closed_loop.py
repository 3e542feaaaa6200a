"""A client of few connections that send one request each and the next as soon as it is answered (closed loop).

    closed_loop.py FILE --address HOST:PORT --connections N --seconds S --warm-up S [--workers PID...]

FILE is what write_plan() wrote: requests as ready bytes, and how an answer ends. So one program, which does nothing but
send, wait with epoll, receive and look for the end, asks servers of HTTP/1.1 and of RESP alike. It prints JSON:
requests answered, the warm-up's included; of those answered while measured the rate, p50 and p99 in us from the send to
the last byte; and the share of a processor that it took itself. With --workers the connections are spread evenly over
the processes of a server that would not do so by itself. An answer that is no success ends it with an error.
"""
import argparse
import contextlib
import json
import os
import pickle
import select
import socket
import sys
import time

TIMEOUT_SECONDS = 30
MOST_TRIES = 1000       # to reach a given worker


def write_plan(path, requests, lines=None):
    """`lines`: how many lines each answer has (RESP, without nulls); None: it is HTTP with a content-length."""
    path.write_bytes(pickle.dumps((requests, lines)))
    return path


class HttpAnswer:
    """The ends of HTTP's answers in the pieces that come in; a status other than 200 ends the program."""

    def __init__(self):
        self._data, self._size = b"", None

    def ended(self, piece):
        self._data = self._data + piece if self._data else piece
        if self._size is None:
            self._size = self._size_told()
        if self._size is None or len(self._data) < self._size:
            return False
        self._data, self._size = self._data[self._size:], None
        return True

    def _size_told(self):
        body = self._data.find(b"\r\n\r\n") + 4
        if body < 4:
            return None
        if not self._data.startswith(b"HTTP/1.1 200 "):
            raise SystemExit(f"closed_loop: {self._data[:500]!r}")
        head = self._data[:body].lower()
        return body + int(head.split(b"\r\ncontent-length:", 1)[1].split(b"\r\n", 1)[0])


class RespAnswer:
    """The ends of RESP's answers, arrays of so many lines; anything else ends the program."""

    def __init__(self, lines):
        self._lines, self._seen, self._inside = lines, 0, False

    def ended(self, piece):
        if not self._inside and not piece.startswith(b"*"):
            raise SystemExit(f"closed_loop: {piece[:500]!r}")
        self._inside = True
        self._seen += piece.count(b"\n")
        if self._seen > self._lines:
            raise SystemExit(f"closed_loop: an answer of {self._seen} lines, not {self._lines}")
        if self._seen < self._lines:
            return False
        self._seen, self._inside = 0, False
        return True


class Connection:
    def __init__(self, connected, lines):
        self.socket = connected
        self.answer = HttpAnswer() if lines is None else RespAnswer(lines)
        self.sent_at = 0


def connect(address):
    host, port = address.rsplit(":", 1)
    connected = socket.create_connection((host, int(port)), timeout=TIMEOUT_SECONDS)
    connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connected


def worker_of(connected, workers):
    """The process among these that has accepted a connection; None if none has yet."""
    ends = [f":{end[1]:04X}" for end in (connected.getpeername(), connected.getsockname())]
    with open("/proc/net/tcp") as table:
        inodes = [row[9] for row in map(str.split, table) if row[1].endswith(ends[0]) and row[2].endswith(ends[1])]
    for pid in workers:
        for name in os.listdir(f"/proc/{pid}/fd"):
            with contextlib.suppress(OSError):  # closed meanwhile
                if inodes and os.readlink(f"/proc/{pid}/fd/{name}") == f"socket:[{inodes[0]}]":
                    return pid
    return None


def connect_to(address, worker, workers):
    """A connection that this one of the workers has accepted."""
    for _ in range(MOST_TRIES):
        connected = connect(address)
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while (taken_by := worker_of(connected, workers)) is None:
            if time.monotonic() > deadline:
                raise SystemExit("closed_loop: no worker takes a connection")
            time.sleep(0.001)
        if taken_by == worker:
            return connected
        connected.close()
    raise SystemExit(f"closed_loop: worker {worker} takes no connection")


def connect_all(options):
    if not options.workers:
        return [connect(options.address) for _ in range(options.connections)]
    return [connect_to(options.address, options.workers[i % len(options.workers)], options.workers)
            for i in range(options.connections)]


class Client:
    def __init__(self, options, requests, lines):
        self._requests, self._next = requests, 0
        self._poll = select.epoll()
        self._by_fd = {}
        for connected in connect_all(options):
            self._by_fd[connected.fileno()] = Connection(connected, lines)
            self._poll.register(connected.fileno(), select.EPOLLIN)

    def run(self, warm_up, seconds):
        """Returns (ns that each request answered in the warm-up took, in the measured time, share of a processor)."""
        for connection in self._by_fd.values():
            self._send(connection)
        before = []
        self._until(time.perf_counter_ns() + int(warm_up * 1e9), before)
        took, cpu = [], time.process_time()
        self._until(time.perf_counter_ns() + int(seconds * 1e9), took)
        return before, took, (time.process_time() - cpu) / seconds

    def _send(self, connection):
        request = self._requests[self._next]
        self._next = (self._next + 1) % len(self._requests)
        connection.sent_at = time.perf_counter_ns()
        connection.socket.sendall(request)

    def _until(self, end, took):
        while time.perf_counter_ns() < end:
            ready = self._poll.poll(TIMEOUT_SECONDS)
            if not ready:
                raise SystemExit(f"closed_loop: no answer for {TIMEOUT_SECONDS} s")
            for fd, _ in ready:
                connection = self._by_fd[fd]
                piece = connection.socket.recv(1 << 18)
                if not piece:
                    raise SystemExit("closed_loop: the server closed a connection")
                if connection.answer.ended(piece):
                    now = time.perf_counter_ns()
                    took.append(now - connection.sent_at)
                    self._send(connection)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("plan")
    parser.add_argument("--address", required=True)
    parser.add_argument("--connections", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--warm-up", type=float, default=0.5)
    parser.add_argument("--workers", type=int, nargs="*", default=[])
    options = parser.parse_args()
    with open(options.plan, "rb") as file:
        requests, lines = pickle.load(file)
    before, took, share = Client(options, requests, lines).run(options.warm_up, options.seconds)
    if not took:
        raise SystemExit("closed_loop: nothing was answered")
    took.sort()
    print(json.dumps({"requests": len(before) + len(took), "achieved_per_s": len(took) / options.seconds,
                      "client_share": share,
                      **{f"p{p}_us": took[min(len(took) - 1, len(took) * p // 100)] / 1e3 for p in (50, 99)}}))


if __name__ == "__main__":
    sys.exit(main())
