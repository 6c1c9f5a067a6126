"""Those of whom nothing is to be done but to tell them later: when their time is over, or when the rehearsal is."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from tidegate.lab.acts import Outcome
from tidegate.lab.simulator.serving import Agenda, Done

Ending = Callable[[float], Outcome]
"""What somebody is told, who is told it then."""


class Holding:
    """Tells each once."""

    def __init__(self, agenda: Agenda) -> None:
        """Nobody is held."""
        self._agenda = agenda
        self._number = 0
        self._inside: dict[int, tuple[float, Done]] = {}

    def __len__(self) -> int:
        """How many have not been told."""
        return len(self._inside)

    def hold(self, now: float, for_s: float, ending: Ending, done: Done) -> None:
        """Tell `done` the `ending` when so much time has passed since `now`."""
        self._number += 1
        self._inside[self._number] = now, done
        self._agenda.at(now + for_s, partial(self._let_go, self._number, ending))

    def close(self, now: float) -> None:
        """Tell everybody that it is over (status 0)."""
        inside, self._inside = self._inside, {}
        for asked_at_s, done in inside.values():
            done(Outcome(asked_at_s=asked_at_s, ended_at_s=now))

    def _let_go(self, number: int, ending: Ending, now: float) -> None:
        held = self._inside.pop(number, None)
        if held is not None:  # Else the rehearsal was over before.
            held[1](ending(now))
