"""A street before the door: a virtual clock, a house with nothing behind it but the gate, and people who ask."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from tests.lab.simulator.agendas import HandAgenda
from tidegate.core.admission.facts import Bearing, Facts, Lane, Refused
from tidegate.core.admission.gate import Gate
from tidegate.core.registration.modes import RegistrationMode
from tidegate.core.registration.probation import ProbationPlan
from tidegate.core.standing.register import Register
from tidegate.lab.acts import Asked, Group, Outcome, SignUp, Who
from tidegate.lab.hearing import Happened
from tidegate.lab.rules import Rules
from tidegate.lab.simulator.accounts import Accounts
from tidegate.lab.simulator.door import Door
from tidegate.lab.simulator.serving import BASE_UNIX_S, Clock
from tidegate.services.permits import JoiningPlan

RULES = Rules(joining=JoiningPlan(), probation=ProbationPlan())
TICK_S = 0.25
HELD = {mode: msgspec.structs.replace(RULES, sign_up=mode) for mode in RegistrationMode}
BLIND = SignUp(effort_s=None, heeds=False, gives_up_after_s=30.0)
"""A program that sends the form and does nothing that it is asked for."""


class Gatehouse:
    """A service with a gate and a register, and an engine of which so much is free."""

    def __init__(self, rules: Rules, clock: Clock) -> None:
        self.register = Register(rules.standing, 10_000)
        self.gate = Gate(rules.gate, self.register)
        self.accounts = Accounts(self.register, 1)
        self.room: float | None = 1.0
        self.is_flood = False
        self.new: list[tuple[str, float, bool]] = []
        self._clock = clock

    def facts(self, who: Who, lane: Lane) -> Facts:
        address = who.address.to_bytes(4, "big")
        if not who.has_account:
            return Facts(address=address, lane=lane)
        principal = self.accounts.meet(who).principal
        return Facts(
            address=address, lane=lane, bearing=Bearing.GENUINE, principal=principal, digest=principal.encode()
        )

    def judge(self, facts: Facts, now: float) -> Refused | None:
        decided = self.gate.decide(facts, BASE_UNIX_S + now)
        return decided if isinstance(decided, Refused) else None

    def joined(self, who: Who, now: float, *, is_verified: bool = True) -> None:
        self.new.append((who.name, now, is_verified))
        self.accounts.make(who, self._clock.unix(now), is_flooded=self.is_flood, is_verified=is_verified)

    def headroom(self, now: float) -> float | None:
        del now
        return self.room

    def is_flooded(self, now: float) -> bool:
        del now
        return self.is_flood


class Street:
    """People before the door of one service."""

    def __init__(self, rules: Rules = RULES, seed: int = 1) -> None:
        self.agenda = HandAgenda()
        self.clock = Clock()
        self.house = Gatehouse(rules, self.clock)
        self.happened: list[Happened] = []
        self.door = Door(rules, seed, agenda=self.agenda, clock=self.clock, house=self.house, tell=self.happened.append)
        self._tick(0.0)

    def _tick(self, now: float) -> None:
        self.door.tick(now)
        self.agenda.at(now + TICK_S, self._tick)

    def ask(self, who: Who, what: Asked) -> list[Outcome]:
        """Ask now; the outcome is in what is answered, once it is there."""
        outcomes: list[Outcome] = []
        self.door.ask(who, what, self.agenda.now, outcomes.append)
        return outcomes

    def ask_at(self, when_s: float, who: Who, what: Asked, done: Callable[[Outcome], None]) -> None:
        self.agenda.at(when_s, lambda now: self.door.ask(who, what, now, done))

    def wait(self, seconds: float) -> None:
        self.agenda.run(self.agenda.now + seconds)

    def modes(self) -> list[str]:
        return [one.to for one in self.happened if one.what == "mode"]


def a_person(number: int, **said: object) -> Who:
    """Somebody from a network of their own."""
    made = Who(name=f"person-{number}", group=Group.ANONYMOUS, address=(100 << 24) + (number << 8) + 7)
    return msgspec.structs.replace(made, **said)


def a_bot(number: int) -> Who:
    return Who(name=f"bot-{number}", group=Group.ATTACKER, address=(45 << 24) + (number << 8) + 9, is_program=True)


def a_name(number: int) -> str:
    """One of many that have nothing in common."""
    letters = "abcdefghiklmnoprstuvwz"
    return "".join(letters[(number * 7 + place * place * 5) % len(letters)] for place in range(4)) + str(number)


def wave(street: Street, seconds: int, per_s: int, what: SignUp = BLIND) -> list[Outcome]:
    """Programs come without end, from many networks."""
    outcomes: list[Outcome] = []
    for number in range(seconds * per_s):
        when_s = street.agenda.now + number / per_s
        street.ask_at(when_s, a_bot(number % 500), what, outcomes.append)
    return outcomes
