"""The client for asyncio: client.py with `await`, which says what each method does."""
from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any, Self, overload

import redis

from . import requests
from ._redis import async_pooled
from .calls import Caller, Node
from .errors import ServiceChanged
from .requests import Column, Entity, Request, Result, Time
from .results import Freshness, Row, Rows

CONNECTIONS = 50


class Client(Caller):
    """Reads features. To be used in one event loop, by any number of tasks; at most 50 requests are under way at once."""

    _turns: asyncio.Semaphore | None = None

    async def get(self, view: str, entity: Entity, features: Iterable[str] | None = None, *, at: Time | None = None,
                  after: tuple[int, int] | None = None, wait: float = 1.0,
                  with_event: Mapping[str, Any] | None = None) -> Row:
        return await self._ask(requests.get(view, entity, features, at, after, wait, with_event))

    async def get_many(self, view: str, entities: Iterable[Entity], features: Iterable[str] | None = None, *,
                       at: Time | None = None, after: tuple[int, int] | None = None, wait: float = 1.0,
                       with_event: Mapping[str, Any] | None = None) -> Rows:
        return await self._ask(requests.get_many(view, entities, features, at, after, wait, with_event))

    async def vector(self, service: str, rows: Iterable[Mapping[str, Column]], *, at: Time | None = None,
                     after: tuple[int, int] | None = None, wait: float = 1.0,
                     with_event: Mapping[str, Any] | None = None) -> Rows:
        listed = list(rows)
        if not listed:
            return Rows(await self._features_of(service), [])
        options = (at, after, wait, with_event)
        try:
            return await self._ask(requests.vector(service, await self._features_of(service), listed, *options))
        except ServiceChanged:
            del self._services[service]
            return await self._ask(requests.vector(service, await self._features_of(service), listed, *options))

    async def explain(self, view: str, entity: Entity, feature: str, *, at: Time | None = None) -> dict[str, Any]:
        return await self._ask(requests.explain(view, entity, feature, at))

    @overload
    async def freshness(self, name: None = None, max_staleness: float | None = None) -> dict[str, Freshness]: ...
    @overload
    async def freshness(self, name: str, max_staleness: float | None = None) -> Freshness: ...

    async def freshness(self, name: str | None = None,
                        max_staleness: float | None = None) -> Freshness | dict[str, Freshness]:
        if name is None:
            return await self._ask(requests.all_freshness(max_staleness))
        return await self._ask(requests.freshness(name, max_staleness))

    async def views(self) -> list[str]:
        return await self._ask(requests.views())

    async def view(self, name: str) -> dict[str, Any]:
        return await self._ask(requests.view(name))

    async def services(self) -> list[str]:
        return await self._ask(requests.services())

    async def service(self, name: str) -> dict[str, Any]:
        return await self._ask(requests.service(name))

    async def status(self) -> dict[str, str]:
        return await self._ask(requests.status())

    async def close(self) -> None:
        for connections in self._connections.values():
            await connections.connection_pool.disconnect()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.close()

    async def _features_of(self, service: str) -> list[str]:
        if service not in self._services:
            self._services[service] = (await self.service(service))["features"]
        return self._services[service]

    async def _ask(self, request: Request[Result]) -> Result:
        call = self._call(request)
        while True:
            try:
                reply = await self._once(call.node(), request)
            except (redis.RedisError, OSError) as error:
                pause = call.failed(error)
            else:
                return request.read(reply)
            await asyncio.sleep(pause)

    async def _once(self, node: Node, request: Request[Any]) -> Any:
        """Shielded: were a task cancelled between command and reply, the next one on that connection would be given the
        answer to another's question. So the reply is read, or times out, in any case."""
        self._turns = self._turns or asyncio.Semaphore(CONNECTIONS)
        async with self._turns:
            asked = self._redis(node, self._whole_seconds(request)).execute_command(*request.arguments)
            return await asyncio.shield(asyncio.ensure_future(asked))

    def _redis(self, node: Node, wait: int) -> Any:
        if (node, wait) not in self._connections:
            self._connections[node, wait] = async_pooled(node, self._access, self._limits, wait)
        return self._connections[node, wait]
