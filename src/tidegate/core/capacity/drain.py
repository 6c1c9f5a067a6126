"""How fast the engine works off what was let in: cost tokens a second.

What is learned while the engine is not full is only a floor: it could do more.
Response times are no part of it: how long an answer takes, its asker decides.
"""

from __future__ import annotations

from typing import Final

_WINDOW_S: Final = 1.0
_RISE: Final = 0.5
_FALL: Final = 0.2
_LEAST_RATE: Final = 1.0
_LONGEST_WINDOW_S: Final = 5.0


class Drain:
    """Rate of work, from what was done in windows of about a second. Times are monotonic seconds."""

    def __init__(self, rate: float) -> None:
        """Believe `rate` (cost tokens/s) until something was measured."""
        self.rate = rate
        self._since: float | None = None
        self._done = 0.0
        self._was_full = True

    def did(self, cost: float, now: float, *, is_full: bool) -> None:
        """Count work that was done; `is_full` tells that the engine had no place left meanwhile."""
        if self._since is None or not 0 <= now - self._since <= _LONGEST_WINDOW_S:
            # After a pause, or a clock that stepped, nothing is known of the time between.
            self._since, self._done, self._was_full = now, 0.0, is_full
            return
        self._done += cost
        self._was_full = self._was_full and is_full
        passed_s = now - self._since
        if passed_s < _WINDOW_S:
            return
        seen = self._done / passed_s
        if seen > self.rate:
            self.rate += _RISE * (seen - self.rate)
        elif self._was_full:
            self.rate += _FALL * (seen - self.rate)
        self.rate = max(_LEAST_RATE, self.rate)
        self._since, self._done, self._was_full = now, 0.0, is_full

    def rested(self) -> None:
        """The engine has nothing to do: the time until the next work is not its own."""
        self._since = None
