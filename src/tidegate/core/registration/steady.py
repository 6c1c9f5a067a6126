"""Unix time that never goes back, and goes on when the clock was set back."""

from __future__ import annotations


class Steady:
    """Turns readings of a clock into times that only grow: an hour set back is an hour that is not noticed."""

    def __init__(self, latest: float | None = None, time: float = 0.0) -> None:
        """Begin, or go on from what `latest` (the last reading) and `time` (what it was turned into) were."""
        self.latest = latest
        self.time = time

    def at(self, now: float) -> float:
        """The steady time of this reading."""
        self.time = self.peek(now)
        self.latest = now
        return self.time

    def peek(self, now: float) -> float:
        """The same, without taking note of it."""
        return now if self.latest is None else self.time + max(0.0, now - self.latest)
