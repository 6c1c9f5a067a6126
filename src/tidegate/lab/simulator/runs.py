"""One question at an engine: a job that tells the line what the engine tells it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from tidegate.lab.simulator.engine import EngineModel
from tidegate.lab.simulator.jobs import Job
from tidegate.lab.simulator.questions import Question


class Hearing(Protocol):
    """Whoever is told how a run goes."""

    def began(self, run: Run, now: float) -> int:
        """A first token is there; answers the next mark."""

    def spend(self, run: Run, written: int, now: float) -> int:
        """So many are written; answers the next mark."""

    def ended_well(self, run: Run, now: float) -> None:
        """The answer is whole."""


class Run(Job):
    """`told_tokens` of the prompt and `spent_tokens` of the answer the scheduler has heard of."""

    __slots__ = ("_engine", "_is_started", "_line", "question", "spent_tokens", "told_tokens")

    def __init__(self, line: Hearing, question: Question, order: int, answer_tokens: int, engine: EngineModel) -> None:
        """Not begun yet."""
        super().__init__(order, question.chat.prompt_tokens - question.cached_tokens, answer_tokens)
        self._line = line
        self._engine = engine
        self._is_started = False
        self.question = question
        self.told_tokens = 0
        self.spent_tokens = 0

    def begin(self, now: float) -> None:
        """Have the engine take it in, unless it was taken out before."""
        if not self.is_out:
            self._is_started = True
            self._engine.begin(self, now)

    def cut(self, now: float, freed: Callable[[float], None]) -> None:
        """Have the engine let go of it; `freed` is told when it has."""
        if self._is_started:
            self._engine.cut(self, now, freed)
        else:
            self.is_out = True
            freed(now)

    def began(self, now: float) -> int:
        """Hear that the first token is there."""
        return self._line.began(self, now)

    def marked(self, now: float) -> int:
        """Hear that what was reserved is written."""
        return self._line.spend(self, self.mark, now)

    def ended(self, now: float) -> None:
        """Hear that the answer is whole."""
        self._line.ended_well(self, now)
