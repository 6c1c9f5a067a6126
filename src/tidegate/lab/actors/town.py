"""What all who come in a scenario have in common: how long a rehearsal is, what a full engine is, who is a regular."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Final

import msgspec

from tidegate.lab.actors.arrivals import Flow
from tidegate.lab.actors.dice import dice
from tidegate.lab.actors.habits import Habits
from tidegate.lab.actors.identities import Population

MOST_ACTORS: Final = 200_000
"""So many people, or seats of one attack, are actors each at the most: a waiting one takes about 4 KiB."""


class Town(msgspec.Struct, frozen=True, kw_only=True):
    """`asks_per_s` is how many questions a second are a load of 1. A population that nobody is in is None."""

    seed: int
    asks_per_s: float
    duration_s: float
    habits: Habits
    factor: Callable[[float], float]
    peak: float
    established: Population | None
    new: Population | None

    def dice(self, *names: str | int) -> Random:
        """Dice for that name."""
        return dice(self.seed, *names)

    def flow(self, per_s: float) -> Flow:
        """Let so many come in the mean, as the day goes."""
        return Flow(per_s=per_s, factor=self.factor, peak=self.peak, until_s=self.duration_s)

    def sessions_per_s(self, load: float) -> float:
        """How many sessions a second make up that load."""
        return load * self.asks_per_s / self.habits.turns
