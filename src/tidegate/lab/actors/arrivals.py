"""When somebody comes: a Poisson process whose rate moves, by thinning (Lewis and Shedler 1979, algorithm 1).

Arrivals are drawn at the greatest rate there will be, and kept with the part of it that is due then. So
two processes that begin sessions at once are one of both rates: a thousand people who each
come at their own rate, and one source that draws who comes, cannot be told apart.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from random import Random

import msgspec

from tidegate.lab.acts import Life, Spawn, Wait


def steadily(at_s: float) -> float:
    """Keep all, always."""
    del at_s
    return 1.0


class Flow(msgspec.Struct, frozen=True, kw_only=True):
    """`per_s` arrivals a second, times `factor` of the time, which is `peak` at the most; from then until then."""

    per_s: float
    factor: Callable[[float], float] = steadily
    peak: float = 1.0
    from_s: float = 0.0
    until_s: float

    def times(self, part: float = 1.0) -> Flow:
        """The same with so many times as many arrivals."""
        return msgspec.structs.replace(self, per_s=self.per_s * part)

    def arrivals(self, dice: Random) -> Iterator[float]:
        """When they come (seconds since the beginning), rising."""
        most = self.per_s * self.peak
        if most <= 0.0:
            return
        at_s = self.from_s
        while (at_s := at_s + dice.expovariate(most)) < self.until_s:
            if dice.random() * self.peak < self.factor(at_s):
                yield at_s


def poisson(mean: float, dice: Random) -> int:
    """Draw a count."""
    return sum(1 for _ in Flow(per_s=mean, until_s=1.0).arrivals(dice))


def ramp(from_s: float, ramp_s: float) -> Callable[[float], float]:
    """Build a factor that rises evenly from 0 at `from_s` to 1 within `ramp_s`."""

    def risen(at_s: float) -> float:
        return min(1.0, (at_s - from_s) / ramp_s) if ramp_s > 0.0 else 1.0

    return risen


def waning(from_s: float, until_s: float, steepness: float = 4.0) -> Callable[[float], float]:
    """Build a factor that falls from `steepness` at `from_s` to about 0, with a mean of 1 within the span."""
    whole = until_s - from_s

    def left(at_s: float) -> float:
        return steepness * math.pow(1.0 - (at_s - from_s) / whole, steepness - 1.0)

    return left


def source(flow: Flow, dice: Random, begin: Callable[[float], Life | None]) -> Life:
    """Let somebody begin at every arrival, or nobody: `begin` says. To be started at second 0."""
    now = 0.0
    for at_s in flow.arrivals(dice):
        yield Wait(at_s - now)
        now = at_s
        if (life := begin(at_s)) is not None:
            yield Spawn(life)
