"""Every request of the protocol: the command that is sent, and how its reply is read. Nothing here does I/O."""
from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any, Generic, TypeVar

from .errors import BadArgument, BadReply, ServiceChanged
from .results import Freshness, Row, Rows, VectorRow

Column = str | int | bool | bytes
Entity = Column | Sequence[Column]      # a value, or one for each column of the view's `entity:`
Time = int | datetime                   # unix milliseconds, or a time with its zone
Result = TypeVar("Result")


@dataclass(frozen=True)
class Request(Generic[Result]):
    arguments: list[str | bytes]
    read: Callable[[Any], Result]
    wait: float = 0.0                   # seconds that the node may take because it was asked to wait


def get(view: str, entity: Entity, features: Iterable[str] | None, at: Time | None, after: tuple[int, int] | None,
        wait: float, with_event: Mapping[str, Any] | None) -> Request[Row]:
    names = _names(features)
    arguments = ["FS.GET", view, *_columns(entity), *_features(names), *_options(at, after, wait, with_event), "META"]
    return Request(arguments, lambda reply: _row(view, entity, names, reply), wait if after else 0.0)


def get_many(view: str, entities: Iterable[Entity], features: Iterable[str] | None, at: Time | None,
             after: tuple[int, int] | None, wait: float,
             with_event: Mapping[str, Any] | None = None) -> Request[Rows]:
    names, listed = _names(features), list(entities)

    def read(reply: Any) -> Rows:
        _expect(isinstance(reply, list) and len(reply) == len(listed), "FS.MGET", reply)
        rows = [_row(view, entity, names, each) for entity, each in zip(listed, reply)]
        return Rows(names if names is not None else list(rows[0]) if rows else [], rows)

    arguments = ["FS.MGET", view, str(len(listed)), *(column for entity in listed for column in _columns(entity)),
                 *_features(names), *_options(at, after, wait, with_event), "META"]
    return Request(arguments, read, wait if after else 0.0)


def vector(service: str, features: Sequence[str], rows: Iterable[Mapping[str, Column]], at: Time | None,
           after: tuple[int, int] | None = None, wait: float = 1.0,
           with_event: Mapping[str, Any] | None = None) -> Request[Rows]:
    """`features`: `view.feature`, in the order of the service."""
    listed = list(rows)
    keys = list(listed[0]) if listed else []
    for number, row in enumerate(listed):
        if row.keys() != listed[0].keys():
            raise BadArgument(f"row {number} has the keys {sorted(row)}, row 0 has {sorted(keys)}")
    by_view: dict[str, list[str]] = {}
    for name in features:
        view, _, feature = name.partition(".")
        by_view.setdefault(view, []).append(feature)

    def read(reply: Any) -> Rows:
        _expect(isinstance(reply, list) and len(reply) == len(listed), "FS.VECTOR", reply)
        return Rows(features, [_vector_row(service, features, by_view, row, parts) for row, parts in zip(listed, reply)])

    values = [_column(row[key]) for row in listed for key in keys]
    arguments = ["FS.VECTOR", service, *_options(at, after, wait, with_event), "META", "KEYS", str(len(keys)), *keys,
                 "ROWS", str(len(listed)), *values]
    return Request(arguments, read, wait if after else 0.0)


def views() -> Request[list[str]]:
    return Request(["FS.VIEWS"], lambda reply: _typed(list, "FS.VIEWS", reply))


def view(name: str) -> Request[dict[str, Any]]:
    return Request(["FS.VIEWS", name], lambda reply: _typed(dict, "FS.VIEWS", reply))


def services() -> Request[list[str]]:
    return Request(["FS.SERVICES"], lambda reply: _typed(list, "FS.SERVICES", reply))


def service(name: str) -> Request[dict[str, Any]]:
    return Request(["FS.SERVICES", name], lambda reply: _typed(dict, "FS.SERVICES", reply))


def freshness(name: str, max_staleness: float | None) -> Request[Freshness]:
    return Request(["FS.FRESHNESS", name, *_seconds(max_staleness)], _freshness)


def all_freshness(max_staleness: float | None) -> Request[dict[str, Freshness]]:
    def read(reply: Any) -> dict[str, Freshness]:
        return {name: _freshness(pair) for name, pair in _typed(dict, "FS.FRESHNESS", reply).items()}
    return Request(["FS.FRESHNESS", *_seconds(max_staleness)], read)


def status() -> Request[dict[str, str]]:
    return Request(["FS.STATUS"], lambda reply: _typed(dict, "FS.STATUS", reply))


def explain(view: str, entity: Entity, feature: str, at: Time | None) -> Request[dict[str, Any]]:
    return Request(["FS.EXPLAIN", view, *_columns(entity), feature, *_at(at)],
                   lambda reply: _typed(dict, "FS.EXPLAIN", reply))


# ---- what is sent ----


def _columns(entity: Entity) -> list[str | bytes]:
    columns = list(entity) if isinstance(entity, (tuple, list)) else [entity]
    if not columns:
        raise BadArgument("an entity of no columns")
    return [_column(column) for column in columns]


def _column(value: Any) -> str | bytes:
    """The text by which an event of this value is counted."""
    if hasattr(value, "item") and not isinstance(value, (str, bytes)):
        value = value.item()            # a scalar of numpy
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, (str, bytes)):
        return value
    raise BadArgument(f"{value!r} is no value of an entity column: they are int, str, bool or bytes")


def _names(features: Iterable[str] | None) -> list[str] | None:
    return [features] if isinstance(features, str) else None if features is None else list(features)


def _features(names: list[str] | None) -> list[str]:
    return [] if names is None else ["FEATURES", str(len(names)), *names]


def _options(at: Time | None, after: tuple[int, int] | None, wait: float,
             with_event: Mapping[str, Any] | None) -> list[str]:
    options = _at(at)
    if after is not None:
        partition, offset = after
        options += ["AFTER", f"{partition}:{offset}", "WAIT", str(round(wait * 1000))]
    if with_event is not None:
        options += ["WITH", _json(with_event)]
    return options


def _at(at: Time | None) -> list[str]:
    if isinstance(at, datetime):
        if at.tzinfo is None:
            raise BadArgument(f"at={at.isoformat()} has no time zone: give it one, such as timezone.utc")
        at = (at - datetime(1970, 1, 1, tzinfo=timezone.utc)) // timedelta(milliseconds=1)
    return [] if at is None else ["AT", str(at)]


def _json(event: Mapping[str, Any]) -> str:
    try:
        return json.dumps(dict(event), ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise BadArgument(f"with_event does not fit JSON: {error}") from error


def _seconds(most: float | None) -> list[str]:
    return [] if most is None else [f"{most:f}"]


# ---- what is read ----


def _expect(holds: bool, command: str, reply: Any) -> None:
    if not holds:
        raise BadReply(f"this is no reply to {command}: {str(reply)[:100]}")


def _typed(kind: type[Result], command: str, reply: Any) -> Result:
    _expect(isinstance(reply, kind), command, reply)
    return reply  # type: ignore[no-any-return]


def _freshness(reply: Any) -> Freshness:
    _expect(isinstance(reply, list) and len(reply) == 2, "FS.FRESHNESS", reply)
    return Freshness(*reply)


def _row(view: str, entity: Any, names: list[str] | None, reply: Any) -> Row:
    """A reply with META. Without it comes a mapping: the node then took the word META for a column of the entity."""
    if isinstance(reply, dict):
        raise BadArgument(f"view {view} has more entity columns than are given in {entity!r}")
    _expect(isinstance(reply, list) and len(reply) == 4, "a look-up", reply)
    values, statuses, staleness, newest = reply
    if isinstance(values, dict):
        names, values = list(values), list(values.values())
    _expect(names is not None and len(names) == len(values) == len(statuses), "a look-up", reply)
    assert names is not None
    return Row(entity, dict(zip(names, values)), dict(zip(names, statuses)), staleness, newest)


def _vector_row(service: str, features: Sequence[str], by_view: dict[str, list[str]], entity: Any,
                reply: Any) -> VectorRow:
    _expect(isinstance(reply, list), "FS.VECTOR", reply)
    given, told = [len(names) for names in by_view.values()], [len(part[0]) for part in reply]
    if given != told:
        raise ServiceChanged(f"service {service} has {told} features of its views in turn, and had {given} a moment ago")
    rows = {view: _row(view, entity, names, part) for (view, names), part in zip(by_view.items(), reply)}
    values, statuses = {}, {}
    for name in features:
        view, _, feature = name.partition(".")
        values[name], statuses[name] = rows[view][feature], rows[view].statuses[feature]
    staleness = [row.staleness_ms for row in rows.values()]
    newest = [row.newest_event_ms for row in rows.values() if row.newest_event_ms is not None]
    return VectorRow(entity, values, statuses, None if None in staleness else max(s for s in staleness if s is not None),
                     max(newest, default=None), rows)
