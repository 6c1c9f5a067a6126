"""Notices that nobody of an account has been there for too long."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from tidegate.core.identifiers import UserId

UNATTENDED_S: Final = 60.0
"""An answer that nobody has an open page for goes on for this long."""


class Absences:
    """One timer for each account whose people are away. Those who are back, or expect nothing, have none."""

    def __init__(self, on_over: Callable[[UserId], None], sleep: Callable[[float], Awaitable[None]]) -> None:
        """`on_over` is told of an account that nobody came back to."""
        self._on_over = on_over
        self._sleep = sleep
        self._timers: dict[UserId, asyncio.Task[None]] = {}

    @property
    def owners(self) -> list[UserId]:
        """The accounts that are waited for."""
        return list(self._timers)

    def begin(self, owner: UserId) -> None:
        """Nobody is there from now on."""
        self.end(owner)
        self._timers[owner] = asyncio.create_task(self._wait(owner))

    def end(self, owner: UserId) -> None:
        """Somebody is there, or nothing is left to be there for."""
        timer = self._timers.pop(owner, None)
        if timer is not None:
            timer.cancel()

    async def _wait(self, owner: UserId) -> None:
        await self._sleep(UNATTENDED_S)
        del self._timers[owner]
        self._on_over(owner)
