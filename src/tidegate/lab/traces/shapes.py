"""How load moves over time: a factor with a mean of 1.

`flat` does not move. `day` is a day of people, from midnight to midnight, low in the early morning, with its peak in
the evening. A file of counts (`file:PATH`, see `docs/traces.md`) moves as it did.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Final

from tidegate.lab.traces.counts import Counts, read_counts
from tidegate.lab.traces.sources import Stamp, TraceError, blamed, named_file, stamp_of

DAY_S: Final = 86_400.0
PEAK_S: Final = 20.5 * 3600.0
"""When the evening's peak is: half past eight."""
PEAK_TO_MEDIAN: Final = 3.0
"""The peak of a day over its median. Of four services 1.8, 3.1, 3.2 and 3.3 were measured in windows of ten minutes
(ServeGen's published clients: m-mid, m-large, deepseek-r1, m-small)."""
MOST_POINTS: Final = 4096
"""So many points of a file of counts are kept; each is the mean of what lies closer together."""

_REMEMBERED: Final = 8
"""Files, of which MOST_POINTS numbers are kept each."""
_DAY_POINTS: Final = 288
KNOWN: Final = ("day", "flat")


class Shape:
    """A factor over time, straight between its points, again and again after `period_s`; its mean is 1."""

    def __init__(self, values: Sequence[float], period_s: float) -> None:
        """Take `values` as points at equal distances, whatever their mean is. Raises TraceError."""
        mean = math.fsum(values) / len(values) if values else 0.0
        if not mean > 0.0 or min(values) < 0.0:
            msg = "expected counts of at least 0, some of them above"
            raise TraceError(msg)
        self.period_s = period_s
        self._points = tuple(value / mean for value in values)
        self._step_s = period_s / len(self._points)

    @property
    def peak(self) -> float:
        """The largest factor."""
        return max(self._points)

    def at(self, t_s: float) -> float:
        """The factor at that time, in seconds since the beginning."""
        if len(self._points) == 1:
            return 1.0
        place = t_s % self.period_s / self._step_s
        point = int(place) % len(self._points)
        here, there = self._points[point], self._points[(point + 1) % len(self._points)]
        return here + (there - here) * (place - int(place))


def shape(name: str, duration_s: float | None = None) -> Shape:
    """The shape of that name: `flat`, `day`, or `file:PATH` of counts.

    What it tells of is stretched to `duration_s`, or else takes as long as it did. The points of a file are
    remembered for as long as it stays as it is. Raises TraceError.
    """
    if name == "flat":
        return Shape((1.0,), duration_s or DAY_S)
    if name == "day":
        return Shape(_day(), duration_s or DAY_S)
    path = named_file(name)
    if path is None:
        msg = f"shape: expected one of {', '.join(KNOWN)}, or file:PATH of counts, not {name}"
        raise TraceError(msg)
    try:
        points, period_s = _of_file(path, stamp_of(path))
        return Shape(points, duration_s or period_s)
    except TraceError as error:
        raise blamed(path, error) from None


def shape_of(counts: Counts, duration_s: float | None = None) -> Shape:
    """How counts moved, stretched to `duration_s`, or else as long as they took. Raises TraceError."""
    points, period_s = _points(counts)
    return Shape(points, duration_s or period_s)


@lru_cache(_REMEMBERED)
def _of_file(path: Path, stamp: Stamp) -> tuple[tuple[float, ...], float]:
    del stamp  # Another one is another file, whatever its name.
    return _points(read_counts(path))


def _points(counts: Counts) -> tuple[tuple[float, ...], float]:
    """Points of a shape, and how long it takes."""
    values = counts.values
    together = -(-len(values) // MOST_POINTS) or 1
    parts = (values[first : first + together] for first in range(0, len(values), together))
    return tuple(math.fsum(part) / len(part) for part in parts), counts.step_s * len(values)


def _day() -> list[float]:
    # Of exp(k cos x) the median is 1, for half of a day the cosine is above 0: so the peak stands e^k above it.
    steepness = math.log(PEAK_TO_MEDIAN)
    points = (DAY_S * point / _DAY_POINTS for point in range(_DAY_POINTS))
    return [math.exp(steepness * math.cos(2.0 * math.pi * (at_s - PEAK_S) / DAY_S)) for at_s in points]
