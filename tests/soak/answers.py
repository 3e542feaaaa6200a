"""What the nodes answer at the end, read at once, since windows run out while an oracle is being built; and compared
afterwards."""
import time
from typing import NamedTuple, Optional

from compare import Comparison

ENTITIES_A_REQUEST = 50


class Answer(NamedTuple):
    view: str
    columns: list
    at: Optional[int]                   # None: the view's clock
    feature: str
    value: object
    status: str


def read(nodes, view, features, entities, ahead):
    """Every feature of entities (lists of columns) through each node in turn: as of now plus `ahead` ms, or of the
    view's clock if `ahead` is None."""
    clients = [node.client(timeout=30) for node in nodes]
    found = []
    for turn, first in enumerate(range(0, len(entities), ENTITIES_A_REQUEST)):
        part = entities[first:first + ENTITIES_A_REQUEST]
        at = None if ahead is None else int(time.time() * 1000) + ahead
        command = ["FS.MGET", view, len(part), *(column for columns in part for column in columns),
                   "FEATURES", len(features), *features, *([] if at is None else ["AT", at]), "META"]
        rows = clients[turn % len(clients)].call(*command)
        for columns, (values, statuses, _, _) in zip(part, rows, strict=True):
            found += [Answer(view, columns, at, *one) for one in zip(features, values, statuses, strict=True)]
    for client in clients:
        client.close()
    return found


def compare(answers, oracle):
    """A Comparison."""
    comparison = Comparison(oracle)
    for view, columns, at, feature, value, status in answers:
        entity = tuple(columns) if len(columns) > 1 else str(columns[0])
        comparison.add(view, entity, oracle.clock(view) if at is None else at, feature, value, status)
    return comparison
