"""Stands between clients and a Kafka broker on this machine, and can hold what the broker fetched for them: the broker
is up and answers everything else, as where one connection hangs.

    with KafkaProxy(9092) as proxy:
        node reads by way of 127.0.0.1:proxy.port
        proxy.hold_fetches()
        proxy.go_on()
"""
import socket
import struct
import threading

HOST = "127.0.0.1"
_FETCH, _METADATA, _FIND_COORDINATOR = 1, 3, 10


def _exactly(connection, size):
    data = bytearray()
    while len(data) < size:
        more = connection.recv(min(size - len(data), 1 << 16))
        if not more:
            raise EOFError
        data += more
    return bytes(data)


def _frame(connection):
    """A request or an answer, without its length."""
    return _exactly(connection, struct.unpack(">i", _exactly(connection, 4))[0])


def _send(connection, frame):
    connection.sendall(struct.pack(">i", len(frame)) + frame)


def _address(port):
    """How answers of every version spell a host and its port, behind the length of the host's name."""
    return HOST.encode() + struct.pack(">i", port)


class KafkaProxy:
    def __init__(self, broker_port):
        self.held = 0                   # answers that wait, or have waited, since hold_fetches()
        self._broker_port = broker_port
        self._listener = socket.create_server((HOST, 0))
        self.port = self._listener.getsockname()[1]
        self._may_go_on = threading.Event()
        self._may_go_on.set()
        self._connections = []
        threading.Thread(target=self._accept, name="kafka proxy", daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def hold_fetches(self):
        """From now on no answer to a fetch is passed on; nor, as Kafka answers in order, what comes behind it."""
        self.held = 0
        self._may_go_on.clear()

    def go_on(self):
        self._may_go_on.set()

    def close(self):
        self.go_on()
        self._listener.shutdown(socket.SHUT_RDWR)       # ends accept()
        self._listener.close()
        for connection in self._connections:
            connection.close()

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return                  # closed
            self._connections.append(client)
            try:
                broker = socket.create_connection((HOST, self._broker_port))
            except OSError:
                client.close()          # there is no broker
                continue
            self._connections.append(broker)
            asked = {}                  # correlation -> which request
            for work in (self._requests, self._answers):
                threading.Thread(target=self._until_closed, args=(work, client, broker, asked), daemon=True).start()

    @staticmethod
    def _until_closed(work, client, broker, asked):
        try:
            while True:
                work(client, broker, asked)
        except (OSError, EOFError):
            for connection in (client, broker):
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass                # closed already

    @staticmethod
    def _requests(client, broker, asked):
        frame = _frame(client)
        api, _, correlation = struct.unpack_from(">hhi", frame)
        asked[correlation] = api
        _send(broker, frame)

    def _answers(self, client, broker, asked):
        frame = _frame(broker)
        api = asked.pop(struct.unpack_from(">i", frame)[0])
        if api == _FETCH and not self._may_go_on.is_set():
            self.held += 1
            self._may_go_on.wait()
        if api in (_METADATA, _FIND_COORDINATOR):       # so that the client comes back here
            frame = frame.replace(_address(self._broker_port), _address(self.port))
        _send(client, frame)
