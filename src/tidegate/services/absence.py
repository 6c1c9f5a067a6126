"""Notices that nobody has been there for too long."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Final, Generic, TypeVar

UNATTENDED_S: Final = 60.0
"""An answer that nobody has an open page for goes on for this long."""

K = TypeVar("K", bound=Hashable)


class Absences(Generic[K]):
    """One timer for each thing that nobody looks at. What is looked at, or over, has none."""

    def __init__(self, on_over: Callable[[K], None], sleep: Callable[[float], Awaitable[None]]) -> None:
        """`on_over` is told of each that nobody came back to."""
        self._on_over = on_over
        self._sleep = sleep
        self._timers: dict[K, asyncio.Task[None]] = {}

    @property
    def remembered(self) -> int:
        """How many timers run."""
        return len(self._timers)

    def begin(self, what: K) -> None:
        """Nobody looks at it from now on."""
        self.end(what)
        self._timers[what] = asyncio.create_task(self._wait(what))

    def end(self, what: K) -> None:
        """Somebody is there, or it is over."""
        timer = self._timers.pop(what, None)
        if timer is not None:
            timer.cancel()

    async def _wait(self, what: K) -> None:
        await self._sleep(UNATTENDED_S)
        del self._timers[what]
        self._on_over(what)
