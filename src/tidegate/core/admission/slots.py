"""The engine's places and the queue before them.

States of a ticket: waiting -> admitted -> gone, or waiting -> gone. `enter`
admits or queues it, `leave` ends it in whatever state it is (also twice, also
one that never entered) and admits who is next. What can never happen: more
admitted than `slots`, more waiting than `max_waiting`, more of one owner than
`max_per_owner`, a place free while somebody waits.

All waiting happens here and none in the engine: its own queue has no bound, no
order and no way to leave.

A place remembers whose prompt the engine read in it last. Its cache is offered
to that owner again and to nobody else: how fast a prompt is read, and how many
of its tokens were known already, would tell what a stranger has asked.
"""

from __future__ import annotations

import msgspec

_EWMA_WEIGHT = 0.2
_LEAST_S = 0.1


class SlotPlan(msgspec.Struct, frozen=True):
    """`slots` requests run at once; at most `max_waiting` more wait. `max_per_owner` bounds both together for one."""

    slots: int
    max_waiting: int
    max_per_owner: int = 16


class Place(msgspec.Struct, frozen=True):
    """One of the engine's places. `is_warm`: what the engine remembers there is the owner's own."""

    number: int
    is_warm: bool


class Admitted(msgspec.Struct, frozen=True):
    """The ticket holds a place now."""

    place: Place


class Waiting(msgspec.Struct, frozen=True):
    """The ticket waits; `position` 1 is next."""

    position: int


class Shed(msgspec.Struct, frozen=True):
    """The queue is full; a place is expected in `retry_after_s` seconds."""

    retry_after_s: float


class Crowded(msgspec.Struct, frozen=True):
    """The owner has too many in already; one of them should be gone in `retry_after_s` seconds."""

    retry_after_s: float


class Called(msgspec.Struct, frozen=True):
    """A ticket that waited holds a place now."""

    ticket: int
    place: Place


class _Held(msgspec.Struct, frozen=True):
    number: int
    since: float


class SlotQueue:
    """First come, first served, within bounds. Holds no clock: `now` (s, monotonic) is told."""

    def __init__(self, plan: SlotPlan) -> None:
        """Start empty."""
        self.plan = plan
        self._held: dict[int, _Held] = {}
        self._waiting: dict[int, str] = {}
        # Free places with their last owner, the one that rested longest first.
        self._free: dict[int, str | None] = dict.fromkeys(range(plan.slots))
        self._owners: dict[int, str] = {}
        self._inside: dict[str, int] = {}
        self._service_s = 5.0  # A guess until the first request has finished.

    @property
    def running(self) -> int:
        """How many tickets hold a place."""
        return len(self._held)

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

    def enter(self, ticket: int, owner: str, now: float) -> Admitted | Waiting | Shed | Crowded:
        """Admit, queue or refuse a new ticket."""
        if self.inside(owner) >= self.plan.max_per_owner:
            return Crowded(max(_LEAST_S, self._service_s))
        if not self._free and self.waiting >= self.plan.max_waiting:
            return Shed(self.drain_s(self.waiting + 1))
        self._inside[owner] = self.inside(owner) + 1
        if self._free:
            return Admitted(self._take(ticket, owner, now))
        self._waiting[ticket] = owner
        return Waiting(self.waiting)

    def leave(self, ticket: int, now: float, *, is_served: bool = True) -> Called | None:
        """End a ticket; answer the one that takes its place, if one does.

        How long it held its place tells how long requests take, unless nothing was served there.
        """
        held = self._held.pop(ticket, None)
        if held is None:
            # Whoever gives up waiting frees nobody else's place.
            gave_up = self._waiting.pop(ticket, None)
            if gave_up is not None:
                self._forget(gave_up)
            return None
        self._forget(self._owners[held.number])
        self._free[held.number] = self._owners[held.number]
        held_s = max(0.0, now - held.since)
        if is_served:
            self._service_s += _EWMA_WEIGHT * (held_s - self._service_s)
        if not self._waiting:
            return None
        heir = next(iter(self._waiting))
        return Called(heir, self._take(heir, self._waiting.pop(heir), now))

    def _forget(self, owner: str) -> None:
        """One ticket less of an owner; who has none left is not remembered."""
        self._inside[owner] -= 1
        if not self._inside[owner]:
            del self._inside[owner]

    def _take(self, ticket: int, owner: str, now: float) -> Place:
        number = next((number for number, last in self._free.items() if last == owner), next(iter(self._free)))
        is_warm = self._free.pop(number) == owner
        self._owners[number] = owner
        self._held[ticket] = _Held(number, now)
        return Place(number, is_warm)

    def drain_s(self, position: int) -> float:
        """Seconds until the place at `position` in the queue comes up, from how long requests took lately."""
        return max(_LEAST_S, self._service_s * position / self.plan.slots)
