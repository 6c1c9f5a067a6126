"""Lets those who change the same thing at the same time do so one after the other."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)


class Exclusion(Generic[K]):
    """A lock for each thing that somebody changes, for as long as anybody does. First come, first served."""

    def __init__(self) -> None:
        """Nobody changes anything."""
        self._locks: dict[K, asyncio.Lock] = {}
        self._inside: dict[K, int] = {}

    @property
    def remembered(self) -> int:
        """How many things are being changed."""
        return len(self._locks)

    @contextlib.asynccontextmanager
    async def of(self, what: K) -> AsyncIterator[None]:
        """Wait until nobody else changes it, and be the only one."""
        lock = self._locks.setdefault(what, asyncio.Lock())
        self._inside[what] = self._inside.get(what, 0) + 1
        try:
            async with lock:
                yield
        finally:
            self._inside[what] -= 1
            if not self._inside[what]:
                del self._inside[what], self._locks[what]
