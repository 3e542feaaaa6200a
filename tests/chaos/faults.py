"""What can go wrong, by kind. A fault is a function of the lab that injects it, undoes it, and yields the moment (unix
seconds) whose events shall be awaited as fresh values; a name and a moment for each further part it has."""
import time
from typing import Callable, NamedTuple

from resp import ProtocolError

STALL_SECONDS = 7.5                     # above the session timeout of six
KINDS = {}


class Fault(NamedTuple):
    kind: str
    inject: Callable
    kills: int                          # of nodes by SIGKILL
    group: str                          # node, stall, scale, redis, cluster, kafka


def fault(kind, group, kills=0):
    def register(function):
        KINDS[kind] = Fault(kind, function, kills, group)
        return function
    return register


def hold(seconds):
    """The length of a fault."""
    time.sleep(seconds)


# ---- nodes ----

def _killed(lab, node):
    node.kill()
    return lab.fault_at()


@fault("kill -9, restart (static member)", "node", kills=1)
def kill_static(lab):
    moment = _killed(lab, lab.static)
    lab.static.start(ready_within=None)
    yield moment


@fault("kill -9, restart (dynamic member)", "node", kills=1)
def kill_dynamic(lab):
    moment = _killed(lab, lab.dynamic)
    lab.dynamic.start(ready_within=None)
    yield moment


@fault("kill -9, taken over", "node", kills=1)
def kill_for_good(lab):
    node = lab.random.choice([lab.static, lab.dynamic])
    yield _killed(lab, node)
    node.start(ready_within=None)
    yield from lab.unmeasured()


@fault("kill -9 of all nodes, restart", "node", kills=2)
def kill_all(lab):
    lab.outages.begin()
    for node in lab.nodes:
        if node.running:
            node.kill()
    moment = lab.fault_at()
    for node in (lab.static, lab.dynamic):
        node.start(ready_within=None)
    lab.until(lambda: any(node.answers() for node in lab.nodes), 60, "a node serves again")
    lab.outages.end()
    yield moment


@fault("kill -9 while another rebalance goes on", "node", kills=2)
def kill_twice(lab):
    _killed(lab, lab.dynamic)
    lab.dynamic.start(ready_within=None)
    lab.until(lab.dynamic.answers, 60, "the restarted node serves, and is joining the group")
    hold(lab.random.uniform(0, 2))
    moment = _killed(lab, lab.static)
    lab.static.start(ready_within=None)
    yield moment


@fault("SIGTERM, restart (static member)", "node")
def terminate_static(lab):
    lab.static.stop()
    moment = lab.fault_at()
    lab.static.start(ready_within=None)
    yield moment


@fault("SIGTERM, restart (dynamic member)", "node")
def terminate_dynamic(lab):
    lab.dynamic.stop()
    moment = lab.fault_at()
    lab.dynamic.start(ready_within=None)
    yield moment


@fault("scale-out to three nodes", "scale")
def scale(lab):
    moment = lab.fault_at()
    lab.spare.start(ready_within=None)
    lab.until(lambda: lab.spare.answers() and lab.spare.owns(), 60, "the third node owns partitions")
    yield moment
    moment = lab.fault_at()
    lab.spare.stop()
    yield "scale-in to two nodes", moment


@fault("SIGSTOP beyond the session timeout", "stall")
def stall(lab):
    node = lab.random.choice([lab.static, lab.dynamic])
    moment = lab.fault_at()
    node.hold()
    try:
        hold(STALL_SECONDS)
        yield moment
        moment = lab.fault_at()
    finally:
        node.go_on()
    yield "SIGCONT of a node that was stopped", moment


# ---- Redis ----

def _down(lab, stop, start, length=(1, 5)):
    """Redis is away for a while; afterwards it may have forgotten."""
    lab.prober.redis_forgets()
    lab.outages.begin()
    stop()
    hold(lab.random.uniform(*length))
    start()
    lab.outages.end()
    lab.prober.redis_forgets()
    return lab.fault_at()


def _shut_down(lab):
    try:
        lab.redis.command("SHUTDOWN", "SAVE")
    except (ProtocolError, OSError):
        pass                            # it closes the connection instead of an answer
    lab.redis.wait()


@fault("Redis restarted with its data", "redis")
def redis_restart(lab):
    yield _down(lab, lambda: _shut_down(lab), lab.redis.start)


@fault("Redis restarted from an older snapshot", "redis")
def redis_snapshot(lab):
    yield _down(lab, lab.redis.kill, lab.redis.start_from, (0.1, 1))
    lab.redis.save()


@fault("Redis restarted empty", "redis")
def redis_empty(lab):
    yield _down(lab, lab.redis.kill, lab.redis.start_empty, (0.1, 1))


def _flush(lab):
    lab.prober.redis_forgets()
    lab.redis.command("FLUSHALL")
    lab.prober.redis_forgets()
    return lab.fault_at()


@fault("FLUSHALL", "redis")
def redis_flush(lab):
    """At times again while what was lost is counted anew."""
    for _ in range(lab.random.randrange(3)):
        _flush(lab)
        hold(lab.random.uniform(0, 0.8))
    yield _flush(lab)


@fault("FLUSHALL, kill -9 while values are rebuilt", "redis", kills=1)
def redis_flush_and_node(lab):
    node = lab.random.choice([lab.static, lab.dynamic])
    _flush(lab)
    hold(lab.random.uniform(0, 0.8))
    moment = _killed(lab, node)
    node.start(ready_within=None)
    yield moment


@fault("CLIENT PAUSE", "redis")
def redis_pause(lab):
    seconds = lab.random.uniform(1, 4)
    lab.outages.begin()
    lab.redis.command("CLIENT", "PAUSE", int(seconds * 1000), "ALL")
    hold(seconds)
    lab.until(lab.redis.answers, 10, "Redis goes on")
    lab.outages.end()
    yield lab.fault_at()


@fault("Redis stopped for a while", "redis")
def redis_hold(lab):
    """Beyond the time-outs of nodes, at times: what they gave up and repeat is executed as well."""
    lab.outages.begin()
    lab.redis.hold()
    try:
        hold(lab.random.uniform(1, 7))
    finally:
        lab.redis.go_on()
    lab.until(lab.redis.answers, 10, "Redis goes on")
    lab.outages.end()
    yield lab.fault_at()


@fault("Redis out of memory", "redis")
def redis_full(lab):
    lab.redis.command("CONFIG", "SET", "maxmemory", "1")
    try:
        hold(lab.random.uniform(1, 4))
    finally:
        lab.redis.command("CONFIG", "SET", "maxmemory", "0")
    yield lab.fault_at()


@fault("SCRIPT FLUSH", "redis")
def redis_scripts(lab):
    lab.redis.command("SCRIPT", "FLUSH")
    yield lab.fault_at()


@fault("connections to Redis cut", "redis")
def redis_cut(lab):
    for _ in range(20):
        lab.redis.cut_clients()
        hold(lab.random.uniform(0.01, 0.1))
    yield lab.fault_at()


@fault("kill -9 of a node while Redis is away", "redis", kills=1)
def redis_and_node(lab):
    node = lab.random.choice([lab.static, lab.dynamic])

    def stop():
        _shut_down(lab)
        hold(lab.random.uniform(0.1, 1))
        node.kill()
        node.start(ready_within=None)

    yield _down(lab, stop, lab.redis.start)


# ---- Kafka ----

@fault("Kafka stopped for a while", "kafka")
def broker_hold(lab):
    lab.broker.hold()
    try:
        hold(lab.random.uniform(1, 5))
    finally:
        lab.broker.go_on()
    yield lab.fault_at()


@fault("Kafka restarted", "kafka")
def broker_restart(lab):
    lab.broker.stop_orderly()
    lab.broker.restart()
    yield lab.fault_at()


@fault("Kafka killed and restarted", "kafka")
def broker_kill(lab):
    lab.broker.kill()
    lab.broker.restart()
    yield lab.fault_at()


@fault("kill -9 of a node and of Kafka", "kafka", kills=1)
def broker_and_node(lab):
    node = lab.random.choice([lab.static, lab.dynamic])
    lab.broker.kill()
    node.kill()
    node.start(ready_within=None)
    lab.broker.restart()
    yield lab.fault_at()


@fault("partitions added", "kafka")
def grow(lab):
    lab.partitions += 4
    lab.broker.grow_topic(lab.topic, lab.partitions)
    lab.load.grow(lab.partitions)
    yield lab.fault_at()


def deck(random, minutes, store="redis", growing=True):
    """Kinds in the order in which they come: some of each sort in every two minutes, each kind at least once in ten;
    partitions are added once. `store`: whether one Redis or a cluster is there to be broken."""
    order = []
    redis = [kind for kind, one in KINDS.items() if one.group == store]
    random.shuffle(redis)
    kafka = [kind for kind, one in KINDS.items() if one.group == "kafka" and kind != "partitions added"]
    random.shuffle(kafka)
    terms = ["SIGTERM, restart (static member)", "SIGTERM, restart (dynamic member)"]
    for block in range(max(1, round(minutes / 2))):
        cards = ["kill -9, restart (static member)"] * 3
        cards += ["kill -9, restart (dynamic member)", "kill -9, taken over", "kill -9 of all nodes, restart",
                  "kill -9 while another rebalance goes on"]
        cards += ["scale-out to three nodes", "SIGSTOP beyond the session timeout", terms[block % 2]]
        cards += [redis[(3 * block + i) % len(redis)] for i in range(3)] + [kafka[block % len(kafka)]]
        random.shuffle(cards)
        order += cards
    if growing:
        order.insert(random.randrange(len(order)), "partitions added")
    return [KINDS[kind] for kind in order]
