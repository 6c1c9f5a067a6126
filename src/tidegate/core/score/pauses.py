"""How pauses are spread: what sets reading apart from a timer.

People's times on a page have a long tail and mostly quick looks (Liu, White and Dumais,
SIGIR 2010: Weibull with a shape below one), and grow with what there is to read. Pauses
that a program draws from a range have neither.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

SHORTEST_S: Final = 0.5
"""Most web logs count whole seconds: what is shorter than half of one is all the same."""
_NARROW: Final = 0.15
_SAME_VIEW_S: Final = 1.5
_LONG_S: Final = 3.0


def between_views(given: Sequence[float], sizes: Sequence[float]) -> tuple[list[float], list[float]]:
    """Leave out what is too short to be a pause, where most of the rest is not.

    Frames, forwarding and scripts ask for what looks like a page, along with the page; who is that fast
    throughout is judged by it.
    """
    if given and quantile(sorted(given), 0.75) < _LONG_S:
        return list(given), list(sizes)
    kept = [(pause, size) for pause, size in zip(given, sizes, strict=True) if pause >= _SAME_VIEW_S]
    return [pause for pause, _ in kept], [size for _, size in kept]


def quantile(ordered: Sequence[float], share: float) -> float:
    """Take the value below which `share` of an ascending sequence lies, between neighbours in proportion."""
    place = share * (len(ordered) - 1)
    low = math.floor(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def log_spread(values: Sequence[float]) -> float:
    """Give the standard deviation of the logarithms: the same however fast the whole goes."""
    logs = [math.log(max(SHORTEST_S, value)) for value in values]
    mean = sum(logs) / len(logs)
    return math.sqrt(sum((log - mean) ** 2 for log in logs) / len(logs))


def narrow_share(ordered: Sequence[float]) -> float:
    """Give the share that lies within 15 % of the median."""
    median = max(SHORTEST_S, quantile(ordered, 0.5))
    return sum(abs(max(SHORTEST_S, value) - median) <= _NARROW * median for value in ordered) / len(ordered)


def log_ratio(high: float, low: float) -> float:
    """Give the logarithm of how many times `low` is contained in `high`."""
    return math.log(max(SHORTEST_S, high) / max(SHORTEST_S, low))


def rank_correlation(left: Sequence[float], right: Sequence[float]) -> float | None:
    """Give Spearman's correlation of two sequences of one length; None where one of them does not vary."""
    first, second = _ranks(left), _ranks(right)
    mean = (len(left) - 1) / 2
    across = sum((one - mean) * (other - mean) for one, other in zip(first, second, strict=True))
    within = math.sqrt(sum((one - mean) ** 2 for one in first) * sum((other - mean) ** 2 for other in second))
    return across / within if within else None


def _ranks(values: Sequence[float]) -> list[float]:
    order = sorted(range(len(values)), key=values.__getitem__)
    ranks = [0.0] * len(values)
    start = 0
    while start < len(order):
        end = start
        while end + 1 < len(order) and values[order[end + 1]] == values[order[start]]:
            end += 1
        for place in range(start, end + 1):
            ranks[order[place]] = (start + end) / 2
        start = end + 1
    return ranks
