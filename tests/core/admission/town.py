"""People and a flood at an engine in virtual time, and how well the people are served.

The engine reads and writes as SmolLM2-135M was seen to on one core, in batches of
twelve tokens, and frees a place in a tenth of a second.
"""

from __future__ import annotations

from itertools import pairwise
from random import Random

import msgspec

from tests.core.admission.engine_model import EngineModel, Job, claim
from tidegate.core.admission.plan import AdmissionPlan
from tidegate.core.standing.classes import Standing

FIRST_S = 2.0
GAP_S = 0.2
STALL_S = 1.0
GIVES_UP_S = 30.0
LOAD_PER_S = 0.5  # Answers: 40 % of what the engine can do.
FREED_S = 0.1
PRESSED_PER_S = 1600.0


class Flood(msgspec.Struct, frozen=True, kw_only=True):
    """Accounts that ask as fast as they can and heed nothing, or with `is_patient` everything.

    With `at_once` each has never more than so many in, and never fewer if it can help it.
    """

    standing: Standing
    accounts: int
    prompt_tokens: int = 60
    output_tokens: int = 512
    is_patient: bool = False
    at_once: int = 0


class Served(msgspec.Struct):
    """How many asked, were answered in the end, and were answered well."""

    asked: int = 0
    done: int = 0
    good: int = 0

    @property
    def part(self) -> float:
        """Of those who asked, how many were answered well."""
        return self.good / self.asked


class Question(msgspec.Struct):
    """One question of somebody who comes back once when told to."""

    at_s: float
    who: str
    standing: Standing
    prompt_tokens: int
    output_tokens: int
    first_asked_at: float
    is_again: bool = False
    job: Job | None = None


class Town:
    """Ten established people, five newcomers who ask a fifth as much, and whoever floods them."""

    def __init__(self, flood: Flood | None, seed: int, plan: AdmissionPlan | None = None) -> None:
        self.engine = EngineModel(plan or AdmissionPlan(), delay_s=FREED_S)
        self.flood = flood
        self.dice = Random(seed)
        self.asked: list[Question] = []
        self.flooding: list[Job] = []
        self._back_at: dict[str, float] = {}

    def run(self, seconds: float) -> dict[Standing, Served]:
        """Let time pass; answer how people were served, by their standing."""
        coming = [
            *self._questions("user", 10, Standing.ESTABLISHED, LOAD_PER_S, seconds),
            *self._questions("newcomer", 5, Standing.NEWCOMER, LOAD_PER_S / 5, seconds),
        ]
        coming.sort(key=lambda question: -question.at_s)
        while self.engine.now < seconds + GIVES_UP_S:
            before_s = self.engine.now
            self.engine.step()
            if self.flood is not None:
                self._press(self.flood, self.engine.now - before_s)
            while coming and coming[-1].at_s <= self.engine.now:
                again = self._ask(coming.pop())
                if again is not None:
                    coming.append(again)
                    coming.sort(key=lambda question: -question.at_s)
        return self._judged()

    def _questions(self, name: str, people: int, standing: Standing, rate: float, seconds: float) -> list[Question]:
        times = sorted(self.dice.uniform(0, seconds) for _ in range(round(rate * seconds)))
        return [
            Question(at_s, f"{name}{number % people}", standing, *self._size(), first_asked_at=at_s)
            for number, at_s in enumerate(times)
        ]

    def _size(self) -> tuple[int, int]:
        return self.dice.randint(40, 60), self.dice.randint(16, 32)

    def _told(self, who: str, standing: Standing) -> float | None:
        """What the gate tells by the head alone: when to come back, if at all."""
        scheduler, now = self.engine.scheduler, self.engine.now
        refused = scheduler.preview(who, standing, who, 400, 60.0, now) or scheduler.crowded(who, standing, now)
        return None if refused is None else refused.retry_after_s

    def _ask(self, question: Question) -> Question | None:
        told_s = self._told(question.who, question.standing)
        if told_s is None:
            asks = claim(
                question.who,
                question.standing,
                prompt_bytes=question.prompt_tokens * 4,
                output_tokens=question.output_tokens,
            )
            question.job = self.engine.ask(asks, question.prompt_tokens, question.output_tokens)
            told_s = getattr(question.job.answer, "retry_after_s", None)
        if told_s is not None and not question.is_again and told_s < GIVES_UP_S:
            again = msgspec.structs.replace(question, at_s=self.engine.now + told_s, is_again=True, job=None)
            again.first_asked_at = question.first_asked_at
            return again
        self.asked.append(question)
        return None

    def _press(self, flood: Flood, passed_s: float) -> None:
        for _ in range(min(flood.accounts, round(PRESSED_PER_S * passed_s))):
            who = f"stranger{self.dice.randrange(flood.accounts)}"
            if flood.is_patient and self._back_at.get(who, 0.0) > self.engine.now:
                continue
            if flood.at_once and self.engine.scheduler.inside(who) >= flood.at_once:
                continue
            told_s = self._told(who, flood.standing)
            if told_s is None:
                asks = claim(
                    who, flood.standing, prompt_bytes=flood.prompt_tokens * 6, output_tokens=flood.output_tokens
                )
                job = self.engine.ask(asks, flood.prompt_tokens, flood.output_tokens)
                told_s = getattr(job.answer, "retry_after_s", 0.0 if flood.at_once else 1.0)
                self.flooding.append(job)
            self._back_at[who] = self.engine.now + told_s

    def _judged(self) -> dict[Standing, Served]:
        served = {Standing.ESTABLISHED: Served(), Standing.NEWCOMER: Served()}
        for question in self.asked:
            one = served[question.standing]
            one.asked += 1
            if question.job is not None and question.job.how == "served":
                one.done += 1
                one.good += _is_good(question.job, question.first_asked_at)
        return served


def _is_good(job: Job, asked_at: float) -> bool:
    gaps = sorted(after - before for before, after in pairwise(job.told_at))
    return (
        job.told_at[0] - asked_at <= FIRST_S
        and gaps[min(len(gaps) - 1, int(0.95 * len(gaps)))] <= GAP_S
        and gaps[-1] <= STALL_S
    )
