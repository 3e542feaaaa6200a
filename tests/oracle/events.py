"""Records of a topic, the files that hold them, and their decoding into typed events."""
import base64
import json
import math
from typing import NamedTuple, Optional

from aggregates import INT64
from times import Unreadable

# Why a source refuses a record, in the order in which the rules are applied.
REASONS = ("json", "type", "time", "future", "jump")
_NUMBERS = range(-2**63, 2**64)


class Record(NamedTuple):
    topic: str
    partition: int
    offset: int
    timestamp: int                      # Kafka's, unix ms
    value: Optional[bytes]              # None: a tombstone


class DeadLetter(ValueError):
    def __init__(self, reason, detail=""):
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason


# ---- files ----

def read_records(path):
    """Records of a file that holds one JSON object a line."""
    with open(path, "rb") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                yield record_of(json.loads(line))
            except (ValueError, KeyError, TypeError) as error:
                raise ValueError(f"{path}:{number}: not a record: {error!r}") from None


def record_of(line):
    if ("value" in line) == ("value_base64" in line):
        raise ValueError("needs either value or value_base64")
    if "value_base64" in line:
        value = base64.b64decode(line["value_base64"], validate=True)
    else:
        value = line["value"] if line["value"] is None else line["value"].encode("utf-8")
    return Record(line["topic"], int(line["partition"]), int(line["offset"]), int(line["timestamp"]), value)


def record_line(record):
    """The line of a record in such a file."""
    line = record._asdict()
    if record.value is not None:
        try:
            line["value"] = record.value.decode("utf-8")
        except UnicodeDecodeError:
            del line["value"]
            line["value_base64"] = base64.b64encode(record.value).decode("ascii")
    return json.dumps(line, ensure_ascii=False)


def read_plain(path, source):
    """Records of a file whose lines are the payloads of `source`; the Kafka timestamp is the event's own time."""
    if source.time_path is None:
        raise ValueError(f"source {source.name} takes Kafka's timestamp, which a plain file does not hold")
    with open(path, "rb") as file:
        for offset, line in enumerate(file):
            payload = line[:-1] if line.endswith(b"\n") else line
            try:
                timestamp = time_of(source, parse(payload), None)
            except DeadLetter:
                timestamp = 0
            yield Record(source.topic, 0, offset, timestamp, payload)


# ---- decoding ----

def _integer(text):
    if len(text) > 20 or int(text) not in _NUMBERS:
        raise ValueError("an integer of more than 64 bits")
    return int(text)


def _double(text):
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("a number beyond a double")
    return number


def _constant(text):
    raise ValueError(f"{text} is not JSON")


def _check_texts(pairs):
    """Lone surrogates cannot be encoded, not even in a value that a later one of the same key replaces."""
    waiting = [pairs]
    while waiting:
        item = waiting.pop()
        if isinstance(item, str):
            item.encode("utf-8")
        elif isinstance(item, (list, tuple)):
            waiting.extend(item)
    return dict(pairs)


_DECODER = json.JSONDecoder(parse_int=_integer, parse_float=_double, parse_constant=_constant)
_CHECKING_DECODER = json.JSONDecoder(parse_int=_integer, parse_float=_double, parse_constant=_constant,
                                     object_pairs_hook=_check_texts)


def parse(payload):
    """The JSON object of a payload."""
    try:
        text = payload.decode("utf-8")
        value = (_CHECKING_DECODER if "\\u" in text else _DECODER).decode(text)
    except (ValueError, RecursionError) as error:
        raise DeadLetter("json", str(error)) from None
    if not isinstance(value, dict):
        raise DeadLetter("json", "not an object")
    return value


def look_up(value, path):
    for step in path:
        if not isinstance(value, dict):
            return None
        value = value.get(step)
    return value


def _typed(value, field_type):
    kind = type(value)
    if value is None or (field_type == "string" and kind is str) or (field_type == "bool" and kind is bool):
        return value
    if field_type == "int" and kind is int and value in INT64:
        return value
    if field_type == "float" and kind is not bool and isinstance(value, (int, float)):
        return float(value)
    raise DeadLetter("type", f"{value!r:.80} is no {field_type}")


def time_of(source, value, kafka_timestamp):
    if source.time_path is None:
        return kafka_timestamp
    try:
        return source.read_time(look_up(value, source.time_path))
    except Unreadable as error:
        raise DeadLetter("time", str(error)) from None


def decode(source, record, clock):
    """(time, {field: value}) of a record that has a value; `clock` is that of its partition, or None."""
    value = parse(record.value)
    fields = {name: _typed(look_up(value, field.path), field.type) for name, field in source.fields.items()}
    time = time_of(source, value, record.timestamp)
    if time > record.timestamp + source.max_future:
        raise DeadLetter("future", f"{time - record.timestamp} ms after its Kafka timestamp")
    if source.max_jump is not None and clock is not None and time > clock + source.max_jump:
        raise DeadLetter("jump", f"{time - clock} ms above the partition's clock")
    return time, fields
