"""One question to the model, from the moment it is asked until somebody is told, and its runs at an engine.

A question that is set aside is run again; what becomes of it is told once.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import Protocol

from tidegate.core.admission.claims import Claim, Place
from tidegate.core.reasons import Reason
from tidegate.core.standing.classes import Standing
from tidegate.lab.acts import Chat, Outcome
from tidegate.lab.simulator.engine import EngineModel
from tidegate.lab.simulator.jobs import Job
from tidegate.lab.simulator.refusing import OK, STATUS
from tidegate.lab.simulator.serving import Done

QUIET_S = 1.0
"""For so long whoever reads along hears nothing: from then on they are told a wait, and an end comes in the stream."""


class Question:
    """What is known of it; the line (line.py) moves it on.

    `waited_s` are all its waits that are over, `since_s` is when the one began that is not. `run` is its job while
    an engine has it, `kept_tokens` of its prompt are what an engine had read when it was set aside.
    """

    __slots__ = (
        "asked_at_s",
        "attempts",
        "bill",
        "cached_tokens",
        "chat",
        "claim",
        "done",
        "first_at_s",
        "is_cut",
        "is_told",
        "kept_tokens",
        "number",
        "place",
        "promised_s",
        "replica",
        "run",
        "seated_at_s",
        "since_s",
        "standing",
        "tried",
        "waited_s",
        "waits",
    )

    def __init__(self, number: int, chat: Chat, claim: Claim, now: float, done: Done, bill: int | None) -> None:
        """It was let in now."""
        self.number = number
        self.chat = chat
        self.claim = claim
        self.done = done
        self.bill = bill
        self.asked_at_s = self.since_s = now
        self.waited_s = 0.0
        self.waits = 0
        self.promised_s: float | None = None
        self.standing: Standing = claim.standing
        self.place: Place | None = None
        self.seated_at_s = now
        self.replica = 0
        self.tried: tuple[str, ...] = ()
        self.attempts = 0
        self.cached_tokens = 0
        self.kept_tokens = 0
        self.first_at_s = inf
        self.run: Run | None = None
        self.is_cut = False
        self.is_told = False

    @property
    def is_begun(self) -> bool:
        """Whether its first token is there."""
        return self.first_at_s < inf

    def tell(self, outcome: Outcome) -> None:
        """Tell whoever asked, once."""
        if not self.is_told:
            self.is_told = True
            self.done(outcome)

    def outcome(self, now: float, cost: float, output_tokens: int, gaps_s: tuple[float, float]) -> Outcome:
        """What became of it as far as it got."""
        chat, waited_s = self.chat, self.waited_s if self.place is not None else self.waited_s + now - self.since_s
        has_heard = self.is_begun and chat.is_stream
        is_promised = self.promised_s is not None and waited_s >= QUIET_S and chat.is_stream
        return Outcome(
            asked_at_s=self.asked_at_s,
            ended_at_s=now,
            status=OK,
            first_s=self.first_at_s - self.asked_at_s if has_heard else None,
            gap_s=gaps_s[0],
            stall_s=gaps_s[1],
            prompt_tokens=chat.prompt_tokens,
            cached_tokens=self.cached_tokens,
            output_tokens=output_tokens,
            is_whole=not chat.is_stream,
            cost=cost,
            queue_s=waited_s,
            promised_s=self.promised_s if is_promised else None,
            waited_s=waited_s if is_promised and self.place is not None else None,
            standing=self.standing.value,
            replica=self.replica,
        )

    def whole(self, outcome: Outcome) -> Outcome:
        """The same of an answer that came to its end."""
        outcome.is_complete = True
        if not self.chat.is_stream:
            outcome.first_s = outcome.ended_at_s - outcome.asked_at_s
        return outcome

    def broken(self, outcome: Outcome, reason: Reason, retry_after_s: float | None) -> Outcome:
        """The same of one that did not: in a stream that has begun the status stays."""
        outcome.reason = reason.value
        outcome.retry_after_s = retry_after_s
        has_heard = self.is_begun or outcome.queue_s >= QUIET_S
        outcome.status = OK if self.chat.is_stream and has_heard else STATUS[reason]
        if reason is Reason.CLIENT_LEFT:
            outcome.status = STATUS[reason]
        return outcome


class Hearing(Protocol):
    """Whoever is told how a run goes."""

    def began(self, run: Run, now: float) -> int:
        """A first token is there; answers the next mark."""

    def spend(self, run: Run, written: int, now: float) -> int:
        """So many are written; answers the next mark."""

    def ended_well(self, run: Run, now: float) -> None:
        """The answer is whole."""


class Run(Job):
    """One try of a question at an engine: a job that tells the line what the engine tells it.

    `told_tokens` of the prompt and `spent_tokens` of the answer the scheduler has heard of.
    """

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
