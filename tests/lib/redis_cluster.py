"""A Redis Cluster of Debian's redis-server at 127.0.0.1 for tests, joined within a second or two, nothing kept."""
import binascii
import signal
import socket
import subprocess
import time

from resp import RespClient, RespError

SLOTS = 16384
WITHIN = 30


def slot_of(key):
    """The slot of a key (bytes); the part in braces counts."""
    begin = key.find(b"{")
    end = key.find(b"}", begin + 1)
    if begin >= 0 and end > begin + 1:
        key = key[begin + 1:end]
    return binascii.crc_hqx(key, 0) % SLOTS


def _free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for s in sockets:
        s.bind(("127.0.0.1", 0))
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


class Node:
    def __init__(self, directory, number, tls):
        self.port, self.bus_port, self.tls_port = _free_ports(3)
        self._tls = ["--tls-port", str(self.tls_port), "--tls-cluster", "yes", "--tls-replication", "yes", *tls] if tls else []
        self._directory = directory / f"redis-{number}"
        self._directory.mkdir()
        self._process = None
        self.held = False
        self.start()
        self.id = self.call("CLUSTER", "MYID").decode()

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    @property
    def is_up(self):
        return self._process is not None and not self.held

    def start(self, with_copy=False):
        """`with_copy`: with the data as they were saved last."""
        # A replica keeps what it was sent at first as a file, and would come back with that.
        if not with_copy:
            (self._directory / "dump.rdb").unlink(missing_ok=True)
        self._process = subprocess.Popen(
            ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no",
             "--dir", str(self._directory), "--hash-max-listpack-value", "4096", "--cluster-enabled", "yes",
             "--cluster-port", str(self.bus_port), "--cluster-node-timeout", "1500",
             "--cluster-allow-replica-migration", "no", "--repl-diskless-sync-delay", "0", *self._tls],
            stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + WITHIN
        while True:
            try:
                return self.call("PING")
            except (OSError, RespError):
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.02)

    def call(self, *words):
        with RespClient("127.0.0.1", self.port) as client:
            return client.call(*words)

    def role(self):
        """master or slave, as it says itself."""
        return self.call("ROLE")[0].decode()

    def hold(self):
        self._process.send_signal(signal.SIGSTOP)
        self.held = True

    def go_on(self):
        self._process.send_signal(signal.SIGCONT)
        self.held = False

    def kill(self):
        self._process.kill()
        self._process.wait()
        self._process = None

    def stop(self):
        if self.held:
            self.go_on()
        if self.is_up:
            self._process.terminate()
            self._process.wait(10)
            self._process = None


class RedisCluster:
    """`nodes`: the primaries, which share the slots in order, then a replica of each of the first `replicas`. With `tls`,
    options that name certificates, they speak TLS to each other, and to clients at `tls_port`."""

    def __init__(self, directory, primaries=3, replicas=0, tls=()):
        self._directory = directory
        self._tls = tls
        self.nodes = []
        try:
            for number in range(primaries + replicas):
                self._add()
            for number, node in enumerate(self.nodes):
                node.call("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
                if number < primaries:
                    node.call("CLUSTER", "ADDSLOTSRANGE", SLOTS * number // primaries,
                              SLOTS * (number + 1) // primaries - 1)
                if number > 0:
                    self._meet(node)
            self._wait(lambda: self._all_tell(f"cluster_known_nodes:{len(self.nodes)}"), "all nodes know each other")
            for number in range(replicas):
                self.nodes[primaries + number].call("CLUSTER", "REPLICATE", self.nodes[number].id)
            self._wait(lambda: self._all_tell("cluster_state:ok"), "the cluster is up")
            self._wait(lambda: all(b"master_link_status:up" in node.call("INFO", "replication")
                                   for node in self.nodes[primaries:]), "the replicas are in step")
        except BaseException:
            self.stop()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        for node in self.nodes:
            node.stop()

    def primaries(self):
        """The live nodes that serve slots, in the order of their start."""
        ports = {entry[2][1] for entry in next(n for n in self.nodes if n.is_up).call("CLUSTER", "SLOTS")}
        return [node for node in self.nodes if node.is_up and node.port in ports]

    def replica_of(self, primary):
        """One that is in step with it."""
        replicas = primary.call("ROLE")[2]
        return next(node for node in self.nodes if any(int(r[1]) == node.port for r in replicas))

    def is_whole(self):
        """Whether all nodes are up, agree, and every primary has a replica in step."""
        if not all(node.is_up for node in self.nodes) or not self._all_tell("cluster_state:ok"):
            return False
        replicas = [node for node in self.nodes if node.role() == "slave"]
        return len(replicas) * 2 == len(self.nodes) and \
            len({node.call("ROLE")[2] for node in replicas}) == len(replicas) and \
            all(b"master_link_status:up" in node.call("INFO", "replication") for node in replicas)

    def add_primary(self):
        """A node without slots."""
        node = self._add()
        self._meet(node)
        self._wait(lambda: self._all_tell(f"cluster_known_nodes:{len(self.nodes)}"), "the new node is known")
        self._wait(lambda: self._all_tell("cluster_state:ok"), "the new node is part of the cluster")
        return node

    def move_slot(self, slot, source, target):
        """As an operator's tool does it, key by key."""
        target.call("CLUSTER", "SETSLOT", slot, "IMPORTING", source.id)
        source.call("CLUSTER", "SETSLOT", slot, "MIGRATING", target.id)
        while keys := source.call("CLUSTER", "GETKEYSINSLOT", slot, 10):
            source.call("MIGRATE", "127.0.0.1", target.port, "", 0, 5000, "KEYS", *keys)
        for node in [target, source] + [n for n in self.nodes if n.is_up and n not in (source, target)]:
            if b"role:master" in node.call("INFO", "replication"):
                node.call("CLUSTER", "SETSLOT", slot, "NODE", target.id)

    def wait_for_failover(self, dead):
        """Until no live node names `dead` as one that serves slots."""
        def served_by_others():
            return all(all(r[2][1] != dead.port for r in node.call("CLUSTER", "SLOTS"))
                       for node in self.nodes if node.is_up) and self._all_tell("cluster_state:ok")
        self._wait(served_by_others, "a replica has taken over")

    def _add(self):
        self.nodes.append(Node(self._directory, len(self.nodes), self._tls))
        return self.nodes[-1]

    def _meet(self, node):
        node.call("CLUSTER", "MEET", "127.0.0.1", self.nodes[0].port, self.nodes[0].bus_port)

    def _all_tell(self, line):
        return all(line.encode() + b"\r\n" in node.call("CLUSTER", "INFO") for node in self.nodes if node.is_up)

    @staticmethod
    def _wait(condition, what):
        deadline = time.monotonic() + WITHIN
        while not condition():
            if time.monotonic() > deadline:
                raise TimeoutError(f"not within {WITHIN} s: {what}")
            time.sleep(0.02)
