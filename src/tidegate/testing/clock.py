"""A clock that stands still until a test turns it, and waiting that is not for time but for a fact."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

_PATIENCE_S = 20.0


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


async def until(is_so: Callable[[], bool], pause_s: float = 0.0) -> None:
    """Let other tasks (and, with a pause, other processes) go on until it is so. Raises TimeoutError after 20 s."""
    async with asyncio.timeout(_PATIENCE_S):
        while not is_so():  # noqa: ASYNC110 - the fact has no event of its own
            await asyncio.sleep(pause_s)
