"""What stands in the middle of the virtual world, and is asked: Tidegate, or what it is compared with.

A service reads no clock and waits for nothing. It is told when it is, and has an agenda on
which it writes what it has to do later: the engine's next event, a patience that ends.
Whatever is asked gets exactly one outcome, at once or later, also when a rehearsal ends.

`now` is seconds since the rehearsal began, and never steps back. What the service takes for
Unix time is `Clock.unix(now)`: that steps when a scenario says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, Protocol

from tidegate.lab.acts import Asked, Outcome, Who
from tidegate.lab.hearing import Happened, Sampled
from tidegate.lab.rules import Rules
from tidegate.lab.scenario import Broken

BASE_UNIX_S: Final = 1_800_000_000.0
"""Unix time at the beginning of every rehearsal: 2027-01-15, 08:00 UTC, a Friday."""

Done = Callable[[Outcome], None]
"""Is told once what became of an ask."""

Tell = Callable[[Happened], None]
"""Is told what moved."""


class Agenda(Protocol):
    """What is to be done later, in the order of time; at equal times in the order in which it was written."""

    def at(self, when_s: float, do: Callable[[float], None]) -> None:
        """Have `do` called with the time, at `when_s`; at once where that has gone by. It cannot be taken back."""


class Clock:
    """The service's own clock, which somebody may set wrong."""

    def __init__(self) -> None:
        """Right."""
        self.off_s = 0.0

    def unix(self, now: float) -> float:
        """What the service takes the time for (Unix seconds)."""
        return BASE_UNIX_S + now + self.off_s


class Asking(Protocol):
    """Whatever may be asked: a service, or a part of one that sees to some kinds of asks."""

    def ask(self, who: Who, what: Asked, now: float, done: Done) -> None:
        """Take one ask; `done` is told its outcome, perhaps before this returns."""

    def tick(self, now: float) -> None:
        """Do what is done now and then; called every `scale.tick_s`."""


class Door(Asking, Protocol):
    """The part of a service that sees to accounts and pages: all that is not asked of the model."""

    @property
    def mode(self) -> str:
        """How far registration is open."""

    @property
    def in_line(self) -> int:
        """How many wait for an account."""

    def apply(self, rules: Rules, now: float) -> None:
        """Go on by other rules."""

    def close(self, now: float) -> None:
        """The rehearsal is over: whoever is still in is told so (status 0)."""


class Service(Asking, Protocol):
    """A whole service with its engines."""

    def samples(self, now: float) -> Iterable[Sampled]:
        """How it is, one for each replica."""

    def fault(self, broken: Broken, now: float, *, is_on: bool) -> None:
        """Have something break, or be well again. What a service has not cannot break."""

    def apply(self, rules: Rules, now: float) -> None:
        """Go on by other rules."""

    def close(self, now: float) -> None:
        """The rehearsal is over: whoever is still in is told so, with what they have had until now (status 0)."""
