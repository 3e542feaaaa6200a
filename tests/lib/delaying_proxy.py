"""Stands between clients and a server on this machine, and can let its answers take longer, as where it is far away.

    with DelayingProxy(6379) as proxy:
        node connects to 127.0.0.1:proxy.port
        proxy.delay = 0.3
"""
import socket
import threading
import time

HOST = "127.0.0.1"


class DelayingProxy:
    def __init__(self, port):
        self.delay = 0.0                # seconds, of whatever is answered from now on
        self._server_port = port
        self._listener = socket.create_server((HOST, 0))
        self.port = self._listener.getsockname()[1]
        self._connections = []
        threading.Thread(target=self._accept, name="delaying proxy", daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        for connection in [self._listener, *self._connections]:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            connection.close()

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
                server = socket.create_connection((HOST, self._server_port))
            except OSError:
                return
            self._connections += [client, server]
            for connection in (client, server):
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._pass_on, args=(client, server, lambda: 0.0), daemon=True).start()
            threading.Thread(target=self._pass_on, args=(server, client, lambda: self.delay), daemon=True).start()

    @staticmethod
    def _pass_on(source, target, delay):
        try:
            while data := source.recv(1 << 16):
                time.sleep(delay())
                target.sendall(data)
        except OSError:
            pass
        for connection in (source, target):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
