"""Those whose turn came: each may sign up once, within a time; after that the ticket is used up."""

from __future__ import annotations

import msgspec

from tidegate.core.registration.roll import Told


class Pass(msgspec.Struct, frozen=True):
    """May sign up until then."""

    until: float
    told: Told | None


class Passes:
    """Passes by place, at most `most`, and the places that are used up, at most twice `most_used`.

    Used ones are kept for `kept_s` at least, in two generations, unless more than
    `most_used` are used up within it: then the oldest are forgotten first, and their
    tickets could wait once more.
    """

    def __init__(self, most: int, most_used: int, kept_s: float) -> None:
        """None."""
        self._most = most
        self._most_used = most_used
        self._kept_s = kept_s
        self._passes: dict[int, Pass] = {}
        self._used: set[int] = set()
        self._used_before: set[int] = set()
        self._turned_at: float | None = None

    def __len__(self) -> int:
        return len(self._passes)

    @property
    def used(self) -> int:
        """How many used ones are remembered."""
        return len(self._used) + len(self._used_before)

    @property
    def room(self) -> int:
        """How many more can be given."""
        return self._most - len(self._passes)

    def give(self, place: int, until: float, told: Told | None) -> None:
        """Let somebody sign up. Passes are given in the order in which they end."""
        self._passes[place] = Pass(until, told)

    def get(self, place: int) -> Pass | None:
        """The pass of this place, if it has one."""
        return self._passes.get(place)

    def is_used(self, place: int) -> bool:
        """Whether this place had its turn, and it is over."""
        return place in self._used or place in self._used_before

    def take(self, place: int, now: float) -> bool:
        """Use it: True once, and only while it is valid."""
        self.sweep(now)
        return self._end(place, now)

    def use_up(self, place: int, now: float) -> None:
        """Let a place count as one that had its turn, for who gave it for something else."""
        if self._turned_at is None or now - self._turned_at >= self._kept_s or len(self._used) >= self._most_used:
            self._used, self._used_before, self._turned_at = set(), self._used, now
        self._used.add(place)

    def sweep(self, now: float) -> None:
        """End those whose time is over."""
        while self._passes:
            place, first = next(iter(self._passes.items()))
            if first.until > now:
                break
            self._end(place, now)

    def _end(self, place: int, now: float) -> bool:
        if self._passes.pop(place, None) is None:
            return False
        self.use_up(place, now)
        return True
