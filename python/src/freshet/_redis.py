"""Connections by redis-py, of any version: RESP3, bytes that are no UTF-8 kept, no attempts besides those of calls.py."""
from __future__ import annotations

from typing import Any

import redis
from redis import asyncio as redis_asyncio
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.retry import Retry

from .calls import Access, Limits, Node, Tls

_SPEAKS_RESP3 = int(redis.__version__.split(".")[0]) >= 5


def _options(node: Node, access: Access, limits: Limits, wait: float) -> dict[str, Any]:
    options = {"host": node.host, "port": node.port, "socket_connect_timeout": limits.connect_timeout,
               "socket_timeout": limits.timeout + wait, "decode_responses": True, "encoding_errors": "surrogateescape"}
    if access.password is not None:
        options |= {"username": access.username, "password": access.password}
    return options


def _tls_options(tls: Tls) -> dict[str, Any]:
    return {"ssl_cert_reqs": "required", "ssl_check_hostname": True, "ssl_ca_certs": tls.ca_file,
            "ssl_certfile": tls.certificate, "ssl_keyfile": tls.key}


def pooled(node: Node, access: Access, limits: Limits, wait: float) -> redis.Redis:
    options = _options(node, access, limits, wait)
    if access.tls:
        options |= {"connection_class": redis.SSLConnection} | _tls_options(access.tls)
    if _SPEAKS_RESP3:
        options["protocol"] = 3
    else:
        from ._resp3 import Parser, greet
        options |= {"parser_class": Parser, "redis_connect_func": greet}
    return redis.Redis(connection_pool=redis.ConnectionPool(retry=Retry(NoBackoff(), 0), **options))


def async_pooled(node: Node, access: Access, limits: Limits, wait: float) -> redis_asyncio.Redis:
    options = _options(node, access, limits, wait)
    if access.tls:
        options |= {"connection_class": redis_asyncio.SSLConnection} | _tls_options(access.tls)
    if _SPEAKS_RESP3:
        options["protocol"] = 3
    else:
        from ._resp3 import AsyncParser, async_greet
        options |= {"parser_class": AsyncParser, "redis_connect_func": async_greet}
    pool = redis_asyncio.ConnectionPool(retry=AsyncRetry(NoBackoff(), 0), **options)
    return redis_asyncio.Redis(connection_pool=pool)
