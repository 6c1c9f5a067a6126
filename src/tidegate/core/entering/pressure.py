"""Are strangers guessing passwords? By how many of their sign-ins come to nothing, against the past and the lane.

Calm -> attacked -> calm. Counted are strangers' tries that do not end signed in:
wrong passwords, unknown addresses, those turned away and those asked for a
challenge first. (Would only wrong passwords count, the challenge would end the
alarm that asked for it.) Known devices are not counted: nobody's slip on their
own machine makes others work.

Two leaky averages of the rate: a quick one (4 s) that raises the alarm, a slow
one (30 s) that has to fall before it ends. Attacked from the moment that the
quick one exceeds the limit: five times the usual rate, but never less than
`least_part` of what the lane can check for strangers and never more than
`most_part` of that. Half of their time spent on wrong passwords is an attack,
whatever was usual; a quarter of it is none, however quiet the nights are. Calm
again when the slow average is below a third of the limit, and `held_s` have passed
since the limit was last exceeded. So between two beginnings there are at least
`held_s`: an attacker who comes and goes does not make it flap.

A constant flood of 1.5 times the limit is seen within 5 s. `level` says by which
power of four the limit is exceeded, from 1 to `most_level`; it falls with the slow
average. The usual rate is learned over hours, from moments that would be no attack
by any past. Whoever begins slowly to be taken for usual gains the way from
`least_part` to `most_part` of what strangers have; known devices have their own.
"""

from __future__ import annotations

from math import exp, log
from typing import Final

import msgspec

_QUICK_S: Final = 4.0
_SLOW_S: Final = 30.0
_USUAL_S: Final = 6 * 3600.0
_STEP: Final = 4.0


class PressurePlan(msgspec.Struct, frozen=True, kw_only=True):
    """Parts are of the passwords that can be checked for strangers in a second."""

    least_part: float = 0.3
    most_part: float = 0.5
    times_usual: float = 5.0
    falls_below: float = 1 / 3
    held_s: float = 120.0
    most_level: int = 4


class _Rate:
    """Events a second: an average that forgets with one time constant, exact at every moment."""

    def __init__(self, constant_s: float) -> None:
        self._constant_s = constant_s
        self._level = 0.0
        self._at = 0.0

    def count(self, now: float) -> None:
        self._level = self.a_second(now) * self._constant_s + 1.0
        self._at = now

    def a_second(self, now: float) -> float:
        # A clock that was set back goes on from there: else nothing would be forgotten until it is here again.
        self._at = min(self._at, now)
        return self._level * exp(-(now - self._at) / self._constant_s) / self._constant_s


class GuessingPressure:
    """The detector. Times are seconds of one clock; one that is set back neither raises nor ends an alarm."""

    def __init__(self, plan: PressurePlan) -> None:
        """Calm, and no past."""
        self.plan = plan
        self._quick, self._slow, self._usual = _Rate(_QUICK_S), _Rate(_SLOW_S), _Rate(_USUAL_S)
        self._is_attacked = False
        self._exceeded_at = 0.0

    def missed(self, now: float, capacity: float) -> None:
        """Count one try of a stranger that came to nothing, while so many could be checked a second."""
        self.is_attacked(now, capacity)  # What has ended, ends before this one counts.
        self._quick.count(now)
        self._slow.count(now)
        if self._quick.a_second(now) <= self.plan.most_part * capacity:
            self._usual.count(now)
        if self._quick.a_second(now) > self._limit(now, capacity):
            self._is_attacked, self._exceeded_at = True, now

    def is_attacked(self, now: float, capacity: float) -> bool:
        """Whether it is on."""
        self._exceeded_at = min(self._exceeded_at, now)
        if (
            self._is_attacked
            and now - self._exceeded_at >= self.plan.held_s
            and self._slow.a_second(now) < self.plan.falls_below * self._limit(now, capacity)
        ):
            self._is_attacked = False
        return self._is_attacked

    def level(self, now: float, capacity: float) -> int:
        """0 in calm, else 1 and one more for each factor of four beyond the limit."""
        if not self.is_attacked(now, capacity):
            return 0
        rate = max(self._slow.a_second(now), self._quick.a_second(now))
        beyond = log(max(1.0, rate / self._limit(now, capacity)), _STEP)
        return min(self.plan.most_level, 1 + int(beyond))

    def _limit(self, now: float, capacity: float) -> float:
        usual = self.plan.times_usual * self._usual.a_second(now)
        return min(self.plan.most_part, max(self.plan.least_part, usual / capacity)) * capacity
