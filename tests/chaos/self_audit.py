"""What nodes say of their self-audit, and a wrong value for it to find."""


def count(node, what, label=""):
    """Of freshet_audit_<what>_total, over the series with this label."""
    return sum(int(value) for name, value in node.metrics().items()
               if name.startswith(f"freshet_audit_{what}_total{{") and label in name)


def plant(places, served):
    """Puts the head of one entity in the place of another's, as a program would that takes one for the other, so that
    something else is served: (client of Redis, key, origin, the right head). `places` are (client of Redis, key of heads),
    and `served(key)` is what a node answers."""
    heads = {}                          # by origin: the first one met
    for client, key in places:
        pairs = client.call("HGETALL", key)
        for origin, head in zip(pairs[::2], pairs[1::2], strict=True):
            other = heads.setdefault(origin, head)
            if other == head:
                continue
            before = served(key)
            client.call("HSET", key, origin, other)
            if served(key) != before:
                return client, key, origin, head
            client.call("HSET", key, origin, head)
    raise RuntimeError("with the head of another no entity is served otherwise")


def entity_of(key):
    """Of one column, from the key of its heads."""
    return key.decode().rpartition(":")[2].removesuffix("}")
