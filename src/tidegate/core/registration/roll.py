"""Who waits, and until when each is held to be still there.

Deadlines lie in slots of ten seconds. Who is seen again gets a later deadline at no
cost; when a slot is over, those of it who were seen since move on, and the others are
gone. A waiter is in one slot at any time: coming and going fills nothing.
"""

from __future__ import annotations

from typing import Final

from tidegate.core.registration.lanes import Lane

_SLOT_S: Final = 10.0


class Told:
    """What somebody was told first, and whether it is known what became of it."""

    __slots__ = ("at", "is_judged", "p50_s", "p90_s")

    def __init__(self, at: float, p50_s: float, p90_s: float) -> None:
        """Not judged yet."""
        self.at, self.p50_s, self.p90_s, self.is_judged = at, p50_s, p90_s, False


class Waiter:
    """One who waits."""

    __slots__ = ("deadline", "lane", "place", "slot", "told")

    def __init__(self, place: int, lane: Lane) -> None:
        """Not told anything yet."""
        self.place, self.lane = place, lane
        self.deadline, self.slot = 0.0, 0
        self.told: Told | None = None


class Roll:
    """Waiters by their place in the order."""

    def __init__(self) -> None:
        """Nobody."""
        self._waiters: dict[int, Waiter] = {}
        self._slots: dict[int, set[int]] = {}
        self._swept = 0

    def __len__(self) -> int:
        return len(self._waiters)

    def __getitem__(self, place: int) -> Waiter:
        return self._waiters[place]

    def get(self, place: int) -> Waiter | None:
        """Who has this place."""
        return self._waiters.get(place)

    def add(self, waiter: Waiter, deadline: float) -> None:
        """Somebody begins to wait."""
        self._waiters[waiter.place] = waiter
        waiter.deadline = deadline
        self._put(waiter)

    def drop(self, waiter: Waiter) -> None:
        """Somebody waits no more."""
        del self._waiters[waiter.place]
        self._slots[waiter.slot].discard(waiter.place)

    def gone(self, now: float) -> list[Waiter]:
        """Drop and answer those whose deadline is over, if it is time to look."""
        current = _slot_of(now)
        if current <= self._swept:
            return []
        self._swept = current
        gone = []
        for slot in sorted(slot for slot in self._slots if slot < current):
            for place in self._slots.pop(slot):
                waiter = self._waiters[place]
                if waiter.deadline > now:
                    self._put(waiter)
                else:
                    del self._waiters[place]
                    gone.append(waiter)
        return gone

    def _put(self, waiter: Waiter) -> None:
        waiter.slot = _slot_of(waiter.deadline)
        self._slots.setdefault(waiter.slot, set()).add(waiter.place)


def _slot_of(time: float) -> int:
    return int(time // _SLOT_S)
