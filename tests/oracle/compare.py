"""Judges the values of a store against the oracle, each by the rule of its aggregate.

    comparison = Comparison(Oracle(config, events))
    comparison.add("orders_by_store", "s1", t, "count_5m", ours=b"12", ours_status="fresh")
    assert not comparison.mismatches, comparison.report()

Exact: count, min, max, first, last, sums of ints. Sum and mean of floats: 1e-9 of sum|x|, over n for the mean.
Variance: 1e-9 of stddev * rms, rms the root of the mean of x^2; stddev by its square. Quantile: 1 % of the element
of the rank. count_distinct: exact up to 128; beyond that no error above six standard errors, and over the whole
comparison at most 1 % of the errors above three.
"""
import collections
import math
import re

from views import entity_name

EXACT_DISTINCT = 128
STANDARD_ERROR = 1.04 / math.sqrt(4096)
RELATIVE = 1e-9
QUANTILE_ACCURACY = 0.01
COUNTS_AS_ZERO = 1e-9
SKETCH_SPAN = (1.01 / 0.99) ** 2048     # largest magnitude over the smallest one that surely keeps a bucket

_AS_OK = {"fresh": "ok", "stale": "ok"}
_DOUBLE = re.compile(r"-?[0-9]+(?:\.[0-9]*)?(?:[eE][-+]?[0-9]+)?")
_PYTHON_TYPES = {"int": int, "float": float, "string": str, "bool": bool}


class Malformed(ValueError):
    """A value that is not written as its type demands."""


def typed(ours, result_type):
    """A value as Python's type: from text on the wire (bytes), or checked as it is (None, bool, int, float, str)."""
    if ours is None:
        return None
    if not isinstance(ours, bytes):
        if result_type == "bool" and type(ours) is int and ours in (0, 1):
            return bool(ours)           # as RESP2 has it
        if type(ours) is not _PYTHON_TYPES[result_type]:
            raise Malformed(f"{ours!r} is not of type {result_type}")
        return ours
    text = ours.decode("utf-8")
    if result_type == "string":
        return text
    if result_type == "bool" and text in ("true", "false"):
        return text == "true"
    if result_type == "int" and re.fullmatch("-?[0-9]+", text):
        return int(text)
    if result_type == "float" and _DOUBLE.fullmatch(text) and re.search("[.eE]", text):
        return float(text)
    raise Malformed(f"{ours!r} is not the text of a {result_type}")


class Comparison:
    """Accumulates comparisons; `compared` and `nontrivial` (neither 0 nor null) say how much they mean."""

    def __init__(self, oracle):
        self.oracle = oracle
        self.compared = 0
        self.nontrivial = 0
        self.distinct_errors = []       # (relative error, description) of the estimates
        self.by_feature = collections.defaultdict(collections.Counter)
        self.worst = collections.defaultdict(float)
        self._wrong = []
        self._answer = (None, None)

    @property
    def mismatches(self):
        """Readable descriptions of all that is wrong."""
        return self._wrong + self._excess_of_distinct_errors()

    def add(self, view, entity, t, feature, ours, ours_status=None):
        """Compares one value, and its status where one is given; returns whether it is right."""
        answer = self._ask(view, entity, t)
        definition = self.oracle.config.views[view].features[feature]
        expected = answer.values[feature]
        counts = self.by_feature[f"{view}.{feature}"]
        self.compared += 1
        counts["compared"] += 1
        if expected is not None and expected != 0:
            self.nontrivial += 1
            counts["nontrivial"] += 1
        complaint = self._judge(answer, definition, ours, ours_status)
        if complaint:
            counts["wrong"] += 1
            self._wrong.append(f"{_place(answer, definition)}: {complaint}")
        return not complaint

    def report(self, most=20):
        """A text for people: totals, features, the first mismatches."""
        wrong = self.mismatches
        lines = [f"{self.compared} values compared, {self.nontrivial} of them nontrivial, {len(wrong)} mismatches"]
        for name, counts in sorted(self.by_feature.items()):
            worst = f", largest share of the tolerance {self.worst[name]:.2g}" if name in self.worst else ""
            lines.append(f"  {name}: {counts['compared']} compared, {counts['nontrivial']} nontrivial, "
                         f"{counts['wrong']} wrong{worst}")
        if self.distinct_errors:
            rms = math.sqrt(sum(error ** 2 for error, _ in self.distinct_errors) / len(self.distinct_errors))
            lines.append(f"  count_distinct above {EXACT_DISTINCT}: {len(self.distinct_errors)} estimates, error "
                         f"{rms:.2%} (root mean square), {len(self._outliers())} beyond three standard errors")
        lines += [f"  MISMATCH {description}" for description in wrong[:most]]
        if len(wrong) > most:
            lines.append(f"  ... and {len(wrong) - most} more")
        return "\n".join(lines)

    def _ask(self, view, entity, t):
        name = entity if isinstance(entity, str) else entity_name(entity)
        if self._answer[0] != (view, name, t):
            self._answer = (view, name, t), self.oracle.value(view, name, t)
        return self._answer[1]

    def _judge(self, answer, definition, ours, ours_status):
        """What is wrong, or None."""
        feature = definition.name
        expected, status, scale = answer.values[feature], answer.statuses[feature], answer.scale[feature]
        try:
            ours = typed(ours, definition.result_type)
        except ValueError as error:
            return str(error)
        if _beyond_doubles(definition, expected, scale):
            return None
        if ours_status is not None:
            spelled = ours_status.decode() if isinstance(ours_status, bytes) else ours_status
            if _AS_OK.get(spelled, spelled) != status:
                return f"status {spelled}, expected {status}"
        if expected is None or ours is None:
            return None if expected is ours else f"{ours!r}, expected {expected!r} ({status})"
        if definition.aggregate == "count_distinct" and expected > EXACT_DISTINCT:
            return self._judge_estimate(expected, ours, _place(answer, definition))
        allowed = _tolerance(definition, scale)
        if allowed is None:
            return None if ours == expected else f"{ours!r}, expected exactly {expected!r}"
        if definition.aggregate == "quantile":
            distance = _distance_to_bucket(ours, scale)
        elif definition.aggregate == "stddev":
            distance = abs(ours * ours - scale["variance"]) if ours >= 0 else math.inf
        else:
            distance = abs(ours - expected)
        if not distance <= allowed:
            return f"{ours!r}, expected {expected!r}: off by {distance:.3g}, allowed {allowed:.3g}"
        name = f"{answer.view}.{feature}"
        self.worst[name] = max(self.worst[name], distance / allowed if allowed else 0.0)
        return None

    def _judge_estimate(self, expected, ours, place):
        error = (ours - expected) / expected
        if abs(error) > 6 * STANDARD_ERROR:
            return f"{ours}, expected about {expected}: off by {error:.2%}"
        self.distinct_errors.append((error, f"{place}: {ours}, expected about {expected}: off by {error:.2%}"))
        return None

    def _outliers(self):
        return [description for error, description in self.distinct_errors if abs(error) > 3 * STANDARD_ERROR]

    def _excess_of_distinct_errors(self):
        outliers = self._outliers()
        if len(outliers) <= max(1, 0.01 * len(self.distinct_errors)):   # a single one is no share of a small run
            return []
        return [f"count_distinct: {len(outliers)} of {len(self.distinct_errors)} estimates are off by more than "
                f"three standard errors, for example {outliers[0]}"]


def _tolerance(definition, scale):
    """The distance allowed, or None where the value must be exact."""
    if definition.aggregate == "sum" and definition.result_type == "float":
        return RELATIVE * scale["sum_abs"]
    if definition.aggregate == "mean":
        return RELATIVE * scale["mean_abs"]
    if definition.aggregate in ("variance", "stddev"):
        rms = scale["rms"]
        return RELATIVE * math.sqrt(scale["variance"]) * rms + 1e-18 * rms * rms + 1e-300
    if definition.aggregate == "quantile":
        return QUANTILE_ACCURACY * (1 + RELATIVE) * abs(scale["element"]) + COUNTS_AS_ZERO
    return None


def _distance_to_bucket(ours, scale):
    """From the element of the rank, or from what lies between it and the bound to which small values are raised."""
    element = scale["element"]
    bound = scale["largest"] / SKETCH_SPAN * 1.031
    if abs(element) >= bound:
        return abs(ours - element)
    nearest, farthest = abs(element), bound
    magnitude = math.copysign(1.0, element) * ours
    return max(nearest - magnitude, magnitude - farthest, 0.0)


def _place(answer, definition):
    return f"{answer.view}.{definition.name} ({definition.aggregate}) of {answer.entity!r} at {answer.at}"


def _beyond_doubles(definition, expected, scale):
    """Whether a step on the way may overflow or not, by the order of the steps: then anything is right."""
    if definition.aggregate == "sum" and expected is None:
        return False                    # the sum itself overflows, in any order
    rms = scale.get("rms", 0.0)
    return not all(math.isfinite(number) for number in
                   (scale.get("sum_abs", 0.0), scale.get("mean_abs", 0.0), rms * rms * 1e12))

