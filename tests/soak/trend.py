"""Whether a series of samples grows, or only moves up and down.

The samples after the warm-up are cut into BLOCKS spans of equal length, of which the medians count. They grow if their
order says so (Mann-Kendall, one side, below one in a thousand by chance) and the slope (Theil-Sen) over the whole span
amounts to more than an allowance, which is the larger of a share of the level and a floor of each series.
"""
import itertools
import math
import statistics
from typing import NamedTuple

BLOCKS = 12
SIGNIFICANT = 3.1                       # standard deviations of Kendall's S
ALLOWED_SHARE = 0.02
HOUR = 3600.0


class Trend(NamedTuple):
    level: float                        # the median
    lowest: float
    highest: float
    per_hour: float                     # the slope
    rise: float                         # the slope over the span that was measured
    allowed: float
    order: float                        # Kendall's S in standard deviations
    grows: bool


def _kendall(values):
    number = len(values)
    score = sum((b > a) - (b < a) for a, b in itertools.combinations(values, 2))
    return score / math.sqrt(number * (number - 1) * (2 * number + 5) / 18)


def trend(samples, warm_up, floor):
    """Of [(seconds, value)], ascending; what lies before `warm_up` seconds does not count."""
    measured = [(at, value) for at, value in samples if at >= warm_up]
    if len(measured) < 2 * BLOCKS:
        raise ValueError(f"{len(measured)} samples after the warm-up are too few; {2 * BLOCKS} are needed")
    per_block = len(measured) / BLOCKS
    blocks = [measured[round(i * per_block):round((i + 1) * per_block)] for i in range(BLOCKS)]
    points = [(statistics.mean(at for at, _ in block), statistics.median(value for _, value in block))
              for block in blocks]
    slope = statistics.median((y2 - y1) / (x2 - x1) for (x1, y1), (x2, y2) in itertools.combinations(points, 2))
    values = [value for _, value in measured]
    level = statistics.median(values)
    rise = slope * (measured[-1][0] - measured[0][0])
    allowed = max(ALLOWED_SHARE * level, floor)
    order = _kendall([y for _, y in points])
    return Trend(level, min(values), max(values), slope * HOUR, rise, allowed, order,
                 order > SIGNIFICANT and rise > allowed)
