"""Defines Freshet's view in Feast and gives Feast's online store the values that Freshet answers.

    feast_fill.py --repository DIR --lookup HOST:PORT --view VIEW --entity NAME --entities N --features NAME...

Runs with the Python that has Feast. DIR holds feature_store.yaml. Every value is read with FS.MGET and written by
Feast's own write_to_online_store; integers are Int64, others Float64. Fails if a value is missing. Prints JSON:
entities, seconds of writing, and the versions of what serves.
"""
import argparse
import datetime
import importlib.metadata
import json
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tests" / "lib"))

import pandas
from feast import Entity, FeatureStore, FeatureView, Field, FileSource, ValueType
from feast.types import Float64, Int64

from resp import RespClient

AT_ONCE = 500
SERVING = ("feast", "fastapi", "uvicorn", "uvicorn-worker", "gunicorn", "uvloop", "httptools", "redis", "hiredis",
           "protobuf")


def read(client, view, keys, features):
    """The rows of these entities, as numbers."""
    rows = client.call("FS.MGET", view, len(keys), *keys, "FEATURES", len(features), *features)
    for key, row in zip(keys, rows):
        if None in row:
            raise SystemExit(f"feast_fill: Freshet has no value of entity {key}: {row}")
    return [[value if isinstance(value, int) else float(value) for value in row] for row in rows]


def define(store, options, example):
    """The view, with the types of the example. Feast wants a source named; nothing reads it."""
    entity = Entity(name=options.entity, join_keys=[options.entity], value_type=ValueType.INT64)
    view = FeatureView(
        name=options.view, entities=[entity], ttl=datetime.timedelta(0), online=True,
        schema=[Field(name=options.entity, dtype=Int64)] +
               [Field(name=name, dtype=Int64 if isinstance(value, int) else Float64)
                for name, value in zip(options.features, example)],
        source=FileSource(name=f"{options.view}_file", path="no.parquet", timestamp_field="event_timestamp"))
    store.apply([entity, view])


def write(store, options, keys, rows):
    frame = pandas.DataFrame(rows, columns=options.features)
    frame[options.entity] = keys
    frame["event_timestamp"] = pandas.Timestamp.now("UTC")
    store.write_to_online_store(options.view, frame)


def fill(store, options):
    """Returns the seconds that Feast wrote for."""
    writing = 0.0
    host, port = options.lookup.rsplit(":", 1)
    with RespClient(host, int(port)) as client:
        define(store, options, read(client, options.view, [0], options.features)[0])
        for first in range(0, options.entities, AT_ONCE):
            keys = list(range(first, min(first + AT_ONCE, options.entities)))
            rows = read(client, options.view, keys, options.features)
            began = time.monotonic()
            write(store, options, keys, rows)
            writing += time.monotonic() - began
    return writing


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("repository", "lookup", "view", "entity"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--entities", type=int, required=True)
    parser.add_argument("--features", nargs="+", required=True)
    options = parser.parse_args()
    seconds = fill(FeatureStore(repo_path=options.repository), options)
    print(json.dumps({"entities": options.entities, "write_seconds": seconds, "python": sys.version.split()[0],
                      "versions": {name: importlib.metadata.version(name) for name in SERVING}}))


if __name__ == "__main__":
    sys.exit(main())
