"""Is there a flood at the door? By what had to be refused lately, not by why it came.

A leaky count of refusals for want of room, for coming too fast, or for forged work.
Crowd or attack, the answer is the same: accounts that are made meanwhile start at
the bottom. It is believed for a while after it was last seen, so that nobody slips
in between two waves.
"""

from __future__ import annotations

from math import exp
from typing import Final

from tidegate.core.reasons import Reason

TELLING: Final = frozenset(
    {
        Reason.SERVER_IS_OVERLOADED,
        Reason.SLOW_DOWN,
        Reason.INSUFFICIENT_SYSTEM_RESOURCE,
        Reason.CHALLENGE_REQUIRED,  # At the gate only for work that is certainly none.
    }
)
"""Reasons of the gate's refusals that a flood leads to."""

FLOOD: Final = 60.0
WINDOW_S: Final = 60.0
HELD_S: Final = 600.0


class Pressure:
    """Refusals of about the last minute. Times are monotonic seconds."""

    def __init__(self) -> None:
        """Calm."""
        self.level = 0.0
        self._at = 0.0
        self._flooded_at: float | None = None

    def refused(self, now: float, times: int = 1) -> None:
        """Count refusals."""
        self.level = self.level * exp(-max(0.0, now - self._at) / WINDOW_S) + times
        self._at = max(self._at, now)
        if self.level >= FLOOD:
            self._flooded_at = self._at

    def is_flooded(self, now: float) -> bool:
        """Whether there is a flood, or was one a moment ago."""
        return self._flooded_at is not None and now - self._flooded_at < HELD_S
