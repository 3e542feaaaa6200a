"""What can go wrong, one class for each thing to do about it."""
import redis


class FreshetError(Exception):
    """Of everything here."""


class UnknownView(FreshetError):
    """No view of this name; the nearest one is named."""


class UnknownService(FreshetError):
    """No service of this name; the nearest one is named."""


class UnknownFeature(FreshetError):
    """The view has no feature of this name; the nearest one is named."""


class BadArgument(FreshetError, ValueError):
    """The arguments do not fit, as the node or this package found."""


class NotAllowed(FreshetError):
    """No such user, another password, or a view that the user may not read."""


class OutOfRange(FreshetError):
    """`at` lies before what the view retains."""


class LimitExceeded(FreshetError):
    """More entities or rows than the node answers for in one request: ask for fewer at once."""


class Stale(FreshetError):
    """The view's `max_staleness` is exceeded, and it has `on_breach: error`."""


class Busy(FreshetError):
    """The view has not come past the offset of `after` within `wait`."""


class Unavailable(FreshetError):
    """No node could answer, after all attempts that the deadline allows for."""


class Timeout(Unavailable, TimeoutError):
    """No node answered in time."""


class ServerError(FreshetError):
    """Any other error of the node."""


class BadReply(FreshetError):
    """An answer that a node of Freshet does not give."""


class ServiceChanged(BadReply):
    """The service has other features than a moment ago."""


# By the first word of a node's error.
_BY_CODE: dict[str, type[FreshetError]] = {
    "NOVIEW": UnknownView,
    "NOSERVICE": UnknownService,
    "NOFEATURE": UnknownFeature,
    "BADARG": BadArgument,
    "RANGE": OutOfRange,
    "LIMIT": LimitExceeded,
    "STALE": Stale,
    "BUSY": Busy,
    "NOAUTH": NotAllowed,
    "WRONGPASS": NotAllowed,
    "NOPERM": NotAllowed,
    "UNAVAILABLE": Unavailable,
}


def translated(error: Exception) -> FreshetError:
    """What redis-py or the network raised, in the words of this package."""
    text = " ".join(str(error).split())
    if isinstance(error, (redis.AuthenticationError, redis.exceptions.NoPermissionError)):
        return NotAllowed(text)         # redis-py takes the first word away
    if isinstance(error, redis.ResponseError):
        code, _, message = text.partition(" ")
        return _BY_CODE[code](message) if code in _BY_CODE else ServerError(text)
    if isinstance(error, redis.DataError):
        return BadArgument(text)
    if isinstance(error, redis.InvalidResponse):
        return BadReply(text)
    if isinstance(error, (redis.TimeoutError, TimeoutError)):
        return Timeout(text or "no answer in time")
    if isinstance(error, (redis.ConnectionError, OSError)):
        return Unavailable(text)
    return ServerError(text)
