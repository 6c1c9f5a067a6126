"""Lets callers wait for their turn at something that only a few may do at once, in order and within bounds."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import count

from tidegate.core.admission.claims import Crowded, Shed
from tidegate.core.admission.slots import Running, SlotPlan, SlotQueue


class OverloadedError(Exception):
    """There is no room, or was none for too long; there should be in `retry_after_s`."""

    def __init__(self, retry_after_s: float) -> None:
        """Carry the promise."""
        super().__init__(f"full for {retry_after_s:.1f} s")
        self.retry_after_s = retry_after_s


class TooManyInFlightError(Exception):
    """The owner has `inside` requests running or waiting; one of them should end within `retry_after_s`.

    Where it `is_end_users`, that is as many as one whom the owner names may have of them.
    """

    def __init__(self, inside: int, retry_after_s: float, *, is_end_users: bool = False) -> None:
        """Carry the promise."""
        super().__init__(f"{inside} requests of one owner")
        self.inside = inside
        self.is_end_users = is_end_users
        self.retry_after_s = retry_after_s


class Lane:
    """The slot queue with an awaitable face. A caller that is cancelled while waiting leaves the queue."""

    def __init__(self, plan: SlotPlan, clock: Callable[[], float]) -> None:
        """`clock` tells monotonic seconds."""
        self.queue = SlotQueue(plan)
        self._clock = clock
        self._tickets = count(1)
        self._turns: dict[int, asyncio.Future[None]] = {}

    @property
    def remembered(self) -> int:
        """How many wait for their turn: 0 when nobody does."""
        return len(self._turns)

    async def enter(self, owner: str) -> int:
        """Wait for a turn; answers the ticket to `leave` with.

        Raises OverloadedError when the queue is full, and TooManyInFlightError
        when the owner has too many in it, both at once.
        """
        ticket = next(self._tickets)
        match self.queue.enter(ticket, owner, self._clock()):
            case Shed(retry_after_s=retry_after_s):
                raise OverloadedError(retry_after_s)
            case Crowded(retry_after_s=retry_after_s):
                raise TooManyInFlightError(self.queue.inside(owner), retry_after_s)
            case Running():
                return ticket
        turn = self._turns[ticket] = asyncio.get_running_loop().create_future()
        try:
            await turn
        except asyncio.CancelledError:
            # Also when the turn came in the same moment: the place then goes to the next.
            self.leave(ticket)
            raise
        finally:
            del self._turns[ticket]
        return ticket

    def leave(self, ticket: int) -> None:
        """Give the place back, or the wait for it up; more than once does no harm."""
        called = self.queue.leave(ticket, self._clock())
        turn = None if called is None else self._turns[called]
        # One that was cancelled in this very moment gives its place back when it wakes.
        if turn is not None and not turn.done():
            turn.set_result(None)
