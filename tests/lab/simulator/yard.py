"""A service without a gate, its clock, and a small engine."""

from __future__ import annotations

from tests.lab.simulator.agendas import HandAgenda
from tests.lab.simulator.street import a_bot
from tidegate.lab.acts import Asked, Chat, Outcome, Who
from tidegate.lab.calibration import Calibration
from tidegate.lab.simulator.bare import Bare

ENGINE = Calibration(
    name="flat",
    about="for tests",
    slots=2,
    most_tokens=64,
    batch_s=0.02,
    write_s=0.002,
    read_s=0.0005,
    begin_s=0.01,
    end_s=0.005,
    free_s=0.02,
)
SHORT = Chat(prompt_tokens=20, answer_tokens=10)


class Yard:
    """A bare service and its clock."""

    def __init__(self, service: type[Bare] = Bare, replicas: int = 1) -> None:
        self.agenda = HandAgenda()
        self.service = service(ENGINE, self.agenda, replicas=replicas)

    def ask(self, who: Who, what: Asked) -> list[Outcome]:
        outcomes: list[Outcome] = []
        self.service.ask(who, what, self.agenda.now, outcomes.append)
        return outcomes

    def ask_at(self, when_s: float, who: Who, outcomes: list[Outcome]) -> None:
        self.agenda.at(when_s, lambda now: self.service.ask(who, SHORT, now, outcomes.append))

    def wait(self, seconds: float) -> None:
        self.agenda.run(self.agenda.now + seconds)
        self.service.tick(self.agenda.now)

    def flood(self, seconds: float, per_s: float, bots: int) -> list[Outcome]:
        outcomes: list[Outcome] = []
        for number in range(int(seconds * per_s)):
            who = a_bot(number % bots)
            when_s = self.agenda.now + number / per_s
            self.ask_at(when_s, who, outcomes)
        return outcomes
