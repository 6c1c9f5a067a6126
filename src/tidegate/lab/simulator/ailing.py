"""What of a scenario's faults is on just now: several may be on at once, and one that ends does not heal the others."""

from __future__ import annotations

from math import prod

from tidegate.lab.scenario import Broken, Fault


class Ailing:
    """Knows what is broken of engines, which are numbered from 0."""

    def __init__(self) -> None:
        """All are well."""
        self._on: list[Broken] = []

    def turn(self, broken: Broken, *, is_on: bool) -> None:
        """Have a fault begin, or end."""
        if is_on:
            self._on.append(broken)
        elif broken in self._on:
            self._on.remove(broken)

    @property
    def speed(self) -> float:
        """What is left of everybody's speed: of two halves a quarter."""
        return prod(one.factor for one in self._on if one.kind is Fault.ENGINE_SLOW)

    def is_down(self, replica: int) -> bool:
        """Whether that one is away."""
        return any(one.replica == replica for one in self._on if one.kind is Fault.ENGINE_DOWN)

    def fails(self, replica: int) -> float:
        """The part of calls at which that one fails."""
        bad = (one.factor for one in self._on if one.kind is Fault.REPLICA_BAD and one.replica == replica)
        return 1.0 - prod(bad)
