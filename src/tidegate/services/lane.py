"""Lets callers wait for a place at the engine, in order and within bounds."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import count

from tidegate.core.admission.slots import Admitted, Crowded, Place, Shed, SlotPlan, SlotQueue


class OverloadedError(Exception):
    """The queue is full; a place is expected in `retry_after_s`."""

    def __init__(self, retry_after_s: float) -> None:
        """Carry the promise."""
        super().__init__(f"full for {retry_after_s:.1f} s")
        self.retry_after_s = retry_after_s


class TooManyInFlightError(Exception):
    """The owner has `limit` requests running or waiting; one of them should end within `retry_after_s`."""

    def __init__(self, limit: int, retry_after_s: float) -> None:
        """Carry the promise."""
        super().__init__(f"{limit} requests of one owner")
        self.limit = limit
        self.retry_after_s = retry_after_s


class Lane:
    """The slot queue with an awaitable face. A caller that is cancelled while waiting leaves the queue."""

    def __init__(self, plan: SlotPlan, clock: Callable[[], float]) -> None:
        """`clock` tells monotonic seconds."""
        self.queue = SlotQueue(plan)
        self._clock = clock
        self._tickets = count(1)
        self._turns: dict[int, asyncio.Future[Place]] = {}

    @property
    def remembered(self) -> int:
        """How many tickets are out: 0 when nobody is in."""
        return len(self._turns)

    def take(self, owner: str) -> int:
        """Enter now; answer the ticket whose `place` to wait for, and to `leave` with in any case.

        Raises OverloadedError when the queue is full, and TooManyInFlightError
        when the owner has too many in it.
        """
        ticket = next(self._tickets)
        entered = self.queue.enter(ticket, owner, self._clock())
        if isinstance(entered, Shed | Crowded):
            raise self._error(entered)
        turn = self._turns[ticket] = asyncio.get_running_loop().create_future()
        if isinstance(entered, Admitted):
            turn.set_result(entered.place)
        return ticket

    async def place(self, ticket: int) -> Place:
        """Wait for the place of a ticket that is in. Cancelling it leaves."""
        try:
            return await self._turns[ticket]
        except asyncio.CancelledError:
            # Also when the turn came in the same moment: the place then goes to the next.
            self.leave(ticket)
            raise

    async def enter(self, owner: str) -> tuple[int, Place]:
        """Take a ticket and wait for its place; answers both. Raises as `take` does, at once."""
        ticket = self.take(owner)
        return ticket, await self.place(ticket)

    def leave(self, ticket: int, *, is_served: bool = True) -> None:
        """Give the place back, or the wait for it up; more than once does no harm.

        A place where nothing was served tells nothing of how long requests take.
        """
        self._turns.pop(ticket, None)
        called = self.queue.leave(ticket, self._clock(), is_served=is_served)
        if called is None:
            return
        turn = self._turns[called.ticket]
        # One that was cancelled in this very moment gives its place back when it wakes.
        if not turn.done():
            turn.set_result(called.place)

    def _error(self, refused: Shed | Crowded) -> OverloadedError | TooManyInFlightError:
        match refused:
            case Shed(retry_after_s=retry_after_s):
                return OverloadedError(retry_after_s)
            case Crowded(retry_after_s=retry_after_s):
                return TooManyInFlightError(self.queue.plan.max_per_owner, retry_after_s)
