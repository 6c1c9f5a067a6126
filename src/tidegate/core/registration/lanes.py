"""Two lanes of one room: those who proved work, and those who wait instead of it.

A fixed part of the outflow is reserved for the second, so that who cannot compute, or
has no JavaScript, gets in however many can. A lane that is empty leaves its part to
the other.
"""

from __future__ import annotations

from enum import IntEnum

from tidegate.core.registration.order import Order


class Lane(IntEnum):
    """Where somebody waits."""

    PROVED = 0
    WAITED = 1

    @property
    def other(self) -> Lane:
        """The one beside."""
        return Lane(1 - self)


class Lanes:
    """Places in both lanes, and whose turn it is."""

    def __init__(self, waited_part: float) -> None:
        """Nobody waits; `waited_part` of the outflow is for those who wait instead of work."""
        self.parts = (1.0 - waited_part, waited_part)
        self._orders = (Order(), Order())
        self._credit = 0.0

    def __len__(self) -> int:
        return sum(self.lengths)

    @property
    def lengths(self) -> tuple[int, int]:
        """How many wait in each."""
        return len(self._orders[0]), len(self._orders[1])

    def __getitem__(self, lane: Lane) -> Order:
        return self._orders[lane]

    def ahead(self, lane: Lane, place: int) -> int:
        """How many get in before this place, as things are: of this lane, and of the other meanwhile."""
        before = self._orders[lane].rank(place)
        part = self.parts[lane]
        meanwhile = round(before * (1.0 - part) / part) if part else len(self)
        return before + min(len(self._orders[lane.other]), meanwhile)

    def last(self) -> int | None:
        """The last place of the lane whose last has the higher grade of the later window."""
        return max((order.last for order in self._orders if order.last is not None), default=None)

    def next(self) -> tuple[Lane, int] | None:
        """Whose turn it is: the lane and the place, or nobody."""
        proved, waited = self._orders[Lane.PROVED].first, self._orders[Lane.WAITED].first
        if proved is None or waited is None:
            if waited is not None:
                return Lane.WAITED, waited
            return None if proved is None else (Lane.PROVED, proved)
        self._credit += self.parts[Lane.WAITED]
        if self._credit >= 1.0:
            self._credit -= 1.0
            return Lane.WAITED, waited
        return Lane.PROVED, proved
