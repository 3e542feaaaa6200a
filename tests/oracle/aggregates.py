"""The aggregates by their definitions: over a list of values in the order of (time, partition, offset).

Each returns a Result: the value, its status, and the scale by which a computed value may be judged:

    sum             sum_abs             sum of |x|; inf if no double holds it
    mean            mean_abs            the same over n
    variance        rms, variance       root of the mean of x^2; the variance itself
    stddev          rms, variance
    count_distinct  exact
    quantile        element, largest    the element of the rank; the largest magnitude among the values of its sign
"""
import math
from fractions import Fraction
from typing import Any, Callable, Mapping, NamedTuple

INT64 = range(-2**63, 2**63)
NUMBERS = ("int", "float")
ANY = ("int", "float", "string", "bool")
OK, OVERFLOW, MISSING = "ok", "overflow", "missing"


class Result(NamedTuple):
    value: Any
    status: str = OK
    scale: Mapping[str, Any] = {}


class Aggregate(NamedTuple):
    field_types: tuple
    result_type: Callable[[str], str]
    compute: Callable[[list, Any], Result]      # (values, the feature)


def compute(feature, values):
    return AGGREGATES[feature.aggregate].compute(values, feature)


def exact_total(values):
    return sum(map(Fraction, values))


def total(values):
    """The sum of finite numbers as the nearest double, or an infinity."""
    try:
        return math.fsum(values)
    except OverflowError:
        return nearest_double(exact_total(values))


def nearest_double(number):
    try:
        return float(number)
    except OverflowError:
        return math.inf if number > 0 else -math.inf


def root_mean_square(values):
    largest = float(max(map(abs, values), default=0))
    if largest == 0.0:
        return 0.0
    return largest * math.sqrt(math.fsum((x / largest) ** 2 for x in values) / len(values))


def _finite(value, scale):
    return Result(value, OK, scale) if math.isfinite(value) else Result(None, OVERFLOW, scale)


def _count(values, _):
    return Result(len(values))


def _sum(values, feature):
    scale = {"sum_abs": total(list(map(abs, values)))}
    if feature.field_type == "float":
        return _finite(total(values), scale)
    exact = sum(values)
    return Result(exact, OK, scale) if exact in INT64 else Result(None, OVERFLOW, scale)


def _mean(values, feature):
    n = len(values)
    if n == 0:
        return Result(None)
    scale = {"mean_abs": total(list(map(abs, values))) / n}
    return _finite((sum(values) if feature.field_type == "int" else total(values)) / n, scale)


def _population_variance(values, feature):
    n = len(values)
    if feature.field_type == "int":
        return (n * sum(x * x for x in values) - sum(values) ** 2) / (n * n)
    mean = total(values) / n
    if not math.isfinite(mean):
        mean = float(exact_total(values) / n)
    deviations = [x - mean for x in values]
    try:
        return math.fsum(d * d for d in deviations) / n
    except OverflowError:
        return math.inf


def _variance(values, feature):
    if not values:
        return Result(None)
    variance = _population_variance(values, feature)
    return _finite(variance, {"rms": root_mean_square(values), "variance": variance})


def _stddev(values, feature):
    value, status, scale = _variance(values, feature)
    return Result(None if value is None else math.sqrt(value), status, scale)


def _quantile(values, feature):
    if not values:
        return Result(None)
    ordered = sorted(values)
    element = float(ordered[math.floor(feature.q * float(len(ordered) - 1))])
    largest = float(ordered[-1]) if element > 0 else -float(ordered[0]) if element < 0 else 0.0
    return Result(element, OK, {"element": element, "largest": largest})


def _count_distinct(values, _):
    exact = len(set(values))
    return Result(exact, OK, {"exact": exact})


def _one(pick):
    return lambda values, _: Result(pick(values) if values else None)


def _always(name):
    return lambda field_type: name


def _of_field(field_type):
    return field_type


AGGREGATES = {
    "count": Aggregate(ANY, _always("int"), _count),
    "sum": Aggregate(NUMBERS, _of_field, _sum),
    "mean": Aggregate(NUMBERS, _always("float"), _mean),
    "min": Aggregate(NUMBERS, _of_field, _one(min)),
    "max": Aggregate(NUMBERS, _of_field, _one(max)),
    "variance": Aggregate(NUMBERS, _always("float"), _variance),
    "stddev": Aggregate(NUMBERS, _always("float"), _stddev),
    "first": Aggregate(ANY, _of_field, _one(lambda values: values[0])),
    "last": Aggregate(ANY, _of_field, _one(lambda values: values[-1])),
    "count_distinct": Aggregate(ANY, _always("int"), _count_distinct),
    "quantile": Aggregate(NUMBERS, _always("float"), _quantile),
}
