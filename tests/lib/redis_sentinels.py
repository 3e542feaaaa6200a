"""Sentinels that watch a Redis at 127.0.0.1, for tests: redis-server with --sentinel."""
import signal
import socket
import subprocess
import time

from resp import ProtocolError, RespClient, RespError

WITHIN = 60
MASTER = "counted"


def _free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Sentinel:
    def __init__(self, directory, number, primary_port, quorum, password, down_after_ms):
        self.port = _free_port()
        self._password = password
        config = directory / f"sentinel-{number}.conf"
        config.write_text(f"""
port {self.port}
bind 127.0.0.1
dir {directory}
{f'requirepass {password}' if password else ''}
sentinel monitor {MASTER} 127.0.0.1 {primary_port} {quorum}
sentinel down-after-milliseconds {MASTER} {down_after_ms}
sentinel failover-timeout {MASTER} 5000
""")
        self._process = subprocess.Popen(["redis-server", str(config), "--sentinel"], stdout=subprocess.DEVNULL)

    def call(self, *words):
        with RespClient("127.0.0.1", self.port) as client:
            if self._password:
                client.call("AUTH", self._password)
            return client.call(*words)

    def state(self):
        fields = [f.decode() for f in self.call("SENTINEL", "MASTER", MASTER)]
        return dict(zip(fields[::2], fields[1::2]))

    def primary_port(self):
        return int(self.call("SENTINEL", "GET-MASTER-ADDR-BY-NAME", MASTER)[1])

    def stop(self):
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()


class Sentinels:
    """Three, that agree by two."""

    def __init__(self, directory, primary_port, replicas=1, password="", down_after_ms=1000):
        self._password = password
        self.all = [Sentinel(directory, number, primary_port, 2, password, down_after_ms) for number in range(3)]
        try:
            self._wait(lambda: all(s.state()["num-other-sentinels"] == "2" and int(s.state()["num-slaves"]) == replicas
                                   for s in self.all), "the sentinels know each other and the replicas")
        except BaseException:
            self.stop()
            raise

    def yaml(self):
        """For `redis:` in a configuration."""
        addresses = ", ".join(f"127.0.0.1:{s.port}" for s in self.all)
        return f'sentinel: {{addresses: "{addresses}", master: {MASTER}' + \
            (f", password: {self._password}}}" if self._password else "}")

    def wait_for_primary(self, port):
        """Until all say that it is this one."""
        self._wait(lambda: all(s.primary_port() == port for s in self.all), f"the primary is the one at {port}")

    def fail_over(self):
        """Whether it begins: the sentinels must have seen for a while that a replica is in step."""
        try:
            return self.all[0].call("SENTINEL", "FAILOVER", MASTER) == "OK"
        except RespError:
            return False

    def stop(self):
        for sentinel in self.all:
            sentinel.stop()

    @staticmethod
    def _wait(condition, what):
        deadline = time.monotonic() + WITHIN

        def holds():
            try:
                return condition()
            except (OSError, ProtocolError, RespError):
                return False
        while not holds():
            if time.monotonic() > deadline:
                raise TimeoutError(f"not within {WITHIN} s: {what}")
            time.sleep(0.05)
