"""Honest newcomers at an engine in virtual time, beside networks that send a new key with every request.

A server that asks for no keys accepts every one of them, so each is a principal of its own.
"""

from __future__ import annotations

from random import Random

import msgspec

from tests.core.admission.engine_model import EngineModel, Job, claim
from tidegate.core.admission.plan import AdmissionPlan
from tidegate.core.standing.classes import Standing

PLAN = AdmissionPlan(slots=16, readers=4, batch_tokens=256)
GIVES_UP_S = 60.0
PRESSED_PER_S = 200.0
WORDS = 40


class Person(msgspec.Struct):
    """One who asks, waits for the answer, thinks, and asks again; who is refused comes back when told to."""

    name: str
    network: str
    at_s: float
    asked_at: float | None = None
    job: Job | None = None


class Found(msgspec.Struct):
    """How often people asked, how often they were answered, and after how many seconds each answer began."""

    asked: int = 0
    waits_s: list[float] = msgspec.field(default_factory=list)

    @property
    def part(self) -> float:
        """Of the questions, how many were answered."""
        return len(self.waits_s) / self.asked

    @property
    def median_s(self) -> float:
        """How long half of those who were answered waited at most."""
        return sorted(self.waits_s)[len(self.waits_s) // 2]


class Networks:
    """So many networks press; people are spread over `homes`, each of which is a network too."""

    def __init__(
        self, pressing: int, *, people: int, homes: int, think_s: float, output_tokens: int = 512, seed: int = 1
    ) -> None:
        self.engine = EngineModel(PLAN, rate=300.0, prefill_rate=440.0, delay_s=0.1)
        self.pressing = pressing
        self.think_s = think_s
        self.output_tokens = output_tokens
        self.dice = Random(seed)
        self.found = Found()
        self.keys = 0
        self.people = [
            Person(f"person{number}", f"net:home{number % homes}", self.dice.uniform(0.0, think_s))
            for number in range(people)
        ]

    def run(self, seconds: float) -> Found:
        """Let time pass."""
        engine = self.engine
        while engine.now < seconds:
            before_s = engine.now
            engine.step()
            coming = [person for person in self.people if person.job is None and person.at_s <= engine.now]
            asks: list[Person | None] = [*coming]
            if self.pressing:
                asks += [None] * round(PRESSED_PER_S * (engine.now - before_s))
            self.dice.shuffle(asks)
            for person in asks:
                if person is None:
                    self._press()
                else:
                    self._ask(person)
            for person in self.people:
                self._look(person)
        return self.found

    def _press(self) -> None:
        self.keys += 1
        self._enter(f"key{self.keys}", f"net:{self.dice.randrange(self.pressing)}", self.output_tokens)

    def _enter(self, name: str, network: str, output_tokens: int) -> Job | float:
        """Ask, past the gate's look ahead; a refusal says when to come back."""
        engine = self.engine
        refused = engine.scheduler.preview(name, Standing.NEWCOMER, network, 200, GIVES_UP_S, engine.now)
        if refused is not None:
            return refused.retry_after_s
        asks = claim(name, cohort=network, prompt_bytes=200, output_tokens=output_tokens)
        job = engine.ask(asks, 50, output_tokens)
        return float(getattr(job.answer, "retry_after_s", 1.0)) if job.how == "refused" else job

    def _ask(self, person: Person) -> None:
        now = self.engine.now
        if person.asked_at is None:
            person.asked_at = now
            self.found.asked += 1
        answer = self._enter(person.name, person.network, WORDS)
        if isinstance(answer, Job):
            person.job = answer
            return
        person.at_s = now + answer + self.dice.uniform(0.0, 0.5)
        if person.at_s - person.asked_at > GIVES_UP_S:
            self._think(person)

    def _look(self, person: Person) -> None:
        job = person.job
        if job is not None and job.ended_at is not None:
            if job.how == "served" and job.first_token_at is not None and person.asked_at is not None:
                self.found.waits_s.append(job.first_token_at - person.asked_at)
            self._think(person)

    def _think(self, person: Person) -> None:
        person.job = person.asked_at = None
        person.at_s = self.engine.now + self.dice.uniform(0.5, 1.5) * self.think_s
