"""The engine's places and the queue before them.

States of a ticket: waiting -> admitted -> gone, or waiting -> gone. `enter`
admits or queues it, `leave` ends it in whatever state it is (also twice, also
one that never entered) and admits who is next. What can never happen: more
admitted than `slots`, more waiting than `max_waiting`, a place free while
somebody waits.

All waiting happens here and none in the engine: its own queue has no bound, no
order and no way to leave.
"""

from __future__ import annotations

from collections import deque

import msgspec

_EWMA_WEIGHT = 0.2


class SlotPlan(msgspec.Struct, frozen=True):
    """`slots` requests run at once; at most `max_waiting` more wait for a place."""

    slots: int
    max_waiting: int


class Admitted(msgspec.Struct, frozen=True):
    """The ticket holds a place now."""


class Waiting(msgspec.Struct, frozen=True):
    """The ticket waits; `position` 1 is next."""

    position: int


class Shed(msgspec.Struct, frozen=True):
    """The queue is full; a place is expected in `retry_after_s` seconds."""

    retry_after_s: float


class SlotQueue:
    """First come, first served, within bounds. Holds no clock: `now` (s, monotonic) is told."""

    def __init__(self, plan: SlotPlan) -> None:
        """Start empty."""
        self.plan = plan
        self._admitted: dict[int, float] = {}
        self._waiting: deque[int] = deque()
        self._service_s = 5.0  # A guess until the first request has finished.

    @property
    def running(self) -> int:
        """How many tickets hold a place."""
        return len(self._admitted)

    @property
    def waiting(self) -> int:
        """How many tickets wait."""
        return len(self._waiting)

    def enter(self, ticket: int, now: float) -> Admitted | Waiting | Shed:
        """Admit, queue or refuse a new ticket."""
        if self.running < self.plan.slots:
            self._admitted[ticket] = now
            return Admitted()
        if self.waiting < self.plan.max_waiting:
            self._waiting.append(ticket)
            return Waiting(self.waiting)
        return Shed(self.drain_s(self.waiting + 1))

    def leave(self, ticket: int, now: float) -> int | None:
        """End a ticket; answer the ticket that takes its place, if one does."""
        started = self._admitted.pop(ticket, None)
        if started is None:
            # Whoever gives up waiting frees nobody else's place.
            if ticket in self._waiting:
                self._waiting.remove(ticket)
            return None
        held_s = max(0.0, now - started)
        self._service_s += _EWMA_WEIGHT * (held_s - self._service_s)
        if not self._waiting:
            return None
        heir = self._waiting.popleft()
        self._admitted[heir] = now
        return heir

    def drain_s(self, position: int) -> float:
        """Seconds until the place at `position` in the queue comes up, from how long requests took lately."""
        return max(0.1, self._service_s * position / self.plan.slots)
