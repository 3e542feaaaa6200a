"""RESP3 for redis-py 4.3, which speaks RESP2 only: there, a float and a text look the same. redis-py 5 and later need none
of this."""
from __future__ import annotations

from collections.abc import Generator
from typing import Any

from redis import asyncio as redis_asyncio
from redis import connection as redis_connection
from redis.exceptions import ConnectionError, InvalidResponse

Reading = Generator[int | None, bytes, Any]


def reply(parser: Any) -> Reading:
    """Reads one reply: yields how many bytes it wants next, or None for a line, and is sent them without their end."""
    line = yield None
    kind, rest = line[:1], line[1:]
    if kind == b"*":
        items = []
        for _ in range(int(rest)):
            items.append((yield from reply(parser)))
        return items
    if kind == b"%":
        pairs = {}
        for _ in range(int(rest)):
            name = yield from reply(parser)
            pairs[name] = yield from reply(parser)
        return pairs
    if kind == b"$":
        return None if rest == b"-1" else parser.encoder.decode((yield int(rest)))
    return _of_line(parser, kind, rest)


def _of_line(parser: Any, kind: bytes, rest: bytes) -> Any:
    match kind:
        case b":":
            return int(rest)
        case b",":
            return float(rest)
        case b"#":
            return rest == b"t"
        case b"_":
            return None
        case b"+":
            return parser.encoder.decode(rest)
        case b"-":
            error = parser.parse_error(rest.decode("utf-8", "replace"))
            if isinstance(error, ConnectionError):
                raise error
            return error                # the connection raises it
    raise InvalidResponse(f"no reply of RESP3 begins so: {(kind + rest)[:40]!r}")


class Parser(redis_connection.PythonParser):  # type: ignore[misc, name-defined]
    def read_response(self, disable_decoding: bool = False) -> Any:
        reading = reply(self)
        wanted = next(reading)
        while True:
            data = self._buffer.readline() if wanted is None else self._buffer.read(wanted)
            try:
                wanted = reading.send(data)
            except StopIteration as end:
                return end.value


class AsyncParser(redis_asyncio.connection.PythonParser):  # type: ignore[misc, name-defined]
    async def read_response(self, disable_decoding: bool = False) -> Any:
        if not self._buffer:
            raise ConnectionError("the connection is closed")
        reading = reply(self)
        wanted = next(reading)
        while True:
            data = await (self._buffer.readline() if wanted is None else self._buffer.read(wanted))
            try:
                wanted = reading.send(data)
            except StopIteration as end:
                return end.value


def greet(connection: Any) -> None:
    connection.on_connect()
    connection.send_command("HELLO", 3)
    connection.read_response()


async def async_greet(connection: Any) -> None:
    await connection.on_connect()
    await connection.send_command("HELLO", 3)
    await connection.read_response()
