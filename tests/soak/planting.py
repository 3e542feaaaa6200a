"""What the self-audit of the nodes has found in a run, where nothing was wrong; and how soon it finds a wrong value.

The value is that of a customer who buys no more while the windows still hold what was bought: nobody writes it again, and
it is served until it is put right.
"""
import collections
import re
import time

from services import wait_until

from self_audit import count, entity_of, plant

VIEW = "customer"
WITHIN = 180                            # a minute is the promise; machines of tests may be busy
GONE_SECONDS = 15                       # a customer buys for some seven
MOST_TRIED = 500
_SINCE_START = re.compile(r"round (\d+) .*; since the start (\d+) partials? and (\d+) values? compared, (\d+) wrong")


def found(nodes):
    """[rounds, partials, values, wrong] of all nodes since their start."""
    told = [_SINCE_START.match(node.statuses()["audit"]) for node in nodes]
    return [sum(int(one[i]) for one in told if one) for i in range(1, 5)]


def passed_over(nodes):
    """{reason: features} of all nodes."""
    reasons = collections.Counter()
    for node in nodes:
        for name, value in node.metrics().items():
            if name.startswith("freshet_audit_skipped_total{") and value:
                reasons[name.split('"')[1]] += int(value)
    return dict(reasons)


def alarms(nodes):
    return sum(count(node, "mismatches") for node in nodes)


def try_audit(soak):
    """The figures of the run so far, and of a wrong value planted now."""
    rounds, partials, values, wrong = found(soak.nodes)
    facts = {"audit_rounds": rounds, "audit_partials": partials, "audit_values": values, "audit_wrong": wrong,
             "audit_alarms": alarms(soak.nodes), "audit_passed_over": passed_over(soak.nodes)}
    newest = soak.newest_customer(ago=GONE_SECONDS)
    with soak.redis.client() as redis, soak.nodes[0].client() as node:
        keys = [f"soak:{{{VIEW}@1:{customer}}}".encode() for customer in range(newest, newest - MOST_TRIED, -1)]
        _, key, origin, right = plant([(redis, key) for key in keys], lambda key: node.call("FS.GET", VIEW, entity_of(key)))
        began = time.monotonic()
        wait_until(lambda: alarms(soak.nodes) > facts["audit_alarms"], WITHIN, "the planted value is found")
        facts["planted_found_after_seconds"] = round(time.monotonic() - began, 1)
        redis.call("HSET", key, origin, right)
    facts["planted_told"] = [text for node in soak.nodes if (text := node.statuses().get("audit last mismatch"))]
    facts["planted_named"] = all(f'view {VIEW}@1, entity "{entity_of(key)}"' in text for text in facts["planted_told"])
    return facts


def complaints(facts):
    """Of try_audit(), if it was."""
    if not facts:
        return []
    wrong = [] if facts["audit_values"] else ["the audit has compared nothing"]
    if facts["audit_wrong"] or facts["audit_alarms"]:
        wrong.append(f"the audit found {facts['audit_wrong']} wrong, and nothing was planted")
    if not facts["planted_told"] or not facts["planted_named"]:
        wrong.append(f"the planted value is told as {facts['planted_told']}")
    return wrong
