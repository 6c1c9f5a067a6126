"""Who runs on which core: the engine on all but the first, the service and the generator of load on that one.

An engine that the service starts anew is the service's child, and so begins on the service's core: there it would
take the time of those who measure it, and be slower than the first one was. It is put where that was.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Sequence
from typing import Final, Protocol

from tidegate.lab.live import processes

EVERY_S: Final = 0.25
_LEAST_CORES: Final = 2


class Served(Protocol):
    """A service and its engine, as processes."""

    @property
    def pid(self) -> int:
        """The service's process."""

    @property
    def engine_pid(self) -> int | None:
        """The engine's, if there is one now."""


@contextlib.asynccontextmanager
async def pinned(service: Served, cores: Sequence[int]) -> AsyncIterator[None]:
    """Keep a service, each engine that it starts, and this process on their cores until the block ends.

    `cores` are those that there are: with less than two, or without an engine of its own, nothing is pinned. This
    process stays where it is afterwards.
    """
    if len(cores) < _LEAST_CORES or service.engine_pid is None:
        yield
        return
    processes.pin(service.pid, cores[:1])
    processes.pin(os.getpid(), cores[:1])
    keeping = asyncio.create_task(_keep(service, cores[1:]))
    try:
        yield
    finally:
        keeping.cancel()


async def _keep(service: Served, cores: Sequence[int]) -> None:
    while True:
        engine = service.engine_pid
        if engine is not None:
            # Each time, not once for each process: while it loads it begins threads, some of them meanwhile.
            processes.pin(engine, cores)
        await asyncio.sleep(EVERY_S)
