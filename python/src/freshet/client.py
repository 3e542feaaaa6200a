"""The client for threads. aio.py is the same for asyncio."""
from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Any, Self, overload

import redis

from . import requests
from ._redis import pooled
from .calls import Caller, Node
from .errors import ServiceChanged
from .requests import Column, Entity, Request, Result, Time
from .results import Freshness, Row, Rows


class Client(Caller):
    """Reads features. May be shared by threads: each request takes a connection from a pool."""

    def get(self, view: str, entity: Entity, features: Iterable[str] | None = None, *, at: Time | None = None,
            after: tuple[int, int] | None = None, wait: float = 1.0,
            with_event: Mapping[str, Any] | None = None) -> Row:
        """The features of one entity: all of the view, or those named, in their order. An entity of several columns is a
        tuple, in the order of the view's `entity:`.

        at: as of this time instead of the view's clock.
        after=(partition, offset): once this event of the view's topic is counted; Busy when that is not within `wait`
            seconds.
        with_event: an event of one's own, which counts in this answer alone, as if it had just happened."""
        return self._ask(requests.get(view, entity, features, at, after, wait, with_event))

    def get_many(self, view: str, entities: Iterable[Entity], features: Iterable[str] | None = None, *,
                 at: Time | None = None, after: tuple[int, int] | None = None, wait: float = 1.0,
                 with_event: Mapping[str, Any] | None = None) -> Rows:
        """The features of many entities, as of one time; otherwise as get(). with_event counts in the rows of its own
        entity, which must be among them."""
        return self._ask(requests.get_many(view, entities, features, at, after, wait, with_event))

    def vector(self, service: str, rows: Iterable[Mapping[str, Column]], *, at: Time | None = None,
               after: tuple[int, int] | None = None, wait: float = 1.0,
               with_event: Mapping[str, Any] | None = None) -> Rows:
        """The features of a service for many rows, each a value for every entity column of the service's views. Names
        are `view.feature`, in the order of the service, which the client asks the node for once. Otherwise as
        get_many(): with_event counts in every view for the entity that it is of there; after and with_event need views
        of one topic and of one source."""
        listed = list(rows)
        if not listed:
            return Rows(self._features_of(service), [])
        options = (at, after, wait, with_event)
        try:
            return self._ask(requests.vector(service, self._features_of(service), listed, *options))
        except ServiceChanged:
            del self._services[service]
            return self._ask(requests.vector(service, self._features_of(service), listed, *options))

    def explain(self, view: str, entity: Entity, feature: str, *, at: Time | None = None) -> dict[str, Any]:
        """What stands behind one number, as FS.EXPLAIN has it."""
        return self._ask(requests.explain(view, entity, feature, at))

    @overload
    def freshness(self, name: None = None, max_staleness: float | None = None) -> dict[str, Freshness]: ...
    @overload
    def freshness(self, name: str, max_staleness: float | None = None) -> Freshness: ...

    def freshness(self, name: str | None = None, max_staleness: float | None = None) -> Freshness | dict[str, Freshness]:
        """How stale a view or a feature (`view.feature`) is, and whether it is fresh: within `max_staleness` seconds, or
        the view's own. Without a name: of every view."""
        if name is None:
            return self._ask(requests.all_freshness(max_staleness))
        return self._ask(requests.freshness(name, max_staleness))

    def views(self) -> list[str]:
        """Their names."""
        return self._ask(requests.views())

    def view(self, name: str) -> dict[str, Any]:
        """What a view is, as FS.VIEWS has it."""
        return self._ask(requests.view(name))

    def services(self) -> list[str]:
        """Their names."""
        return self._ask(requests.services())

    def service(self, name: str) -> dict[str, Any]:
        """What a service is, as FS.SERVICES has it: its `features` in order, and the `keys` that a row gives."""
        return self._ask(requests.service(name))

    def status(self) -> dict[str, str]:
        """How the node is that answers."""
        return self._ask(requests.status())

    def close(self) -> None:
        """Closes the connections; the client may go on, with new ones."""
        for connections in self._connections.values():
            connections.connection_pool.disconnect()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _features_of(self, service: str) -> list[str]:
        if service not in self._services:
            self._services[service] = (self.service(service))["features"]
        return self._services[service]

    def _ask(self, request: Request[Result]) -> Result:
        call = self._call(request)
        while True:
            try:
                reply = self._redis(call.node(), self._whole_seconds(request)).execute_command(*request.arguments)
            except (redis.RedisError, OSError) as error:
                pause = call.failed(error)
            else:
                return request.read(reply)
            time.sleep(pause)

    def _redis(self, node: Node, wait: int) -> Any:
        if (node, wait) not in self._connections:
            self._connections.setdefault((node, wait), pooled(node, self._access, self._limits, wait))
        return self._connections[node, wait]
