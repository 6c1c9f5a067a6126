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

    async def enter(self, owner: str) -> tuple[int, Place]:
        """Wait for a place; answer it and the ticket to `leave` with.

        Raises at once OverloadedError when the queue is full, and
        TooManyInFlightError when the owner has too many in it.
        """
        ticket = next(self._tickets)
        match self.queue.enter(ticket, owner, self._clock()):
            case Admitted(place=place):
                return ticket, place
            case Shed() | Crowded() as refused:
                raise self._error(refused)
        turn = self._turns[ticket] = asyncio.get_running_loop().create_future()
        try:
            return ticket, await turn
        except asyncio.CancelledError:
            # Also when the turn came in the same moment: the place then goes to the next.
            self.leave(ticket)
            raise
        finally:
            del self._turns[ticket]

    def check(self, owner: str, coming: int = 0) -> None:
        """Raise what `enter` would raise now, if `coming` more of the owner's had entered before."""
        refused = self.queue.look(owner, coming)
        if refused is not None:
            raise self._error(refused)

    def leave(self, ticket: int) -> None:
        """Give the place back; more than once does no harm."""
        called = self.queue.leave(ticket, self._clock())
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
