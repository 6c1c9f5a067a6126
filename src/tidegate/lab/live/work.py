"""Work that a form asks for, done for real, in a process of its own that steps back behind everybody.

People's devices take longer or shorter than this machine: an answer is shown when theirs would have been ready, or
when it is ready here, whichever is later.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Final

from tidegate.core.challenge.solving import NoChallengeError, parts_of, solve

MOST_WAITING: Final = 500
_NICENESS: Final = 10


class Solver:
    """Solves one challenge after the other."""

    def __init__(self) -> None:
        """Nothing is started before there is work."""
        self._pool: ProcessPoolExecutor | None = None
        self._waiting = 0

    async def solve(self, text: str, effort_s: float) -> tuple[str, int, int] | None:
        """The answer, the effort and the milliseconds that it took; None where there is too much to do, or it is none.

        `effort_s` is how long one unit of effort takes the device that is played.
        """
        if self._waiting >= MOST_WAITING:
            return None
        loop = asyncio.get_running_loop()
        self._pool = self._pool or ProcessPoolExecutor(
            1, mp_context=multiprocessing.get_context("spawn"), initializer=os.nice, initargs=(_NICENESS,)
        )
        began_at = loop.time()
        self._waiting += 1
        try:
            effort = parts_of(text).effort
            answer = await loop.run_in_executor(self._pool, solve, text)
        except (NoChallengeError, BrokenProcessPool):
            return None
        finally:
            self._waiting -= 1
        await asyncio.sleep(max(0.0, began_at + effort * effort_s - loop.time()))
        return answer, effort, round(1000 * (loop.time() - began_at))

    def close(self) -> None:
        """Give up what is not done."""
        if self._pool is not None:
            for process in list((self._pool._processes or {}).values()):  # noqa: SLF001 - there is no other way to end work
                process.terminate()
            self._pool.shutdown(wait=True, cancel_futures=True)
            self._pool = None
