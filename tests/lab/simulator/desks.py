"""A virtual Tidegate with its agenda, for a test to ask one thing after the other."""

from __future__ import annotations

from math import inf

from tests.lab.simulator.agendas import HandAgenda
from tests.lab.simulator.towns import CPU, RULES, somebody
from tidegate.lab.acts import Asked, Chat, Outcome, Who
from tidegate.lab.calibration import Calibration
from tidegate.lab.hearing import Happened
from tidegate.lab.rules import Rules
from tidegate.lab.scenario import Broken, Fault
from tidegate.lab.simulator.service import Tidegate

SMALL = Chat(prompt_tokens=20, answer_tokens=20)
LONG = Chat(prompt_tokens=20, answer_tokens=400)
OLD = somebody("old")


class Desk:
    """A Tidegate and its agenda, for a test to ask."""

    def __init__(self, rules: Rules = RULES, calibration: Calibration = CPU, replicas: int = 1) -> None:
        self.agenda = HandAgenda()
        self.moves: list[Happened] = []
        self.service = Tidegate(rules, calibration, self.agenda, self.moves.append, replicas=replicas)

    def ask(self, who: Who = OLD, what: Asked = SMALL) -> list[Outcome]:
        told: list[Outcome] = []
        self.service.ask(who, what, self.agenda.now, told.append)
        return told

    def run(self, for_s: float = inf) -> None:
        self.agenda.run(self.agenda.now + for_s)

    def fault(self, kind: Fault, *, is_on: bool = True, **given: object) -> None:
        broken = Broken(kind=kind, from_s=0.0, until_s=1.0, **given)  # type: ignore[arg-type] # test values
        self.service.fault(broken, self.agenda.now, is_on=is_on)
