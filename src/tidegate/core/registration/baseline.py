"""What rate of sign-ups is usual at this hour: p95 of its minutes on past days, and never below a floor.

For each hour of the day (UTC) a histogram of minutes over classes of rates, each a
fifth wider than the one below. A day's minutes weigh four fifths of the next day's:
fixed memory (24 x 64 numbers), and a value to keep.

A flood must not teach that floods are usual. Within an hour the measure stands still,
and a minute counts for `growth` times it at most: whoever floods the same hour every
day raises the measure by half a day, and a service that truly grows is followed.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from itertools import accumulate
from typing import Final

import msgspec

_HOURS: Final = 24
_CLASSES: Final = 64
_PER_DOUBLING: Final = 4
_MINUTE_S: Final = 60.0
_HOUR_S: Final = 3600.0


class BaselinePlan(msgspec.Struct, frozen=True, kw_only=True):
    """`least_minutes` must have been seen before an hour is judged by itself, or all of them together."""

    floor_per_min: float = 6.0
    quantile: float = 0.95
    growth: float = 1.5
    day_weight: float = 0.8
    least_minutes: float = 45.0


class BaselineState(msgspec.Struct, frozen=True, kw_only=True):
    """What was learned, to be kept: weights by hour and class, the day that each hour was last seen on."""

    weights: tuple[tuple[float, ...], ...] = ((0.0,) * _CLASSES,) * _HOURS
    days: tuple[int, ...] = (0,) * _HOURS


class Baseline:
    """Learns a minute at a time. Times are Unix seconds."""

    def __init__(self, plan: BaselinePlan, state: BaselineState | None = None) -> None:
        """Know nothing, or what `state` tells."""
        state = state or BaselineState()
        self.plan = plan
        self._weights = [list(hour) for hour in state.weights]
        self._days = list(state.days)
        self._minute: int | None = None
        self._hour: int | None = None
        self._usual = 0.0

    def state(self) -> BaselineState:
        """What was learned."""
        return BaselineState(weights=tuple(tuple(hour) for hour in self._weights), days=tuple(self._days))

    def learn(self, at: float, attempts_per_min: float) -> None:
        """Take note of a rate; of each minute the first is kept, so it may be told more often."""
        minute = int(at // _MINUTE_S)
        if minute == self._minute:
            return
        counted = min(attempts_per_min, self.plan.growth * self.per_min(at))
        self._minute = minute
        hour = int(at // _HOUR_S) % _HOURS
        day = int(at // (_HOUR_S * _HOURS))
        # A clock that steps back forgets nothing.
        fading = self.plan.day_weight ** max(0, day - self._days[hour])
        weights = [weight * fading for weight in self._weights[hour]]
        weights[_class_of(counted)] += 1.0
        self._weights[hour], self._days[hour] = weights, max(day, self._days[hour])

    def per_min(self, at: float) -> float:
        """What is usual at this time."""
        hour = int(at // _HOUR_S)
        if hour != self._hour:
            self._hour, self._usual = hour, self._measured(hour % _HOURS)
        return max(self.plan.floor_per_min, self._usual)

    def _measured(self, hour: int) -> float:
        for weights in (self._weights[hour], [sum(classes) for classes in zip(*self._weights, strict=True)]):
            total = sum(weights)
            if total >= self.plan.least_minutes:
                return _quantile(weights, total * self.plan.quantile)
        return 0.0


def _class_of(rate: float) -> int:
    return min(_CLASSES - 1, math.ceil(_PER_DOUBLING * math.log2(1.0 + max(0.0, rate))))


def _quantile(weights: list[float], wanted: float) -> float:
    number = bisect_left(list(accumulate(weights)), wanted)
    return math.pow(2.0, min(number, _CLASSES - 1) / _PER_DOUBLING) - 1.0
