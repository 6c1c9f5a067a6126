"""A clock that stands still until a test turns it."""

from __future__ import annotations


class HandClock:
    """Call it for the time in seconds; `advance` moves it, backwards too if need be."""

    def __init__(self, now: float = 1_790_000_000.0) -> None:
        """Stand at `now`."""
        self.now = now

    def __call__(self) -> float:
        """Tell the time."""
        return self.now

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds
