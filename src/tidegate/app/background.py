"""Small work that no request waits for, and that is finished before the stores close."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Coroutine
from typing import Any

_MOST_TASKS = 1000


class Background:
    """Runs coroutines beside the requests. Above a bound new ones are dropped: they are conveniences."""

    def __init__(self) -> None:
        """Nothing runs."""
        self._tasks: set[asyncio.Task[None]] = set()

    def later(self, work: Coroutine[Any, Any, None]) -> None:
        """Start it soon."""
        if len(self._tasks) >= _MOST_TASKS:
            work.close()
            return
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def finish(self) -> None:
        """Wait for all that was started. Their errors were theirs to bear."""
        await asyncio.gather(*self._tasks, return_exceptions=True)


@contextlib.asynccontextmanager
async def beside(*works: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run what goes on for as long as the service does; cancelled at its end, and waited for."""
    tasks = [asyncio.create_task(work) for work in works]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
