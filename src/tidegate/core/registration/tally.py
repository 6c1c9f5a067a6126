"""How many asked for an account in the last minute.

Counts of five seconds each, in a ring: memory does not grow with how many come.
"""

from __future__ import annotations

from typing import Final

_STEP_S: Final = 5.0
_STEPS: Final = 12


class Tally:
    """Everybody together; who they are is not kept. Times are Unix seconds; a step back counts into the newest."""

    def __init__(self) -> None:
        """Nobody has come yet."""
        self._counts = [0] * _STEPS
        self._newest = 0

    def came(self, now: float, times: int = 1) -> None:
        """Count people who asked for an account, whatever became of it."""
        self._turn(now)
        self._counts[self._newest % _STEPS] += times

    def per_min(self, now: float) -> float:
        """How many asked in the last minute."""
        self._turn(now)
        return float(sum(self._counts))

    def _turn(self, now: float) -> None:
        step = max(self._newest, int(now // _STEP_S))
        for passed in range(max(self._newest, step - _STEPS) + 1, step + 1):
            self._counts[passed % _STEPS] = 0
        self._newest = step
