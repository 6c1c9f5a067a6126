"""One engine, first come first served: what a model server does by itself, without anything before it.

llama.cpp's server gives each call the place that holds the longest part of its prompt already, else
the one that was used longest ago, and lets calls wait in the order of their coming when all are taken.
It knows no callers. Of a caller who leaves it lets go. It would let any number wait; here MOST_WAITING.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from math import inf
from typing import Final

from tidegate.core.reasons import Reason
from tidegate.lab.acts import Chat, Outcome
from tidegate.lab.calibration import Calibration
from tidegate.lab.simulator.engine import EngineModel
from tidegate.lab.simulator.jobs import Job
from tidegate.lab.simulator.refusing import OK
from tidegate.lab.simulator.serving import Agenda, Done

MOST_WAITING: Final = 10_000
BAD_GATEWAY: Final = "bad_gateway"
_BROKEN: Final = 502
_OVERLOADED: Final = 503


class Question:
    """One call, from when it is asked until it is told what became of it."""

    __slots__ = ("asked_at_s", "cached_tokens", "chat", "done", "job", "number", "owner", "place", "seated_at_s")

    def __init__(self, number: int, owner: str, chat: Chat, now: float, done: Done) -> None:
        """It waits."""
        self.number = number
        self.owner = owner
        self.chat = chat
        self.done = done
        self.asked_at_s = self.seated_at_s = now
        self.place: int | None = None
        self.cached_tokens = 0
        self.job: _Run | None = None


class _Run(Job):
    """A question at the engine."""

    __slots__ = ("_ended", "question")

    def __init__(self, question: Question, order: int, ended: Callable[[Question, float], None]) -> None:
        chat = question.chat
        answer_tokens = min(chat.answer_tokens, chat.max_tokens)
        super().__init__(order, chat.prompt_tokens - question.cached_tokens, answer_tokens)
        self.question = question
        self._ended = ended

    def ended(self, now: float) -> None:
        """Hear that the answer is whole."""
        self._ended(self.question, now)


class Fifo:
    """One replica and those who wait for it. Whoever is told an outcome is told it once."""

    def __init__(self, calibration: Calibration, agenda: Agenda, *, seed: int, replica: int = 0) -> None:
        """Idle."""
        self.engine = EngineModel(calibration, agenda, seed=seed)
        self.is_down = False
        self.answered = 0
        self.broken = 0
        self._calibration = calibration
        self._agenda = agenda
        self._replica = replica
        self._number = 0
        self._waiting: OrderedDict[int, Question] = OrderedDict()
        self._seated: dict[int, Question] = {}
        self._free: OrderedDict[int, None] = OrderedDict()  # Longest unused first.
        self._free.update(dict.fromkeys(range(calibration.slots)))
        self._holders: dict[int, Question] = {}
        self._last_owner = [""] * calibration.slots
        self.weight = calibration.prompt_weight(calibration.slots)

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._waiting)

    @property
    def inside(self) -> int:
        """How many wait or are at the engine."""
        return len(self._waiting) + len(self._seated)

    def take(self, owner: str, chat: Chat, now: float, done: Done) -> None:
        """Take a call, while the engine is there: it begins, waits, or finds everything full."""
        self._number += 1
        question = Question(self._number, owner, chat, now, done)
        if len(self._waiting) >= MOST_WAITING:
            done(self._outcome(question, now, _OVERLOADED, Reason.SERVER_IS_OVERLOADED.value))
            return
        if chat.patience_s < inf:
            self._agenda.at(now + chat.patience_s, partial(self._tire, question))
        self._waiting[question.number] = question
        self._seat_next(now)

    def fault(self, now: float, *, is_down: bool) -> None:
        """Break, and lose what is inside and whoever waits; or be there again."""
        self.is_down = is_down
        if not is_down:
            return
        lost = [*self._seated.values(), *self._waiting.values()]
        # What they had is read before the engine forgets it.
        outcomes = [self._outcome(question, now, _BROKEN, BAD_GATEWAY) for question in lost]
        for question in lost:
            if question.job is not None:
                question.job.is_out = True
        self._seated.clear()
        self._waiting.clear()
        self.engine.drop(now)
        self._free.update(dict.fromkeys(range(self._calibration.slots)))
        self._holders.clear()
        self._last_owner = [""] * self._calibration.slots
        self.broken += len(lost)
        for question, outcome in zip(lost, outcomes, strict=True):
            question.done(outcome)

    def close(self, now: float) -> None:
        """Tell whoever is in that it is over."""
        inside = [*self._seated.values(), *self._waiting.values()]
        outcomes = [self._outcome(question, now, 0, "") for question in inside]
        self._seated.clear()
        self._waiting.clear()
        for question, outcome in zip(inside, outcomes, strict=True):
            question.done(outcome)

    # ------------------------------------------------------------ at the engine

    def _seat_next(self, now: float) -> None:
        while self._waiting and self._free:
            _, question = self._waiting.popitem(last=False)
            place = self._place_for(question)
            del self._free[place]
            self._holders[place] = question
            question.place, question.seated_at_s = place, now
            is_warm = self._calibration.keeps_prefix and self._last_owner[place] == question.owner
            cached = max(question.chat.cached_tokens, self._calibration.prefix_tokens) if is_warm else 0
            question.cached_tokens = min(cached, question.chat.prompt_tokens - 1)
            self._last_owner[place] = question.owner
            self._seated[question.number] = question
            run = question.job = _Run(question, place, self._finish)
            self._agenda.at(now + self._calibration.begin_s, partial(self._begin, run))

    def _place_for(self, question: Question) -> int:
        if question.chat.cached_tokens:
            for place in self._free:
                if self._last_owner[place] == question.owner:
                    return place
        return next(iter(self._free))

    def _begin(self, run: _Run, now: float) -> None:
        if not run.is_out:
            self.engine.begin(run, now)

    def _finish(self, question: Question, now: float) -> None:
        if self._seated.pop(question.number, None) is None:
            return
        self.answered += 1
        outcome = self._outcome(question, now, OK, "")
        outcome.is_complete = True
        if not question.chat.is_stream:
            outcome.first_s = now - question.asked_at_s
        self._agenda.at(now + self._calibration.end_s, partial(self._free_place, question))
        question.done(outcome)

    def _tire(self, question: Question, now: float) -> None:
        """The caller leaves who has not had a word by now."""
        job = question.job
        has_word = job is not None and job.first_at_s < inf and question.chat.is_stream
        if has_word or (self._waiting.pop(question.number, None) or self._seated.get(question.number)) is None:
            return
        outcome = self._outcome(question, now, 0, Reason.CLIENT_LEFT.value)
        if job is not None:
            del self._seated[question.number]
            self.engine.cut(job, now, partial(self._free_place, question))
        question.done(outcome)

    def _free_place(self, question: Question, now: float) -> None:
        place = question.place
        if place is not None and self._holders.get(place) is question:  # Else the engine was begun anew since.
            del self._holders[place]
            self._free[place] = None
            self._seat_next(now)

    # ------------------------------------------------------------ outcomes

    def _outcome(self, question: Question, now: float, status: int, reason: str) -> Outcome:
        """What a call has come to by now."""
        job, chat, engine = question.job, question.chat, self.engine
        written = 0 if job is None else engine.has_written(job, now)
        has_first = job is not None and job.first_at_s < inf
        gap_s, stall_s = engine.gaps.since(job.gaps_mark) if job is not None and written > 1 else (0.0, 0.0)
        first_s = job.first_at_s - question.asked_at_s if job is not None and has_first and chat.is_stream else None
        return Outcome(
            asked_at_s=question.asked_at_s,
            ended_at_s=now,
            status=OK if has_first and status == _BROKEN and chat.is_stream else status,
            reason=reason,
            first_s=first_s,
            gap_s=gap_s,
            stall_s=stall_s,
            prompt_tokens=chat.prompt_tokens,
            cached_tokens=question.cached_tokens,
            output_tokens=written,
            is_whole=not chat.is_stream,
            cost=written + self.weight * (0 if job is None else engine.has_read(job, now)),
            queue_s=(now if job is None else question.seated_at_s) - question.asked_at_s,
            replica=self._replica,
        )
