"""A Redis Cluster instead of one Redis: three primaries and a replica of each, and what can go wrong with them."""
import time

import services  # noqa: F401  (the paths)

from faults import fault, hold
from redis_cluster import RedisCluster, slot_of
from resp import ProtocolError, RespError

PRIMARIES = 3
WITHIN = 60
SLOTS_A_MOVE = 40
# Beyond the time after which the cluster replaces a primary that is silent (1.5 s).
STALL_SECONDS = (2.5, 4.0)


class Cluster(RedisCluster):
    """Keeps nothing on disk: a primary that ends has forgotten all, its replica has what it was sent."""

    def __init__(self, directory):
        super().__init__(directory, primaries=PRIMARIES, replicas=PRIMARIES)

    @property
    def address(self):
        return ", ".join(node.address for node in self.nodes)

    def save(self):
        """Nothing goes back to a snapshot here."""

    def answers(self):
        try:
            return self.is_whole()
        except (OSError, ProtocolError, RespError, TimeoutError):
            return False


def _primary(lab):
    return lab.random.choice(lab.redis.primaries())


def _whole(lab):
    """Every primary has a replica in step again, so that the next fault finds a cluster."""
    lab.until(lab.redis.answers, WITHIN, "every primary has a replica in step")


def _replaced(lab, primary, lose_writes=0.0):
    """A primary dies, and its replica takes over with what it has; the moment when it has."""
    replica = lab.redis.replica_of(primary)
    if lose_writes:
        replica.call("CONFIG", "SET", "masterauth", "refused")
        primary.call("CLIENT", "KILL", "TYPE", "replica")
        hold(lose_writes)
    lab.prober.redis_forgets()
    lab.outages.begin()
    primary.kill()
    lab.redis.wait_for_failover(primary)
    lab.outages.end()
    lab.prober.redis_forgets()
    if lose_writes:
        replica.call("CONFIG", "SET", "masterauth", "")
    return lab.fault_at()


@fault("a primary killed, its replica takes over", "cluster")
def primary_killed(lab):
    primary = _primary(lab)
    yield _replaced(lab, primary)
    primary.start()
    _whole(lab)


@fault("a fail-over that loses writes", "cluster")
def failover_loses_writes(lab):
    primary = _primary(lab)
    yield _replaced(lab, primary, lose_writes=lab.random.uniform(0.5, 1.2))
    primary.start()
    _whole(lab)


@fault("a primary silent beyond its fail-over", "cluster")
def primary_stalls(lab):
    """It goes on later, and believes for a moment that it still is one."""
    primary = _primary(lab)
    lab.prober.redis_forgets()
    lab.outages.begin()
    primary.hold()
    try:
        hold(lab.random.uniform(*STALL_SECONDS))
        lab.redis.wait_for_failover(primary)
    finally:
        primary.go_on()
    lab.outages.end()
    lab.prober.redis_forgets()
    yield lab.fault_at()
    _whole(lab)


@fault("a primary emptied", "cluster")
def primary_emptied(lab):
    lab.prober.redis_forgets()
    _primary(lab).call("FLUSHALL")
    lab.prober.redis_forgets()
    yield lab.fault_at()


@fault("a primary restarted empty before its fail-over", "cluster")
def primary_restarted_empty(lab):
    primary = _primary(lab)
    lab.prober.redis_forgets()
    lab.outages.begin()
    primary.kill()
    primary.start()
    lab.until(lab.redis.answers, WITHIN, "the cluster is whole")
    lab.outages.end()
    lab.prober.redis_forgets()
    yield lab.fault_at()


def _move_slots(lab, source, target):
    busy = sorted({slot_of(key) for key in source.call("KEYS", "*")})
    for slot in lab.random.sample(busy, min(SLOTS_A_MOVE, len(busy) // 2)):
        lab.redis.move_slot(slot, source, target)


def _recorded(lab):
    """The records have advanced since: before that, what moved is not proven (docs/architecture.md, Redis Cluster)."""
    moment = time.time()
    lab.until(lambda: lab.prober.fresh_since(moment, lab.begun), WITHIN, "the records have advanced since")


@fault("slots moved to another primary", "cluster")
def slots_moved(lab):
    _move_slots(lab, *lab.random.sample(lab.redis.primaries(), 2))
    yield lab.fault_at()
    _recorded(lab)


@fault("a primary restarted with a copy from before it received slots", "cluster")
def primary_restarted_older(lab):
    source, target = lab.random.sample(lab.redis.primaries(), 2)
    target.call("SAVE")
    _move_slots(lab, source, target)
    _recorded(lab)
    hold(lab.random.uniform(0, 5))
    lab.prober.redis_forgets()
    lab.outages.begin()
    target.kill()
    target.start(with_copy=True)
    lab.until(lab.redis.answers, WITHIN, "the cluster is whole")
    lab.outages.end()
    lab.prober.redis_forgets()
    yield lab.fault_at()


@fault("scripts forgotten by every primary", "cluster")
def scripts_flushed(lab):
    for primary in lab.redis.primaries():
        primary.call("SCRIPT", "FLUSH")
    yield lab.fault_at()


@fault("connections to a primary cut", "cluster")
def connections_cut(lab):
    primary = _primary(lab)
    for _ in range(20):
        primary.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        hold(lab.random.uniform(0.01, 0.1))
    yield lab.fault_at()


@fault("a primary and a node killed at once", "cluster", kills=1)
def primary_and_node(lab):
    primary, node = _primary(lab), lab.random.choice([lab.static, lab.dynamic])
    node.kill()
    _replaced(lab, primary)
    node.start(ready_within=None)
    yield lab.fault_at()
    primary.start()
    _whole(lab)
