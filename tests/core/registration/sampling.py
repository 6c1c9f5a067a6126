"""A machine that is fed every five seconds, and signals that say nothing unless told to."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from tidegate.core.registration.machine import Machine
from tidegate.core.registration.modes import RegistrationMode, Transition
from tidegate.core.registration.plan import ModePlan
from tidegate.core.registration.signals import Signals

AT = 1.8e9
EVERY_S = 5.0
CALM = Signals(at=AT, attempts_per_min=1.0, baseline_per_min=6.0)
FLOOD = Signals(at=AT, attempts_per_min=30_000.0, baseline_per_min=6.0)
OPEN = RegistrationMode.OPEN
THROTTLED = RegistrationMode.THROTTLED
WAITING = RegistrationMode.WAITING_ROOM
INVITE = RegistrationMode.INVITE
CLOSED = RegistrationMode.CLOSED


class Watched:
    """A machine, the hand-turned clock before it, and what it said."""

    def __init__(self, plan: ModePlan | None = None) -> None:
        self.machine = Machine(plan or ModePlan())
        self.now = AT
        self.said: list[Transition] = []

    @property
    def mode(self) -> RegistrationMode:
        return self.machine.mode(self.now)

    def feed(
        self, seen: Signals | Callable[[float], Signals], for_s: float, every_s: float = EVERY_S
    ) -> list[Transition]:
        """Sample for so long; answer what it said meanwhile, with times from the beginning."""
        said, began = [], self.now
        while self.now < began + for_s:
            signals = seen if isinstance(seen, Signals) else seen(self.now - AT)
            transition = self.machine.sample(msgspec.structs.replace(signals, at=self.now))
            if transition is not None:
                said.append(transition)
            self.now += every_s
        self.said += said
        return said

    def restart(self) -> None:
        """Let the machine go on from what it wrote down."""
        kept = msgspec.json.decode(msgspec.json.encode(self.machine.state()), type=type(self.machine.state()))
        self.machine = Machine(self.machine.plan, kept)


def at(said: list[Transition]) -> list[tuple[float, str]]:
    """When it went where."""
    return [(one.at - AT, one.to.value) for one in said]
