"""A small synchronous RESP2 client for tests. It talks to this machine only.

    with RespClient("127.0.0.1", 7600) as client:
        client.command("PING")                                  # "PONG"
        client.pipeline([["GET", "a"], ["INCR", "a"]])          # [b"...", RespError("ERR ...")]

Replies: simple strings are str, bulk strings bytes, integers int, nulls None, arrays lists, errors RespError.
"""
import ipaddress
import select
import socket


class RespError(Exception):
    """An error reply. `code` is its first word, for example NOVIEW."""

    @property
    def code(self):
        return str(self).split(" ", 1)[0]

    def __eq__(self, other):
        return isinstance(other, RespError) and str(self) == str(other)

    __hash__ = Exception.__hash__


class ProtocolError(Exception):
    """Bytes that are not RESP2, or an end of the connection inside of a reply."""


def encode_command(arguments):
    parts = [b"*%d\r\n" % len(arguments)]
    for argument in arguments:
        data = argument if isinstance(argument, bytes) else str(argument).encode("utf-8")
        parts.append(b"$%d\r\n%s\r\n" % (len(data), data))
    return b"".join(parts)


def _loopback_addresses(host, port):
    """The addresses of a host; refused unless every one is a loopback address."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    for _, _, _, _, address in found:
        if not ipaddress.ip_address(address[0]).is_loopback:
            raise ValueError(f"{host} is not this machine: only 127.0.0.0/8, localhost and ::1 are allowed")
    return found


class RespClient:
    def __init__(self, host="127.0.0.1", port=6379, timeout=10.0):
        self._timeout = timeout
        self._received = bytearray()
        self._at = 0
        self._socket = self._connect(_loopback_addresses(host, port))

    def _connect(self, addresses):
        for index, (family, kind, protocol, _, address) in enumerate(addresses):
            connection = socket.socket(family, kind, protocol)
            connection.settimeout(self._timeout)
            try:
                connection.connect(address)
            except OSError:
                connection.close()
                if index + 1 == len(addresses):
                    raise
                continue
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return connection

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self._socket.close()

    def command(self, *arguments):
        """The reply of one command; an error reply is returned, not raised."""
        return self.pipeline([arguments])[0]

    def call(self, *arguments):
        """The reply of one command; an error reply is raised."""
        reply = self.command(*arguments)
        if isinstance(reply, RespError):
            raise reply
        return reply

    def pipeline(self, commands):
        """The replies of many commands, sent without waiting in between."""
        commands = list(commands)
        self._send(b"".join(map(encode_command, commands)))
        return [self._reply() for _ in commands]

    def send(self, *arguments):
        """Sends a command of which nobody will read the reply: the connection is of no further use."""
        self._send(encode_command(arguments))

    def _send(self, data):
        """Sends while receiving, so that neither side waits for the other with full buffers."""
        view = memoryview(data)
        while view:
            readable, writable, _ = select.select([self._socket], [self._socket], [], self._timeout)
            if readable:
                self._receive()
            if writable:
                view = view[self._socket.send(view[:1 << 16]):]
            if not readable and not writable:
                raise TimeoutError("the server takes no more commands")

    def _receive(self):
        data = self._socket.recv(1 << 16)
        if not data:
            raise ProtocolError("the server closed the connection")
        self._received += data

    def _line(self):
        while (end := self._received.find(b"\r\n", self._at)) < 0:
            self._receive()
        line = bytes(self._received[self._at:end])
        self._advance(end + 2)
        return line

    def _exactly(self, length):
        while len(self._received) < self._at + length + 2:
            self._receive()
        data = bytes(self._received[self._at:self._at + length])
        if self._received[self._at + length:self._at + length + 2] != b"\r\n":
            raise ProtocolError("a bulk string without its end")
        self._advance(self._at + length + 2)
        return data

    def _advance(self, to):
        self._at = to
        if to > 1 << 20 or to == len(self._received):
            del self._received[:to]
            self._at = 0

    def _reply(self):
        line = self._line()
        kind, rest = line[:1], line[1:]
        if kind == b"+":
            return rest.decode("utf-8")
        if kind == b"-":
            return RespError(rest.decode("utf-8", "replace"))
        if kind not in (b":", b"$", b"*"):
            raise ProtocolError(f"unexpected reply {line[:40]!r}")
        number = int(rest)
        if kind == b":":
            return number
        if number < 0:
            return None
        return self._exactly(number) if kind == b"$" else [self._reply() for _ in range(number)]
