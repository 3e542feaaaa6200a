"""Durations of the configuration, and the formats of a time field."""
import datetime
import re
import zoneinfo
from decimal import ROUND_FLOOR, Decimal

SECOND = 1000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

_UNITS = {"ms": 1, "s": SECOND, "m": MINUTE, "h": HOUR, "d": DAY}
_DURATION = re.compile(r"([0-9]+)(ms|s|m|h|d)")
_RFC3339 = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt]([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]+))?"
                      r"(?:[Zz]|([-+])([0-9]{2}):([0-9]{2}))")
_DIRECTIVES = {"Y": 4, "m": 2, "d": 2, "H": 2, "M": 2, "S": 2}
_UNIX_EPOCH = datetime.date(1970, 1, 1).toordinal()
_YEARS = range((datetime.date(1, 1, 1).toordinal() - _UNIX_EPOCH) * DAY,
               (datetime.date(9999, 12, 31).toordinal() + 1 - _UNIX_EPOCH) * DAY)


class Unreadable(ValueError):
    """A time field without a time."""


def duration(text):
    """Milliseconds of '500ms', '30s', '5m', '1h', '7d'."""
    match = _DURATION.fullmatch(text) if isinstance(text, str) else None
    if not match:
        raise ValueError(f"{text!r} is not a duration such as 500ms, 30s, 5m, 1h, 7d")
    return int(match[1]) * _UNITS[match[2]]


def reader(form, zone="UTC"):
    """A function from the JSON value of a time field to unix ms; it raises Unreadable."""
    if form in _READERS:
        return _READERS[form]
    if not isinstance(form, str) or "%" not in form:
        raise ValueError(f"unknown time format {form!r}: unix, unix_ms, iso8601 or a pattern")
    return _pattern(form, zone)


def _within_years(time):
    if time not in _YEARS:
        raise Unreadable("outside the years 1 to 9999")
    return time


def _unix(value):
    if type(value) is int:
        return _within_years(value * SECOND)
    if not isinstance(value, float) or abs(value) > 1e12:
        raise Unreadable("not a number of seconds")
    shortest = Decimal(repr(value))
    return _within_years(int((shortest * SECOND).to_integral_value(rounding=ROUND_FLOOR)))


def _unix_ms(value):
    if type(value) is not int:
        raise Unreadable("not an integer of milliseconds")
    return _within_years(value)


def _iso8601(value):
    match = _RFC3339.fullmatch(value) if isinstance(value, str) else None
    if not match:
        raise Unreadable("not an RFC 3339 time with a zone")
    fraction = int(((match[7] or "") + "000")[:3])
    offset = 0
    if match[8]:
        hours, minutes = int(match[9]), int(match[10])
        if hours > 23 or minutes > 59:
            raise Unreadable("no such zone offset")
        offset = (hours * HOUR + minutes * MINUTE) * (-1 if match[8] == "-" else 1)
    return _within_years(_civil(*(int(part) for part in match.groups()[:6])) + fraction - offset)


_READERS = {"unix": _unix, "unix_ms": _unix_ms, "iso8601": _iso8601}


def _civil(year, month, day, hour=0, minute=0, second=0):
    """Unix ms of a time of the proleptic Gregorian calendar in UTC."""
    if hour > 23 or minute > 59 or second > 59:
        raise Unreadable("no such time of day")
    try:
        ordinal = datetime.date(year, month, day).toordinal()
    except ValueError as error:
        raise Unreadable(str(error)) from None
    return (ordinal - _UNIX_EPOCH) * DAY + hour * HOUR + minute * MINUTE + second * SECOND


def _pattern(form, zone):
    expression, names, at = "", [], 0
    while at < len(form):
        if form[at] != "%":
            expression += re.escape(form[at])
            at += 1
            continue
        name = form[at + 1:at + 2]
        if name not in _DIRECTIVES or name in names:
            raise ValueError(f"time format {form!r}: '%{name}' is unknown or occurs twice")
        expression += "([0-9]{%d})" % _DIRECTIVES[name]
        names.append(name)
        at += 2
    if "Y" not in names:
        raise ValueError(f"time format {form!r} has no year")
    compiled = re.compile(expression, re.S)
    local_zone = None if zone == "UTC" else zoneinfo.ZoneInfo(zone)

    def read(value):
        match = compiled.fullmatch(value) if isinstance(value, str) else None
        if not match:
            raise Unreadable(f"not of the form {form}")
        parts = dict(zip(names, map(int, match.groups())))
        civil = [parts.get(name, lowest) for name, lowest in zip("YmdHMS", (0, 1, 1, 0, 0, 0))]
        instant = _civil(*civil)
        if local_zone is None:
            return instant
        # fold=0: of two times the first, and a skipped one by the offset before the change.
        local = datetime.datetime(*civil, tzinfo=local_zone, fold=0)
        return _within_years(instant - int(local.utcoffset() / datetime.timedelta(milliseconds=1)))

    return read
