"""Work that a form asks for, done for real, in a process of its own that steps back behind everybody.

People's devices take longer or shorter than this machine: an answer is shown when theirs would have been ready, or
when it is ready here, whichever is later. People's work is done before that of attackers, who have machines of their
own: no wave shall make people wait for this one. How much later it was than on their devices is told.
"""

from __future__ import annotations

import asyncio
import heapq
import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Final

from tidegate.core.challenge.solving import NoChallengeError, parts_of, solve

MOST_WAITING: Final = 500
_NICENESS: Final = 10
_Turn = tuple[bool, int, "asyncio.Future[None]"]


class Solver:
    """Solves one challenge after the other. `late_s` is by how much later than on its device the latest of people's."""

    def __init__(self) -> None:
        """Nothing is started before there is work."""
        self._pool: ProcessPoolExecutor | None = None
        self._turns: list[_Turn] = []
        self._is_busy = False
        self._came = 0
        self.late_s = 0.0

    async def solve(self, text: str, effort_s: float, *, is_first: bool = True) -> tuple[str, int, int] | None:
        """The answer, the effort and the milliseconds that it took; None where there is too much to do, or it is none.

        `effort_s` is how long one unit of effort takes the device that is played. With `is_first` it goes before
        all work without.
        """
        loop = asyncio.get_running_loop()
        began_at = loop.time()
        try:
            effort = parts_of(text).effort
        except NoChallengeError:
            return None
        if len(self._turns) >= MOST_WAITING:
            return None
        await self._turn(is_first=is_first)
        try:
            answer = await loop.run_in_executor(self._started(), solve, text)
        except BrokenProcessPool:
            self._pool = None  # Whatever ended it: the next work has another.
            return None
        finally:
            self._next()
        rest_s = began_at + effort * effort_s - loop.time()
        if is_first:
            self.late_s = max(self.late_s, -rest_s)
        await asyncio.sleep(max(0.0, rest_s))
        return answer, effort, round(1000 * (loop.time() - began_at))

    def close(self) -> None:
        """Give up what is not done."""
        if self._pool is not None:
            for process in list((self._pool._processes or {}).values()):  # noqa: SLF001 - there is no other way to end work
                process.terminate()
            self._pool.shutdown(wait=True, cancel_futures=True)
            self._pool = None

    def _started(self) -> ProcessPoolExecutor:
        self._pool = self._pool or ProcessPoolExecutor(
            1, mp_context=multiprocessing.get_context("spawn"), initializer=os.nice, initargs=(_NICENESS,)
        )
        return self._pool

    async def _turn(self, *, is_first: bool) -> None:
        """Wait until it is this one's."""
        if not self._is_busy:
            self._is_busy = True
            return
        self._came += 1
        mine: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._turns, (not is_first, self._came, mine))
        try:
            await mine
        except asyncio.CancelledError:
            if not mine.cancelled():
                self._next()  # It was mine already.
            raise

    def _next(self) -> None:
        while self._turns:
            _, _, turn = heapq.heappop(self._turns)
            if not turn.done():
                turn.set_result(None)
                return
        self._is_busy = False
