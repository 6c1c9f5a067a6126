"""A few places and a short queue before them, first come, first served: for work that only needs a bound.

States of a ticket: waiting -> running -> gone, or waiting -> gone. `enter`
lets it run, queues or refuses it, `leave` ends it in whatever state it is
(also twice, also one that never entered) and answers who runs next. What can
never happen: more running than `slots`, more waiting than `max_waiting`, more
of one owner than `max_per_owner`, a place free while somebody waits.

The engine's places are divided by what work costs and by who asks: scheduler.py.
"""

from __future__ import annotations

import msgspec

from tidegate.core.admission.claims import Crowded, Shed

_EWMA_WEIGHT = 0.2
_LEAST_S = 0.1


class SlotPlan(msgspec.Struct, frozen=True):
    """`slots` run at once; at most `max_waiting` more wait. `max_per_owner` bounds both together for one."""

    slots: int
    max_waiting: int
    max_per_owner: int = 16


class Running(msgspec.Struct, frozen=True):
    """The ticket holds a place now."""


class Queued(msgspec.Struct, frozen=True):
    """The ticket waits; `position` 1 is next."""

    position: int


class SlotQueue:
    """First come, first served, within bounds. Holds no clock: `now` (s, monotonic) is told."""

    def __init__(self, plan: SlotPlan) -> None:
        """Start empty."""
        self.plan = plan
        self._running: dict[int, float] = {}  # Since when.
        self._waiting: dict[int, None] = {}
        self._owners: dict[int, str] = {}
        self._inside: dict[str, int] = {}
        self._service_s = 5.0  # A guess until the first has finished.

    @property
    def running(self) -> int:
        """How many tickets hold a place."""
        return len(self._running)

    @property
    def waiting(self) -> int:
        """How many tickets wait."""
        return len(self._waiting)

    @property
    def owners(self) -> int:
        """How many owners have a ticket in."""
        return len(self._inside)

    def inside(self, owner: str) -> int:
        """How many of an owner's tickets hold a place or wait."""
        return self._inside.get(owner, 0)

    def enter(self, ticket: int, owner: str, now: float) -> Running | Queued | Shed | Crowded:
        """Let a new ticket run, queue or refuse it."""
        if self.inside(owner) >= self.plan.max_per_owner:
            return Crowded(max(_LEAST_S, self._service_s))
        is_full = self.running >= self.plan.slots
        if is_full and self.waiting >= self.plan.max_waiting:
            return Shed(self.drain_s(self.waiting + 1))
        self._inside[owner] = self.inside(owner) + 1
        self._owners[ticket] = owner
        if is_full:
            self._waiting[ticket] = None
            return Queued(self.waiting)
        self._running[ticket] = now
        return Running()

    def leave(self, ticket: int, now: float) -> int | None:
        """End a ticket; answer the one that takes its place, if one does."""
        owner = self._owners.pop(ticket, None)
        if owner is None:
            return None
        self._inside[owner] -= 1
        if not self._inside[owner]:
            del self._inside[owner]
        since = self._running.pop(ticket, None)
        if since is None:
            # Whoever gives up waiting frees nobody else's place.
            del self._waiting[ticket]
            return None
        self._service_s += _EWMA_WEIGHT * (max(0.0, now - since) - self._service_s)
        if not self._waiting:
            return None
        heir = next(iter(self._waiting))
        del self._waiting[heir]
        self._running[heir] = now
        return heir

    def drain_s(self, position: int) -> float:
        """Seconds until the place at `position` in the queue comes up, from how long they took lately."""
        return max(_LEAST_S, self._service_s * position / self.plan.slots)
