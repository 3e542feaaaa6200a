"""Reads features from Freshet, a streaming feature store.

    import freshet

    with freshet.Client("127.0.0.1:7600") as client:
        row = client.get("spend", "card-17")
        row["payments_5m"], row.statuses["payments_5m"], row.staleness_ms

`freshet.aio.Client` is the same for asyncio. What a value and a status mean is said in Freshet's docs/semantics.md and
docs/protocol.md.
"""
from .calls import Tls
from .client import Client
from .errors import (BadArgument, BadReply, Busy, FreshetError, LimitExceeded, NotAllowed, OutOfRange, ServerError,
                     ServiceChanged, Stale, Timeout, Unavailable, UnknownFeature, UnknownService, UnknownView)
from .results import Freshness, Row, Rows, Value, VectorRow

__all__ = ["BadArgument", "BadReply", "Busy", "Client", "Freshness", "FreshetError", "LimitExceeded", "NotAllowed",
           "OutOfRange", "Row", "Rows", "ServerError", "ServiceChanged", "Stale", "Timeout", "Tls", "Unavailable",
           "UnknownFeature", "UnknownService", "UnknownView", "Value", "VectorRow"]
