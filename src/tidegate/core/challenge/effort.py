"""How much work is suggested to whoever takes a challenge now: none in calm, and never more than phones can do.

Additive increase and multiplicative decrease, as in Tor's proposal 327: while work
that offers the suggested effort is shed or waits, the suggestion rises towards the
median of what was admitted, by half and one at most; else it falls by a third, so
that it is 0 again within a minute of the last load. Proposal 362 names what is
wrong with that alone: who offers a hundredfold drives it up until people cannot
follow. Here it ends at a cap, what the slowest supported devices solve in the
budget; beyond it people wait instead of working harder.

The cap follows solve times that browsers report, none longer than the time between
issue and answer, one for each source, at the 95th percentile. What can never
happen: reports raise the cap above the plan's (bots that solve in no time), lower
it below the plan's least (bots that claim to be slow), or fill memory.
"""

from __future__ import annotations

from collections import OrderedDict
from itertools import accumulate
from math import ceil

import msgspec

from tidegate.core.challenge.plan import EffortPlan

_SLOWEST_PART = 0.95
_ROUNDING_S = 1.0
"""A browser's clock and ours begin to count at different moments."""


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """Of the last period: how many that offered the suggested effort were `shed`, and how long work waits now."""

    shed: int
    waiting_s: float


class _SolveTime(msgspec.Struct, frozen=True):
    piece_s: float
    at: float


class EffortControl:
    """The suggestion, moved by `step`. Keeps one number for each effort and one solve time for each source."""

    def __init__(self, plan: EffortPlan) -> None:
        """Start in calm: no challenge at all."""
        self._plan = plan
        self._effort = 0
        self._cap = plan.cap_most
        self._stepped_at = float("-inf")
        self._admitted = [0] * (plan.cap_most + 1)
        self._times: OrderedDict[bytes, _SolveTime] = OrderedDict()

    @property
    def effort(self) -> int:
        """What is suggested: pieces of work, 0 for no challenge."""
        return self._effort

    @property
    def cap(self) -> int:
        """What is never exceeded."""
        return self._cap

    @property
    def is_at_cap(self) -> bool:
        """Whether more work would help and is not asked: now people wait."""
        return self._effort >= self._cap

    def note_admitted(self, effort: int) -> None:
        """Somebody with so much work done was let through."""
        self._admitted[max(0, min(effort, self._plan.cap_most))] += 1

    def note_solved(self, source: bytes, solve_s: float, age_s: float, effort: int, now: float) -> bool:
        """Take a report of how long solving took; False when it cannot be true. `source` counts once: a network."""
        if effort < 1 or not 0.0 < solve_s <= age_s + _ROUNDING_S:
            return False
        self._times[source] = _SolveTime(solve_s / effort, now)
        self._times.move_to_end(source)
        if len(self._times) > self._plan.samples_most:
            self._times.popitem(last=False)
        return True

    def step(self, load: Load, now: float) -> int:
        """Move the suggestion once a period; in between nothing moves. Answers what is suggested."""
        if self._stepped_at <= now < self._stepped_at + self._plan.period_s:
            return self._effort
        self._stepped_at = now
        self._cap = self._cap_now(now)
        if load.shed > 0 or load.waiting_s >= self._plan.patience_s:
            wanted = max(self._effort + 1, self._median())
            suggested = min(wanted, self._effort * 3 // 2 + 1)
        else:
            suggested = self._effort * 2 // 3
        self._effort = min(suggested, self._cap)
        self._admitted = [0] * len(self._admitted)
        return self._effort

    def _median(self) -> int:
        """The lower median: half of them being ours is not enough to move it."""
        middle = (sum(self._admitted) + 1) // 2
        up_to = accumulate(self._admitted)
        return next(effort for effort, admitted in enumerate(up_to) if admitted >= middle)

    def _cap_now(self, now: float) -> int:
        # Oldest first. A clock that was set back makes reports older than they are, never younger.
        while self._times and abs(now - next(iter(self._times.values())).at) > self._plan.memory_s:
            self._times.popitem(last=False)
        if len(self._times) < self._plan.samples_least:
            return self._plan.cap_most
        ordered = sorted([time.piece_s for time in self._times.values()])
        slow_s = ordered[ceil(len(ordered) * _SLOWEST_PART) - 1]
        reached = int(min(self._plan.budget_s / slow_s, self._plan.cap_most))
        return max(self._plan.cap_least, reached)
