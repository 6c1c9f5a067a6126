"""How fast the waiting room empties, as far as that was seen."""

from __future__ import annotations

import math
from typing import Final

_HALF_LIFE_S: Final = 120.0
_LEAVING_HALF_LIFE_S: Final = 600.0


class Rate:
    """Events per second of exposure, older ones counting for less and less.

    Count and exposure fade alike, so the rate is right from the first minute on, and
    `weight` says on how many events it still rests.
    """

    def __init__(self, half_life_s: float) -> None:
        """Nothing seen."""
        self.weight = 0.0
        self._exposure = 0.0
        self._half_life_s = half_life_s

    def pass_by(self, elapsed_s: float, exposed: float = 1.0) -> None:
        """Let time pass, with so much (1, or heads) exposed to the event; 0 leaves all as it is."""
        if exposed > 0.0 and elapsed_s > 0.0:
            kept = math.exp2(-elapsed_s / self._half_life_s)
            self.weight *= kept
            self._exposure = self._exposure * kept + exposed * (1.0 - kept) * self._half_life_s / math.log(2.0)

    def count(self, events: float) -> None:
        """So many happened."""
        self.weight += events

    @property
    def per_s(self) -> float:
        """Events per second and unit of exposure; 0 while nothing is known."""
        return self.weight / self._exposure if self._exposure > 0.0 else 0.0


class Outflow:
    """Admissions, and by lane arrivals and leaving, of a room that is looked at every now and then."""

    def __init__(self) -> None:
        """Nothing seen."""
        self.seen = 0
        self.admitted = Rate(_HALF_LIFE_S)
        self.left = (Rate(_LEAVING_HALF_LIFE_S), Rate(_LEAVING_HALF_LIFE_S))
        self.arrived = (Rate(_HALF_LIFE_S), Rate(_HALF_LIFE_S))
        self._at: float | None = None

    def pass_by(self, now: float, waiting: tuple[int, int]) -> None:
        """Time went on with so many waiting in each lane; while nobody does, nothing is learned of the rate."""
        elapsed_s = 0.0 if self._at is None else now - self._at
        self._at = now
        self.admitted.pass_by(elapsed_s, 1.0 if sum(waiting) else 0.0)
        for left, arrived, heads in zip(self.left, self.arrived, waiting, strict=True):
            left.pass_by(elapsed_s, float(heads))
            arrived.pass_by(elapsed_s)

    def let_in(self, count: int) -> None:
        """So many were admitted."""
        self.seen += count
        self.admitted.count(count)

    def forget(self) -> None:
        """Begin anew: the mode rose, and what was seen before says nothing of now."""
        self.seen = 0
        self.admitted = Rate(_HALF_LIFE_S)
