"""Sources and views as the configuration file declares them; what is not understood is refused."""
import dataclasses
from typing import Callable, Mapping, Optional

import times
import yaml_subset
from aggregates import AGGREGATES
from expression import ExpressionError, compile_condition

FIELD_TYPES = ("int", "float", "string", "bool")
ENTITY_TYPES = ("int", "string", "bool")
HOPS = [1 * times.SECOND, 5 * times.SECOND, 10 * times.SECOND, 30 * times.SECOND, 1 * times.MINUTE, 5 * times.MINUTE,
        10 * times.MINUTE, 30 * times.MINUTE, 1 * times.HOUR, 6 * times.HOUR, 1 * times.DAY]
LIFETIME = "lifetime"


class ConfigError(ValueError):
    """A configuration that is refused; the message names the key."""


@dataclasses.dataclass(frozen=True)
class Field:
    type: str
    path: tuple


@dataclasses.dataclass(frozen=True)
class Source:
    name: str
    topic: str
    fields: Mapping[str, Field]
    time_path: Optional[tuple]          # None: the Kafka timestamp
    read_time: Optional[Callable]
    max_future: int
    max_jump: Optional[int]


@dataclasses.dataclass(frozen=True)
class Feature:
    name: str
    aggregate: str
    field: Optional[str]                # None: "*"
    field_type: Optional[str]
    q: Optional[float]
    window: Optional[int]               # ms; None: lifetime
    hop: int
    where: Optional[Callable]

    @property
    def result_type(self):
        """int, float, string or bool."""
        return AGGREGATES[self.aggregate].result_type(self.field_type)

    def first_time(self, t):
        """The earliest time that the window at t takes, or None if it takes every one."""
        return None if self.window is None else (t - self.window) // self.hop * self.hop

    def end_time(self, t):
        """The first time after the window at t."""
        return (t // self.hop + 1) * self.hop

    def is_late(self, time, clock, allowance):
        """Whether the tile of an event is given up once the partition's clock stands at `clock`."""
        return self.window is not None and \
            time // self.hop < (clock - self.window - allowance) // self.hop


@dataclasses.dataclass(frozen=True)
class View:
    name: str
    source: Source
    entity: tuple
    clock: str
    where: Optional[Callable]
    retain: int
    features: Mapping[str, Feature]

    @property
    def lateness_allowance(self):
        return self.retain + self.source.max_future

    @property
    def longest(self):
        """The feature whose window decides whether an entity is missing."""
        return min(self.features.values(), key=lambda f: (f.window is not None, -(f.window or 0), f.hop))


@dataclasses.dataclass(frozen=True)
class Config:
    sources: Mapping[str, Source]
    views: Mapping[str, View]
    services: Mapping[str, list]


def load_config(path):
    return read_config(yaml_subset.load_file(path))


def parse_config(text):
    return read_config(yaml_subset.load(text))


def default_hop(window):
    return max((h for h in HOPS if window % h == 0 and h * 60 <= window), default=times.SECOND)


def read_config(document):
    """The Config of a document that yaml_subset has read."""
    _require(isinstance(document, dict), "config", "must be a map")
    _require("include" not in document, "include", "is not supported here")
    sources = {name: _source(name, body) for name, body in _map(document, "sources", "config").items()}
    views = {name: _view(name, body, sources) for name, body in _map(document, "views", "config").items()}
    services = _map(document, "services", "config") if "services" in document else {}
    return Config(sources, views, services)


def _require(condition, where, message):
    if not condition:
        raise ConfigError(f"{where}: {message}")


def _map(parent, key, where):
    value = parent.get(key)
    _require(isinstance(value, dict), f"{where}.{key}", "must be a map")
    return value


def _known(body, where, *keys):
    _require(isinstance(body, dict), where, "must be a map")
    unknown = [key for key in body if key not in keys]
    _require(not unknown, where, f"unknown keys {unknown}")


def _duration(body, key, where, default=None):
    if key not in body:
        return default
    try:
        return times.duration(body[key])
    except ValueError as error:
        raise ConfigError(f"{where}.{key}: {error}") from None


def _from_the_beginning(body, where):
    _require(body.get("start", "earliest") == "earliest", f"{where}.start",
             f"{body.get('start')!r} is not supported here: every event counts (earliest)")


def _source(name, body):
    where = f"sources.{name}"
    _known(body, where, "topic", "format", "start", "time", "fields", "max_future", "max_jump")
    _require(body.get("format", "json") == "json", f"{where}.format", "only json is supported")
    _from_the_beginning(body, where)
    fields = {key: _field(key, value, f"{where}.fields.{key}") for key, value in _map(body, "fields", where).items()}
    time_path, read_time = _time(body.get("time", "kafka"), fields, f"{where}.time")
    return Source(name, str(body.get("topic", name)), fields, time_path, read_time,
                  _duration(body, "max_future", where, times.MINUTE), _duration(body, "max_jump", where))


def _field(name, body, where):
    if isinstance(body, str):
        body = {"type": body}
    _known(body, where, "type", "path")
    _require(body.get("type") in FIELD_TYPES, where, f"type must be one of {FIELD_TYPES}")
    return Field(body["type"], tuple(body["path"].split(".")) if "path" in body else (name,))


def _time(body, fields, where):
    if body == "kafka":
        return None, None
    _known(body, where, "field", "format", "zone")
    _require(isinstance(body.get("field"), str), where, "needs a field")
    field = body["field"]
    path = fields[field].path if field in fields else tuple(field.split("."))
    try:
        return path, times.reader(body.get("format"), body.get("zone", "UTC"))
    except (ValueError, KeyError) as error:
        raise ConfigError(f"{where}: {error}") from None


def _view(name, body, sources):
    where = f"views.{name}"
    _known(body, where, "version", "source", "entity", "clock", "where", "retain", "features", "freshness", "start",
           "priority")
    _from_the_beginning(body, where)
    _require(body.get("source") in sources, f"{where}.source", f"there is no source {body.get('source')!r}")
    source = sources[body["source"]]
    entity = body.get("entity")
    entity = tuple(entity) if isinstance(entity, list) else (entity,)
    for column in entity:
        _require(column in source.fields, f"{where}.entity", f"{column!r} is not a field of {source.name}")
        _require(source.fields[column].type in ENTITY_TYPES, f"{where}.entity", f"{column} must be {ENTITY_TYPES}")
    _require(entity and len(set(entity)) == len(entity), f"{where}.entity", "needs distinct columns")
    clock = body.get("clock", "wall")
    _require(clock in ("wall", "event"), f"{where}.clock", "must be wall or event")
    features = {key: _feature(key, value, source, f"{where}.features.{key}")
                for key, value in _map(body, "features", where).items()}
    _require(features, f"{where}.features", "must not be empty")
    retain = _duration(body, "retain", where, max(feature.hop for feature in features.values()))
    return View(name, source, entity, clock, _where(body, source, where), retain, features)


def _where(body, source, where):
    if "where" not in body:
        return None
    text = body["where"]
    text = str(text).lower() if isinstance(text, bool) else text
    _require(isinstance(text, str), f"{where}.where", "must be text")
    try:
        return compile_condition(text, {name: field.type for name, field in source.fields.items()})
    except ExpressionError as error:
        raise ConfigError(f"{where}.where: {error}") from None


def _feature(name, body, source, where):
    _known(body, where, *AGGREGATES, "q", "window", "hop", "where", "freshness")
    named = [key for key in body if key in AGGREGATES]
    _require(len(named) == 1, where, f"needs exactly one aggregate of {sorted(AGGREGATES)}")
    aggregate, field = named[0], body[named[0]]
    if field == "*":
        _require(aggregate == "count", where, f"{aggregate} needs a field")
        field = field_type = None
    else:
        _require(field in source.fields, where, f"{field!r} is not a field of {source.name}")
        field_type = source.fields[field].type
        _require(field_type in AGGREGATES[aggregate].field_types, where, f"{aggregate} does not take a {field_type}")
    window, hop = _window(body, where)
    return Feature(name, aggregate, field, field_type, _q(body, aggregate, where), window, hop,
                   _where(body, source, where))


def _q(body, aggregate, where):
    if aggregate != "quantile":
        _require("q" not in body, where, "q belongs to quantile")
        return None
    q = body.get("q")
    _require(type(q) in (int, float) and 0 <= q <= 1, f"{where}.q", "must be a number from 0 to 1")
    return float(q)


def _window(body, where):
    if body.get("window") == LIFETIME:
        _require("hop" not in body, f"{where}.hop", "a lifetime window has a hop of 1d")
        return None, times.DAY
    _require("window" in body, where, "needs a window")
    window = _duration(body, "window", where)
    _require(window > 0 and window % times.SECOND == 0, f"{where}.window", "must be whole seconds")
    hop = _duration(body, "hop", where, default_hop(window))
    _require(hop > 0 and hop % times.SECOND == 0 and window % hop == 0, f"{where}.hop",
             "must be whole seconds and divide the window")
    return window, hop
