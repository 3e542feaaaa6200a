#!/usr/bin/env python3
"""Nodes over a primary, its replica and three sentinels: fail-overs under load, one of which loses what was acked. Every
value equals the oracle's after each, and a former primary is not written to."""
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "chaos"))

from services import Node, Redis

from config import configuration
from redis_sentinels import Sentinels
from test_faults import FaultTest, setUpModule  # noqa: F401: unittest calls it

PASSWORD = "of-the-sentinels"


class SentinelTest(FaultTest):
    def setUp(self):
        super().setUp()
        replica = self.directory / "replica"
        replica.mkdir()
        self.replica = Redis(replica, "--replicaof", "127.0.0.1", str(self.redis.port), "--repl-diskless-sync-delay", "0")
        self.addCleanup(self.replica.stop)
        self.wait_for_link(self.replica)
        self.sentinels = Sentinels(self.directory, self.redis.port, password=PASSWORD)
        self.addCleanup(self.sentinels.stop)

    def node(self, instance, letters, start, ready_within=60):
        def text(lookup):
            plain = configuration(self.broker.brokers, "REDIS", lookup, self.topic, self.topic, letters, instance, start)
            return plain.replace('address: "REDIS"', self.sentinels.yaml())
        node = Node(f"node{len(self.nodes)}", self.directory, text)
        self.addCleanup(node.end)
        self.nodes.append(node)
        return node.start(ready_within)

    def replication(self, server):
        return dict(line.split(":", 1) for line in server.command("INFO", "replication").decode().splitlines() if ":" in line)

    def wait_for_link(self, replica):
        Sentinels._wait(lambda: self.replication(replica).get("master_link_status") == "up", "the replica is in step")

    def written(self, server):
        """How often it has run a script that writes, by the nodes or anybody."""
        return sum(int(line.split("calls=")[1].split(",")[0]) for line in
                   server.command("INFO", "commandstats").decode().splitlines() if line.startswith("cmdstat_evalsha:"))

    def all_connected_to(self, server):
        where = f"connected to redis 127.0.0.1:{server.port}"
        return all(node.statuses().get("redis") == where for node in self.nodes)

    def test_a_fail_over_that_loses_what_was_acked(self):
        """It is counted again; look-ups go on; the former primary comes back and gets no writes."""
        self.prepare(nodes=2)
        # The replica is in step no more, and cannot say so to the nodes, whose writes are acked all the same.
        self.replica.command("CONFIG", "SET", "masteruser", "nobody", "masterauth", "wrong")
        self.redis.command("CLIENT", "KILL", "TYPE", "replica")
        self.wait_for_events(1000)
        self.wait_for_fresh()
        behind = int(self.replication(self.redis)["master_repl_offset"]) - \
            int(self.replication(self.replica)["slave_repl_offset"])
        self.assertGreater(behind, 10_000, "bytes that the replica has not seen")
        with self.redis_away():
            self.redis.kill()
            self.prober.redis_forgets()
            self.sentinels.wait_for_primary(self.replica.port)
            recovered = self.recover()
        self.assertTrue(any("its record has fallen back" in node.log for node in self.nodes), "the loss is noticed")
        self.assertTrue(self.all_connected_to(self.replica))

        self.redis.start()              # as a primary, empty, until a sentinel tells it otherwise
        self.wait(lambda: self.replication(self.redis)["role"] == "slave", "the former primary is told to follow")
        self.wait_for_link(self.redis)
        self.wait_for_events(500)
        self.assertEqual(self.written(self.redis), 0, "nobody but its primary writes to it")
        self.assertGreater(self.written(self.replica), 0)
        self.judge(recovered)

    def test_a_silent_primary_is_replaced_and_goes_on(self):
        """Whoever was connected to it follows the sentinels, though it still takes writes for a moment."""
        self.prepare(nodes=2)
        with self.redis_away():
            self.redis.hold()
            try:
                self.sentinels.wait_for_primary(self.replica.port)
                self.expect_reads()
                self.wait_for_events(500)
            finally:
                self.redis.go_on()
            recovered = self.recover()
        self.wait(lambda: self.replication(self.redis)["role"] == "slave", "the former primary is told to follow")
        self.wait(lambda: self.all_connected_to(self.replica), "all follow")
        self.judge(recovered)

    def test_a_planned_fail_over_and_back(self):
        """What the former primary takes until the nodes have followed is lost with it: counts fall, and rise again."""
        self.prepare(nodes=2)
        for primary, replica in ((self.redis, self.replica), (self.replica, self.redis)):
            self.wait_for_link(replica)
            self.wait(self.sentinels.fail_over, "a sentinel begins it")
            self.sentinels.wait_for_primary(replica.port)
            self.wait(lambda p=primary: self.replication(p)["role"] == "slave", "the former primary follows")
            self.wait(lambda r=replica: self.all_connected_to(r), "all follow")
            self.prober.redis_forgets()
            recovered = self.recover()
            self.prober.complaints[:] = [text for text in self.prober.complaints if " fell from " not in text]
            self.wait(lambda: all(s.state()["flags"] == "master" for s in self.sentinels.all), "the fail-over is over")
        self.judge(recovered)

    def test_sentinels_die_one_after_the_other(self):
        """One that answers is enough, and without any of them the primary stays who it was."""
        self.prepare()
        for sentinel in self.sentinels.all:
            sentinel.stop()
            self.redis.cut_clients()
            self.recover()
        self.wait(lambda: "no sentinel says which redis is the primary" in self.nodes[0].log, "the node tells of it")
        self.judge()


if __name__ == "__main__":
    unittest.main(verbosity=2)
