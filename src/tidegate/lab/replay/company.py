"""How many answers one engine's line had running, at each moment of a record."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from itertools import accumulate
from typing import Final

_AHEAD_S: Final = 1e-5
"""Times are told to a millionth of a second: whoever has just begun or ended is looked at as if that were over."""


class Company:
    """Knows when each answer had its place, and until when."""

    def __init__(self, spans: Iterable[tuple[float, float]]) -> None:
        """From these seconds until those, each."""
        moves = sorted(move for since, until in spans for move in ((since, 1), (until, -1)))
        self._times = [at for at, _ in moves]
        self._running = list(accumulate(change for _, change in moves))
        self._areas = [0.0]
        for number in range(1, len(moves)):
            passed_s = self._times[number] - self._times[number - 1]
            self._areas.append(self._areas[-1] + self._running[number - 1] * passed_s)

    def at(self, t: float) -> int:
        """How many ran at that time; at least 1, for who asks is one of them."""
        last = bisect_right(self._times, t + _AHEAD_S) - 1
        return max(1, self._running[last]) if last >= 0 else 1

    def mean(self, since: float, until: float) -> float:
        """How many ran on average from then until then, in which one of them did."""
        passed_s = until - since
        return max(1.0, (self._area(until) - self._area(since)) / passed_s) if passed_s > 0 else 1.0

    def _area(self, at: float) -> float:
        last = bisect_right(self._times, at) - 1
        return self._areas[last] + self._running[last] * (at - self._times[last])
