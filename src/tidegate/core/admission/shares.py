"""What each class is guaranteed of the engine, and what it may borrow.

Weighted fair queueing one level above the people of a class: the class goes next
whose virtual counter, divided by its share, would be the smallest after it went.
Nothing is kept for a class that does not ask, so what one leaves the others
take; and whoever took it owes nothing, for virtual time moves on with those that
ask, and a class that asks again starts where virtual time is.
"""

from __future__ import annotations

from collections.abc import Collection
from math import exp
from typing import Final

from tidegate.core.standing.classes import RANK, STRANGERS, Standing

_USE_WINDOW_S: Final = 30.0
_FADES_EVERY_S: Final = 0.05
"""What is consumed within so short a time counts as if it were at one moment."""

_LEAST_SHARE: Final = 0.001
"""Of a class that an operator gives nothing: it lives on what is left, but it is not starved for ever."""


class ClassShares:
    """Virtual counters of the classes, weighted by their shares. Times are monotonic seconds."""

    def __init__(self, shares: dict[Standing, float]) -> None:
        """Nobody has consumed anything."""
        self.virtual_time = 0.0
        self._finish = dict.fromkeys(Standing, 0.0)
        self._use = dict.fromkeys(Standing, 0.0)
        self._use_at = 0.0
        self.shares: dict[Standing, float] = {}
        self.known = 0.0  # Of those with a history, together.
        self.reshare(shares)

    def reshare(self, shares: dict[Standing, float]) -> None:
        """Guarantee other shares from now on; what was consumed stays counted."""
        given = {standing: max(_LEAST_SHARE, shares.get(standing, 0.0)) for standing in Standing}
        whole = sum(given.values())
        self.shares = {standing: share / whole for standing, share in given.items()}
        self.known = sum(share for standing, share in self.shares.items() if standing not in STRANGERS)

    def asks(self, standing: Standing) -> None:
        """Hear that a class has somebody waiting again: its idleness banks nothing."""
        self._finish[standing] = max(self.virtual_time, self._finish[standing])

    def finish(self, standing: Standing) -> float:
        """Where a class stands, with all that it has reserved."""
        return self._finish[standing]

    def tag(self, standing: Standing, cost: float) -> float:
        """Where a class that asks would stand after one more that costs so much: the smallest goes next."""
        return self._finish[standing] + cost / self.shares[standing]

    def went(self, standing: Standing) -> None:
        """Move virtual time to the class that goes, before it is charged."""
        self.virtual_time = max(self.virtual_time, self._finish[standing])

    def charge(self, standing: Standing, cost: float, now: float) -> None:
        """Count what a class consumed, or with a negative cost what it did not after all."""
        self._finish[standing] += cost / self.shares[standing]
        self._fade(now)
        self._use[standing] = max(0.0, self._use[standing] + cost / _USE_WINDOW_S)

    def rate(self, standing: Standing, whole: float, now: float) -> float:
        """What a class can count on of `whole` cost tokens a second: what others leave, at least its own share."""
        kept = exp(-max(0.0, now - self._use_at) / _USE_WINDOW_S)
        rank, left, shares = RANK[standing], whole, self.shares
        for other, used in self._use.items():
            if used and other is not standing:
                use = used * kept
                left -= min(use, shares[other] * whole) if RANK[other] > rank else use
        return max(shares[standing] * whole, left)

    def taken(self, standings: Collection[Standing], now: float) -> float:
        """Cost tokens a second that these classes have consumed lately, together."""
        kept = exp(-max(0.0, now - self._use_at) / _USE_WINDOW_S)
        return sum(self._use[standing] for standing in standings) * kept

    def parts(self, asking: Collection[Standing], places: int) -> dict[Standing, float]:
        """How many of the places are the own of each of the classes that are `asking` for some."""
        shares = self.shares
        whole = sum([shares[standing] for standing in asking])
        return {standing: shares[standing] / whole * places for standing in asking}

    def _fade(self, now: float) -> None:
        """Let what was consumed count less as time goes by; a clock that stepped back changes nothing."""
        passed_s = max(0.0, now - self._use_at)
        if passed_s >= _FADES_EVERY_S:
            kept = exp(-passed_s / _USE_WINDOW_S)
            self._use = {standing: use * kept for standing, use in self._use.items()}
            self._use_at = now
