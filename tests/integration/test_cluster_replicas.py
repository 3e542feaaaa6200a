#!/usr/bin/env python3
"""Look-ups read from the replicas of a real Redis Cluster: every value equals the oracle's while replicas are silent and
die, slots move and a primary fails over; and while a primary is silent, what its replica tells grows older."""
import re
import time

from support import main

from freshet_process import wait_until
from resp import RespError
from test_cluster import WITHIN, ClusterPipeline, Reader


class ReplicaTest(ClusterPipeline):
    READ_FROM = "replica_preferred"

    def reads(self, nodes):
        """Entities that were read there since the last RESETSTAT."""
        found = [re.search(rb"cmdstat_hvals:calls=(\d+)", node.call("INFO", "commandstats")) for node in nodes]
        return sum(int(calls[1]) for calls in found if calls)

    def store_at(self, primary):
        """An entity of store_orders that stands there."""
        key = next(key for key in primary.call("KEYS", "*{store_orders@1:*}"))
        return re.search(rb"(s\d+)}", key)[1].decode()

    def staleness(self, store):
        with self.node.client() as client:
            row = client.command("FS.GET", "store_orders", store, "FEATURES", 1, "orders_5m", "META")
        return None if isinstance(row, RespError) else row[2]

    def test_values_are_right_and_never_told_younger_than_they_are(self):
        primaries, replicas = self.cluster.nodes[:3], self.cluster.nodes[3:]
        for node in self.cluster.nodes:
            node.call("CONFIG", "SET", "cluster-require-full-coverage", "no")
        self.assertEqual(self.produce(0).wait(), 0)
        self.check(0)

        def replicas_answer():
            for node in self.cluster.nodes:
                node.call("CONFIG", "RESETSTAT")
            self.check(0)
            print(f"reads at replicas {self.reads(replicas)}, at primaries {self.reads(primaries)}")
            return (all(self.reads([replica]) > 100 for replica in replicas) and
                    self.reads(replicas) > 2 * self.reads(primaries))
        wait_until(replicas_answer, WITHIN, "replicas are in step and answer")

        # A replica is silent, then another dies, and slots move, while events come in.
        readers = [Reader(self.node, "store_orders", f"s{i}") for i in range(3)]
        for reader in readers:
            reader.start()
        producer = self.produce(1, rate=400)
        replicas[0].hold()
        held_at = [reader.answers for reader in readers]
        wait_until(lambda: all(reader.answers > before + 10 for reader, before in zip(readers, held_at)), WITHIN,
                   "primaries answer instead")
        replicas[0].go_on()
        replicas[1].kill()
        slots = primaries[2].call("CLUSTER", "SLOTS")
        first = next(entry[0] for entry in slots if entry[2][1] == primaries[0].port)
        for slot in range(first, first + 200):
            self.cluster.move_slot(slot, primaries[0], primaries[2])
        self.assertEqual(producer.wait(), 0)
        self.check(1)
        for reader in readers:
            reader.stop()
            self.assertEqual(reader.wrong, [])

        # A primary is silent and nobody takes over: its replica answers, ever older, and never younger than it is.
        replicas[2].call("CONFIG", "SET", "cluster-replica-no-failover", "yes")
        store = self.store_at(primaries[2])
        primaries[2].hold()
        silent = time.monotonic()
        wait_until(lambda: (self.staleness(store) or 0) > 3_000, WITHIN, "the replica's answers grow older")
        for _ in range(20):
            before = int((time.monotonic() - silent) * 1000)
            self.assertGreaterEqual(self.staleness(store), before)
        primaries[2].go_on()
        replicas[2].call("CONFIG", "SET", "cluster-replica-no-failover", "no")

        # A primary dies amidst writes.
        producer = self.produce(2, rate=400)
        wait_until(lambda: sum(self.recorded()) > sum(self.ends[1]), WITHIN, "events of the third stage are counted")
        primaries[0].kill()
        self.cluster.wait_for_failover(primaries[0])
        self.assertEqual(producer.wait(), 0)
        self.check(2)


if __name__ == "__main__":
    main()
