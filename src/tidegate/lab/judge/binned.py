"""Quantiles of any number of values, in bounded memory: a histogram whose bins grow by 2 %.

A quantile is the middle of the bin that it falls into, so at most 1 % off (Masson et al., "DDSketch",
VLDB 2019, section 2.2, with gamma = 1.02). Two of them can be added up, and the sum is what one alone would have.
"""

from __future__ import annotations

import math
from typing import Final

import msgspec

GROWTH: Final = 1.02
_LEAST: Final = 1e-6
_MOST: Final = 1e9
_STEP: Final = math.log(GROWTH)


class Spread(msgspec.Struct, frozen=True, kw_only=True):
    """Quantiles of `count` values; None where there is none."""

    count: int = 0
    p50: float | None = None
    p95: float | None = None
    p99: float | None = None


class Binned:
    """Values from 0 on. At most 1,750 bins, of which only those are kept that something fell into."""

    def __init__(self) -> None:
        """Empty."""
        self.count = 0
        self._zeros = 0
        self._bins: dict[int, int] = {}

    def add(self, value: float) -> None:
        """Count one value. Below a millionth it is 0; beyond 10^9 it is 10^9."""
        self.count += 1
        if not value >= _LEAST:  # NaN too: it must not take the whole rehearsal with it
            self._zeros += 1
            return
        place = math.floor(math.log(min(value, _MOST)) / _STEP)
        self._bins[place] = self._bins.get(place, 0) + 1

    def merge(self, other: Binned) -> None:
        """Count everything that `other` has counted."""
        self.count += other.count
        self._zeros += other._zeros
        for place, number in other._bins.items():
            self._bins[place] = self._bins.get(place, 0) + number

    def quantile(self, part: float) -> float | None:
        """Give the value that `part` of all are not above, or None where there are none."""
        if not self.count:
            return None
        wanted = max(1, math.ceil(part * self.count))
        seen = self._zeros
        if seen >= wanted:
            return 0.0
        for place in sorted(self._bins):
            seen += self._bins[place]
            if seen >= wanted:
                break
        return rounded(math.exp((place + 0.5) * _STEP))

    def spread(self) -> Spread:
        """Give the median, the 95th and the 99th percentile."""
        return Spread(count=self.count, p50=self.quantile(0.5), p95=self.quantile(0.95), p99=self.quantile(0.99))

    @property
    def bins(self) -> int:
        """How many bins are kept."""
        return len(self._bins)


def rounded(value: float) -> float:
    """Six digits that count: more would be noise, and would differ between machines."""
    return float(f"{value:.6g}")


def share(part: float, whole: float) -> float | None:
    """Which part of the whole it is, or None of nothing."""
    return rounded(part / whole) if whole else None
