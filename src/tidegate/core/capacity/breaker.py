"""Leaves a server alone that fails, and tries it again carefully.

    closed --failures in a row--> open
    open --pause over--> half open      (one trial at a time)
    half open --success--> closed       (after a probe the next failure opens it again)
    half open --failure--> open         (the pause doubles, up to a limit)

Who is not to blame says nothing: a caller that leaves ends a trial without an
outcome, and another may be made. (Nygard, Release It!, "Circuit Breaker".)
"""

from __future__ import annotations

from enum import StrEnum

import msgspec


class BreakerState(StrEnum):
    """Where a breaker stands."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class BreakerPlan(msgspec.Struct, frozen=True, kw_only=True):
    """How many failures in a row open it, and the pauses before trials (s)."""

    failures: int = 3
    pause_first_s: float = 0.5
    pause_limit_s: float = 30.0


class Breaker:
    """One server's breaker. Times are monotonic seconds; a clock that steps back ends no pause early."""

    def __init__(self, plan: BreakerPlan) -> None:
        """Closed."""
        self.plan = plan
        self.state = BreakerState.CLOSED
        self._failures = 0
        self._pause_s = 0.0
        self._opened_at = 0.0
        self._is_trying = False

    def may_try(self, now: float) -> bool:
        """Whether a request may be sent now. Asking changes nothing."""
        if self.state is BreakerState.OPEN:
            return self.wait_s(now) <= 0.0
        return not self._is_trying

    def wait_s(self, now: float) -> float:
        """How long until a trial; 0 where none is to be waited for."""
        if self.state is not BreakerState.OPEN:
            return 0.0
        return max(0.0, self._pause_s - max(0.0, now - self._opened_at))

    def began(self, now: float) -> None:
        """A request is sent, as it may be."""
        if self.state is BreakerState.OPEN and self.wait_s(now) <= 0.0:
            self.state = BreakerState.HALF_OPEN
        if self.state is BreakerState.HALF_OPEN:
            self._is_trying = True

    def succeeded(self) -> None:
        """It answered."""
        self.state = BreakerState.CLOSED
        self._failures, self._pause_s, self._is_trying = 0, 0.0, False

    def seemed_well(self) -> None:
        """It answered a probe. That ends a pause, but it is requests that tell: at the next failure it is longer."""
        self._is_trying = False
        if self.state is not BreakerState.CLOSED:
            self.state, self._failures = BreakerState.CLOSED, self.plan.failures - 1

    def failed(self, now: float) -> None:
        """It did not, and that was its own fault."""
        self._is_trying = False
        self._failures += 1
        if self.state is BreakerState.OPEN or self._failures < self.plan.failures:
            # What was sent before it opened says nothing new.
            return
        doubled = 2 * self._pause_s if self._pause_s else self.plan.pause_first_s
        self._pause_s = min(doubled, self.plan.pause_limit_s)
        self.state, self._opened_at = BreakerState.OPEN, now

    def left(self) -> None:
        """The caller went away before anything could be told."""
        self._is_trying = False
