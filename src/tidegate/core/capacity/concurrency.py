"""How many answers may run at once so that each still flows.

Additive increase, multiplicative decrease (Chiu and Jain 1989) on the time
between two tokens of the same answer, which nobody outside can stretch: an
asker can make answers long, not tokens slow. Total response time is no signal
here, and no probing at low concurrency: people would see it.
"""

from __future__ import annotations

from typing import Final

_DECREASE: Final = 0.85
_EVERY_S: Final = 2.0
_GAP_WEIGHT: Final = 0.05
_FEWEST_GAPS: Final = 20


class ConcurrencyLimit:
    """At most `most` at once, fewer while the mean gap is above `gap_s`. Times are monotonic seconds.

    `limit` is how many may run; at least one.
    """

    def __init__(self, most: int, gap_s: float) -> None:
        """Start with all of them."""
        self.most = most
        self.gap_s = gap_s
        self.mean_gap_s = 0.0
        self._limit = float(most)
        self.limit = max(1, most)
        self._moved_at: float | None = None
        self._gaps = 0

    def resize(self, most: int) -> None:
        """Allow another number at most; what was learned stays, but where nothing was all of them may run."""
        self._limit = float(most) if self._limit >= self.most else min(self._limit, float(most))
        self.most = most
        self._settle()

    def took(self, gap_s: float, now: float, *, is_full: bool) -> None:
        """Take the time between two tokens of one answer; `is_full` tells that the limit is reached."""
        self._gaps += 1
        self.mean_gap_s += max(_GAP_WEIGHT, 1 / self._gaps) * (max(0.0, gap_s) - self.mean_gap_s)
        if self._moved_at is None or now < self._moved_at:
            self._moved_at = now
        if now - self._moved_at < _EVERY_S or self._gaps < _FEWEST_GAPS:
            return
        self._moved_at, self._gaps = now, 0
        if self.mean_gap_s > self.gap_s:
            self._limit = max(1.0, self.limit * _DECREASE)
        elif is_full or self._limit < self.most:
            self._limit = min(float(self.most), self._limit + 1)
        self._settle()

    def _settle(self) -> None:
        # It is asked for with each token of each answer.
        self.limit = max(1, min(self.most, int(self._limit)))
