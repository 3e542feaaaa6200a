"""A small Kafka client for one broker on this machine, with the few requests that the lab needs. Its producer (record
batches version 2, acks=all, one request at a time) knows of nothing but what the broker acked, and sends again what was
not: then a record may be in the log twice, as with any such producer.

    with Producer(9092, "orders") as producer:
        producer.send({0: [Record(b"key", b"value", 1700000000000)]})       # {0: 17}, the offset of its first record
"""
import contextlib
import socket
import struct
import time
from typing import NamedTuple, Optional

# No such partition yet, no leader, timed out, not enough replicas.
_RETRIABLE = {3, 5, 6, 7, 9, 13, 19, 20, 74, 75}


class Record(NamedTuple):
    key: Optional[bytes]
    value: Optional[bytes]
    timestamp: int


class Refused(RuntimeError):
    """An error of Kafka's that no repetition mends."""


def _crc_table():
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
        table.append(byte)
    return table


_CRC_TABLE = _crc_table()


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ _CRC_TABLE[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


def varint(number):
    """Zigzag, as in records."""
    number = number << 1 ^ number >> 63
    out = bytearray()
    while number & ~0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def _sized(data):
    return varint(-1) if data is None else varint(len(data)) + data


def record_batch(records):
    base = records[0].timestamp
    body = bytearray()
    for index, record in enumerate(records):
        one = b"\0" + varint(record.timestamp - base) + varint(index)
        one += _sized(record.key) + _sized(record.value) + b"\0"
        body += varint(len(one)) + one
    # attributes, last offset delta, first and largest timestamp, no producer, number of records
    after_crc = struct.pack(">hiqqqhii", 0, len(records) - 1, base, max(r.timestamp for r in records), -1, -1, -1,
                            len(records)) + bytes(body)
    # partition leader epoch, magic, crc
    return struct.pack(">qiibI", 0, 9 + len(after_crc), -1, 2, crc32c(after_crc)) + after_crc


def _text(text):
    return struct.pack(">h", len(text)) + text.encode()


def _list(items):
    return struct.pack(">i", len(items)) + b"".join(items)


class Connection:
    """Requests to one broker on this machine, one at a time; any error closes it, the next request opens it again."""

    def __init__(self, port, timeout=5.0):
        self._address = ("127.0.0.1", port)
        self.timeout = timeout
        self._socket = None
        self._correlation = 0

    def close(self):
        if self._socket is not None:
            self._socket.close()
        self._socket = None

    def ask(self, api, version, body):
        if self._socket is None:
            self._socket = socket.create_connection(self._address, self.timeout)
        self._correlation += 1
        request = struct.pack(">hhi", api, version, self._correlation) + _text("chaos") + body
        self._socket.sendall(struct.pack(">i", len(request)) + request)
        (size,) = struct.unpack(">i", self._exactly(4))
        answer = self._exactly(size)
        if struct.unpack_from(">i", answer)[0] != self._correlation:
            raise EOFError("an answer to another request")
        return answer[4:]

    def _exactly(self, size):
        data = bytearray()
        while len(data) < size:
            more = self._socket.recv(size - len(data))
            if not more:
                raise EOFError("Kafka closed the connection")
            data += more
        return bytes(data)


class Admin:
    """Topics, quicker than by Kafka's own tools, which need a JVM each time."""

    def __init__(self, port):
        self._connection = Connection(port, timeout=30.0)

    def close(self):
        self._connection.close()

    def create_topic(self, name, partitions, **settings):
        """Settings as Kafka names them, with _ for the dots."""
        configs = _list([_text(key.replace("_", ".")) + _text(str(value)) for key, value in settings.items()])
        topic = _text(name) + struct.pack(">ihi", partitions, 1, 0) + configs
        answer = self._connection.ask(19, 2, _list([topic]) + struct.pack(">i?", 30_000, False))
        at = 8                          # throttle, number of topics
        at += 2 + struct.unpack_from(">h", answer, at)[0]
        self._check(f"creating {name}", *struct.unpack_from(">h", answer, at))

    def set_topic(self, name, **settings):
        configs = _list([_text(key.replace("_", ".")) + b"\0" + _text(str(value)) for key, value in settings.items()])
        answer = self._connection.ask(44, 0, _list([b"\2" + _text(name) + configs]) + b"\0")
        self._check(f"changing {name}", *struct.unpack_from(">h", answer, 8))

    def _check(self, what, error):
        if error != 0:
            raise Refused(f"{what}: Kafka's error {error}")


class Producer:
    def __init__(self, port, topic):
        self._connection = Connection(port)
        self._topic = topic

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self._connection.close()

    def send(self, batches, within=120.0, repeated=lambda batches: None):
        """Sends {partition: records} until all are acked; the offset of the first record of each. `repeated` is told
        what is about to be sent again."""
        deadline, offsets, left = time.monotonic() + within, {}, dict(batches)
        while left:
            with contextlib.suppress(OSError, EOFError, struct.error):
                for partition, (error, offset) in self._produce(left).items():
                    if error == 0:
                        offsets[partition] = offset
                        del left[partition]
                    elif error not in _RETRIABLE:
                        raise Refused(f"{self._topic}[{partition}]: Kafka's error {error}")
                if not left:
                    break
            self.close()
            if time.monotonic() > deadline:
                raise TimeoutError(f"Kafka took nothing within {within} s")
            time.sleep(0.05)            # the pause between attempts
            repeated(left)
        return offsets

    def _produce(self, batches):
        partitions = []
        for partition, records in batches.items():
            data = record_batch(records)
            partitions.append(struct.pack(">ii", partition, len(data)) + data)
        body = struct.pack(">hhi", -1, -1, int(self._connection.timeout * 1000))
        answer = self._connection.ask(0, 7, body + _list([_text(self._topic) + _list(partitions)]))
        at = 4                          # number of topics
        at += 2 + struct.unpack_from(">h", answer, at)[0]
        (count,), at = struct.unpack_from(">i", answer, at), at + 4
        found = {}
        for _ in range(count):
            partition, error, offset, _, _ = struct.unpack_from(">ihqqq", answer, at)
            at += 30
            found[partition] = (error, offset)
        return found
