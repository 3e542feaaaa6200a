#!/usr/bin/env python3
"""Computes feature values from a configuration and the raw events alone, as docs/semantics.md defines them.

    oracle.py CONFIG.yaml EVENTS.jsonl --at T [--at T ...] [--view V] [--entities-file F]

T is unix ms, or `clock` for the view's own clock. Each line of EVENTS.jsonl is a record

    {"topic": "flights", "partition": 0, "offset": 12, "timestamp": 1700000000000, "value": "<payload>"}

with "value_base64" for a payload that is not UTF-8 and "value": null for a tombstone. With --plain --source NAME
each line is a payload itself: partition 0, offset = line number from 0, Kafka timestamp = the event's own time.
Prints one JSON object for each (at, view, entity): view, entity, at, values, statuses, scale.
"""
import argparse
import collections
import itertools
import json
import math
import os
import sys

import events as event_files
from configuration import Config, ConfigError, load_config
from events import DeadLetter, decode
from views import Event, OutOfRange, ViewState, entity_name
from yaml_subset import YamlError


class _SourceState:
    def __init__(self, source):
        self.source = source
        self.clocks = {}                # partition -> newest time among the good events
        self.next_offsets = {}
        self.dead = []                  # (partition, offset, reason)
        self.tombstones = 0
        self.good = 0

    def take(self, record):
        """The event of a record, or None."""
        if record.offset < self.next_offsets.get(record.partition, 0):
            raise ValueError(f"{record.topic}[{record.partition}]@{record.offset} occurs twice or out of order")
        self.next_offsets[record.partition] = record.offset + 1
        if record.value is None:
            self.tombstones += 1
            return None
        clock = self.clocks.get(record.partition)
        try:
            time, fields = decode(self.source, record, clock)
        except DeadLetter as letter:
            self.dead.append((record.partition, record.offset, letter.reason))
            return None
        self.good += 1
        clock = time if clock is None else max(clock, time)
        self.clocks[record.partition] = clock
        return Event(time, record.partition, record.offset, clock, fields)


class Oracle:
    """Every value of a configuration (a Config or the path of one) over events (Records, or the path of a file)."""

    def __init__(self, config, events=()):
        self.config = config if isinstance(config, Config) else load_config(config)
        self._sources = {name: _SourceState(source) for name, source in self.config.sources.items()}
        self._views = {name: ViewState(view) for name, view in self.config.views.items()}
        self.add(event_files.read_records(events) if isinstance(events, (str, os.PathLike)) else events)

    def add(self, records):
        """Applies more records: any order within the call, but above the offsets of the calls before."""
        for record in sorted(records, key=lambda r: (r.topic, r.partition, r.offset)):
            for state in self._sources.values():
                if state.source.topic != record.topic:
                    continue
                event = state.take(record)
                if event is not None:
                    for view in self._views.values():
                        if view.view.source is state.source:
                            view.add(event)

    def value(self, view, entity, t):
        """The Answer for an entity (its name, or a tuple of its columns) at t (unix ms, or None: no clock yet)."""
        state = self._view(view)
        earliest = self.earliest(view)
        if t is not None and earliest is not None and t < earliest:
            raise OutOfRange(f"{view} at {t}: the earliest permitted instant is {earliest}")
        name = entity if isinstance(entity, str) else entity_name(entity)
        return state.answer(name, t)

    def clock(self, view):
        """The highest clock over the partitions of the view's source, or None."""
        source = self._view(view).view.source
        return max(self._sources[source.name].clocks.values(), default=None)

    def partition_clocks(self, source):
        return dict(self._sources[source].clocks)

    def earliest(self, view):
        """The lowest t that `clock: event` permits; None if there is no such bound."""
        state, clock = self._view(view), self.clock(view)
        return clock - state.view.retain if state.view.clock == "event" and clock is not None else None

    def entities(self, view):
        """The names of all entities of which the view took an event, sorted."""
        return sorted(self._view(view).entities)

    def dead_letters(self, source):
        """{reason: number} of the records that a source refused."""
        return dict(collections.Counter(reason for _, _, reason in self._sources[source].dead))

    def dead_letter_records(self, source):
        """(partition, offset, reason) of the records that a source refused."""
        return list(self._sources[source].dead)

    def view_dead_letters(self, view):
        """(partition, offset) of the events that passed `where` but have no entity."""
        return list(self._view(view).dead)

    def late(self, view):
        """The number of events that came too late for at least one feature of the view."""
        return self._view(view).late

    def late_by_feature(self, view):
        return dict(self._view(view).late_by_feature)

    def counters(self):
        """All counts as one dict, for reports."""
        return {
            "sources": {name: {"good": state.good, "tombstones": state.tombstones,
                               "dead_letters": self.dead_letters(name)} for name, state in self._sources.items()},
            "views": {name: {"entities": len(state.entities), "refused": state.refused,
                             "dead_letters": len(state.dead), "late": state.late,
                             "late_by_feature": dict(state.late_by_feature), "clock": self.clock(name)}
                      for name, state in self._views.items()}}

    def _view(self, name):
        if name not in self._views:
            raise KeyError(f"there is no view {name!r}")
        return self._views[name]


def _json_number(value):
    """JSON has no infinities: a scale beyond a double is null."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def answer_line(answer):
    line = answer._asdict()
    line["scale"] = {feature: {key: _json_number(value) for key, value in scale.items()}
                     for feature, scale in answer.scale.items()}
    return json.dumps(line, ensure_ascii=False, allow_nan=False)


def _entities_of(path):
    """Names, one a line; a line that begins with [ is a JSON list of columns, one that begins with " a JSON text."""
    with open(path, encoding="utf-8", newline="\n") as file:
        for line in filter(None, (line.rstrip("\n") for line in file)):
            name = json.loads(line) if line[0] in '["' else line
            yield name if isinstance(name, str) else entity_name(name)


def _instant(text):
    return text if text == "clock" else int(text)


def _arguments(arguments):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config")
    parser.add_argument("events")
    parser.add_argument("--at", action="append", required=True, type=_instant, metavar="T|clock")
    parser.add_argument("--view", action="append", help="only this view (may be repeated)")
    parser.add_argument("--entities-file", help="the entities to ask for, one a line; default: all that occur")
    parser.add_argument("--plain", action="store_true", help="each line is a payload of --source")
    parser.add_argument("--source", help="the source of a --plain file")
    parser.add_argument("--counters", action="store_true", help="print a last line with all counters")
    options = parser.parse_args(arguments)
    if options.plain != (options.source is not None):
        parser.error("--plain and --source belong together")
    return options


def run(options, out):
    config = load_config(options.config)
    if options.plain:
        if options.source not in config.sources:
            raise ConfigError(f"there is no source {options.source!r}")
        records = event_files.read_plain(options.events, config.sources[options.source])
    else:
        records = event_files.read_records(options.events)
    oracle = Oracle(config, records)
    asked = list(_entities_of(options.entities_file)) if options.entities_file else None
    for at, view in itertools.product(options.at, options.view or config.views):
        t = oracle.clock(view) if at == "clock" else at
        for entity in oracle.entities(view) if asked is None else asked:
            print(answer_line(oracle.value(view, entity, t)), file=out)
    if options.counters:
        print(json.dumps({"counters": oracle.counters()}), file=out)


def main(arguments=None):
    try:
        run(_arguments(arguments), sys.stdout)
    except (ConfigError, YamlError, OutOfRange, ValueError, KeyError, OSError) as error:
        sys.exit(f"oracle: {error.args[0] if isinstance(error, KeyError) else error}")


if __name__ == "__main__":
    main()
