"""A view's events, by entity, and its answers: computed from the raw events in the window, each time anew."""
import bisect
import collections
import operator
from typing import Any, Mapping, NamedTuple, Optional

from aggregates import MISSING, compute


class OutOfRange(ValueError):
    """An instant that a reader may not ask for."""


class Answer(NamedTuple):
    view: str
    entity: str
    at: Optional[int]
    values: Mapping[str, Any]
    statuses: Mapping[str, str]
    scale: Mapping[str, Mapping[str, Any]]


class Event(NamedTuple):
    time: int
    partition: int
    offset: int
    clock: int                          # of the partition, at this offset
    fields: Mapping[str, Any]


_ORDER = operator.attrgetter("time", "partition", "offset")


def entity_name(columns):
    """The name of an entity from the values of its columns."""
    texts = [("true" if c else "false") if isinstance(c, bool) else str(c) for c in columns]
    if len(texts) == 1:
        return texts[0]
    return "|".join(text.replace("\\", "\\\\").replace("|", "\\|") for text in texts)


class _Entity:
    """The events of one entity, and per feature the values it may take, sorted and with their times."""

    def __init__(self):
        self.events = []
        self.columns = {}

    def add(self, event):
        self.events.append(event)
        self.columns.clear()

    def column(self, key, wanted):
        """(times, values) of the events of which `wanted` gives a value; remembered under `key`."""
        if not self.columns:
            self.events.sort(key=_ORDER)
        if key not in self.columns:
            picked = [(event.time, value) for event in self.events for value in wanted(event)]
            self.columns[key] = [time for time, _ in picked], [value for _, value in picked]
        return self.columns[key]


def _within(feature, column, t):
    times, values = column
    first = feature.first_time(t)
    begin = 0 if first is None else bisect.bisect_left(times, first)
    return values[begin:bisect.bisect_left(times, feature.end_time(t))]


class ViewState:
    """The events of one view."""

    def __init__(self, view):
        self.view = view
        self.entities = collections.defaultdict(_Entity)
        self.refused = 0                # where was not true
        self.dead = []                  # (partition, offset) of events without an entity
        self.late = 0                   # events that came too late for some feature
        self.late_by_feature = collections.Counter()
        windows = [f.window for f in view.features.values() if f.window is not None]
        self._never_late = min(windows, default=None)

    def add(self, event):
        view = self.view
        if view.where is not None and view.where(event.fields) is not True:
            self.refused += 1
            return
        columns = [event.fields[name] for name in view.entity]
        if None in columns:
            self.dead.append((event.partition, event.offset))
            return
        self._count_late(event)
        self.entities[entity_name(columns)].add(event)

    def _count_late(self, event):
        allowance = self.view.lateness_allowance
        if self._never_late is None or event.clock - event.time <= self._never_late + allowance:
            return
        late = [f.name for f in self.view.features.values() if f.is_late(event.time, event.clock, allowance)]
        self.late_by_feature.update(late)
        self.late += bool(late)

    def answer(self, entity, t):
        features = self.view.features.values()
        events = self.entities.get(entity)
        if events is None or t is None or not self._present(events, t):
            return Answer(self.view.name, entity, t, {f.name: None for f in features},
                          {f.name: MISSING for f in features}, {f.name: {} for f in features})
        results = {f.name: compute(f, _within(f, self._column(events, f), t)) for f in features}
        return Answer(self.view.name, entity, t, {name: r.value for name, r in results.items()},
                      {name: r.status for name, r in results.items()}, {name: r.scale for name, r in results.items()})

    def _present(self, events, t):
        longest, allowance = self.view.longest, self.view.lateness_allowance

        def in_time(event):
            return () if longest.is_late(event.time, event.clock, allowance) else (True,)

        return bool(_within(longest, events.column(None, in_time), t))

    def _column(self, events, feature):
        allowance = self.view.lateness_allowance

        def wanted(event):
            if feature.is_late(event.time, event.clock, allowance):
                return ()
            if feature.where is not None and feature.where(event.fields) is not True:
                return ()
            if feature.field is None:
                return (True,)
            value = event.fields[feature.field]
            return () if value is None else (value,)

        return events.column(feature.name, wanted)
