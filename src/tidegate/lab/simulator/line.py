"""The line before the engines in virtual time: what the scheduler answers, carried out.

As services/admission.py and services/generate.py do it over a real engine: an answer is
begun when its place is there, what a place costs is told as it is spent, a place that is
taken back is free when the engine has let go of it, and everything ends once, as served or
as it is.

The scheduler hears of progress less often than in the service: when a prompt is read, when
what was reserved of an answer is written, when it ends, and of all that runs at each tick.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from functools import partial
from math import inf
from typing import Final

from tidegate.core.admission.claims import (
    Act,
    Admitted,
    Called,
    Claim,
    Crowded,
    Cut,
    Place,
    Shed,
    Spent,
    Topped,
    Waiting,
)
from tidegate.core.admission.scheduler import Scheduler
from tidegate.core.reasons import Reason
from tidegate.lab.acts import Chat, Outcome
from tidegate.lab.simulator.fleet import Fleet
from tidegate.lab.simulator.questions import Question, Run
from tidegate.lab.simulator.serving import Agenda, Done

_ATTEMPTS: Final = 3
_BROKE_S: Final = 2.0
"""Who had the first of several engines break is told to come back after so long."""

Served = Callable[[Question, float, int, float], None]
"""Hears of an answer that came to its end: with its cost, how many its principal had in, and the time."""

Settled = Callable[[int, int], None]
"""Hears that a bill came to so many tokens."""


class Line:
    """Questions inside, by their tickets."""

    def __init__(
        self, scheduler: Scheduler, fleet: Fleet, agenda: Agenda, *, served: Served, settled: Settled, is_in_order: bool
    ) -> None:
        """Nobody is in. `is_in_order`: prompts are read in the order of places, else as they came."""
        self.scheduler = scheduler
        self.fleet = fleet
        self.failed = 0
        self.ended = 0
        self._agenda = agenda
        self._served = served
        self._settled = settled
        self._is_in_order = is_in_order
        self._inside: dict[int, Question] = {}
        self._running: dict[int, Question] = {}
        self._last = 0
        self._acts: deque[Act] = deque()
        self._is_carrying = False

    def __len__(self) -> int:
        """How many tickets are out."""
        return len(self._inside)

    # ------------------------------------------------------------ entering and waiting

    def take(self, chat: Chat, claim: Claim, bill: int | None, now: float, done: Done) -> Shed | Crowded | None:
        """Enter now, or be refused; who is let in is told by `done` what became of it."""
        self._last += 1
        number = self._last
        entered, acts = self.scheduler.enter(number, claim, now)
        refused: Shed | Crowded | None = None
        match entered:
            case Admitted(place=place):
                question = self._let_in(number, chat, claim, bill, now, done)
                self._seat(question, place, now)
            case Waiting(wait_s=wait_s):
                question = self._let_in(number, chat, claim, bill, now, done)
                question.promised_s = wait_s
                self._wait(question, now)
            case Shed() | Crowded():
                refused = entered
        if acts:
            self.carry_out(acts, now)
        return refused

    def _let_in(self, number: int, chat: Chat, claim: Claim, bill: int | None, now: float, done: Done) -> Question:
        question = self._inside[number] = Question(number, chat, claim, now, done, bill)
        question.standing = self.scheduler.judged(number) or claim.standing
        if chat.patience_s < inf:
            self._agenda.at(now + chat.patience_s, partial(self._tire, question))
        return question

    def _wait(self, question: Question, now: float) -> None:
        question.place = None
        question.since_s = now
        question.waits += 1
        left_s = question.claim.patience_s - question.waited_s
        self._agenda.at(now + max(0.0, left_s), partial(self._shed, question, question.waits))

    def _shed(self, question: Question, waits: int, now: float) -> None:
        """End the wait of one whose patience, as the service sees it, is over."""
        waiting = self.scheduler.outlook(question.number, now)
        if question.number not in self._inside or question.waits != waits or waiting is None:
            return
        question.tell(question.broken(self._so_far(question, now), Reason.SERVER_IS_OVERLOADED, waiting.wait_s))
        self._leave(question, now)

    def _tire(self, question: Question, now: float) -> None:
        """The caller leaves who has not had a word by now."""
        if question.is_told or (question.is_begun and (question.chat.is_stream or question.run is None)):
            return
        question.tell(question.broken(self._so_far(question, now), Reason.CLIENT_LEFT, None))
        self._end(question, now)

    def close(self, now: float) -> None:
        """Tell all who are in that it is over, and end them."""
        for question in list(self._inside.values()):
            outcome = self._so_far(question, now)
            outcome.status = 0
            question.tell(outcome)
            if question.run is not None:
                question.run.cut(now, _nothing)
            self._leave(question, now)

    # ------------------------------------------------------------ at the engine

    def _seat(self, question: Question, place: Place, now: float) -> None:
        if question.place is None and question.waits:
            question.waited_s += now - question.since_s
        question.place = place
        question.seated_at_s = now
        self._ask(question, now)

    def _ask(self, question: Question, now: float) -> None:
        """Have an engine begin; another one when the first cannot."""
        while True:
            replica = self.fleet.pick(now, question.tried) if question.attempts < _ATTEMPTS else None
            if replica is None:
                reason = Reason.ENGINE_FAILED if question.attempts else Reason.ENGINE_UNAVAILABLE
                self._fail(question, reason, self.fleet.retry_s(), now)
                return
            question.attempts += 1
            question.replica = replica
            if not self.fleet.fails(replica):
                break
            self.failed += 1
            question.tried = (*question.tried, str(replica))
            self.fleet.ended(replica, now, began_s=now, is_good=False, has_failed=True, caller=question.claim.principal)
        assert question.place is not None, "it holds a place"
        chat, is_warm = question.chat, question.place.is_warm
        knows = self.fleet.knows(question.claim.principal, replica, is_warm=is_warm)
        same = self.fleet.calibration.prefix_tokens
        cached = max(chat.cached_tokens, question.kept_tokens, same) if knows else 0
        question.cached_tokens = min(cached, chat.prompt_tokens - 1)
        answer_tokens = min(chat.answer_tokens, chat.max_tokens)
        order = question.place.number if self._is_in_order else question.number
        run = question.run = Run(self, question, order, answer_tokens, self.fleet.engines[replica])
        self._running[question.number] = question
        begin_s = self.fleet.calibration.begin_s
        if begin_s:
            self._agenda.at(now + begin_s, run.begin)
        else:
            run.begin(now)

    def began(self, run: Run, now: float) -> int:
        """A first token is there: what the run is to be told next."""
        question, scheduler = run.question, self.scheduler
        question.first_at_s = now
        self._progress(run, run.prompt_tokens, now)
        self._stir(now)
        if not run.is_out:
            self.carry_out(scheduler.began(question.number, now), now)
        return self.spend(run, 1, now)

    def spend(self, run: Run, written: int, now: float) -> int:
        """So much of an answer is written: tell the scheduler what is new of it, and the run its next mark."""
        question, tokens = run.question, written - run.spent_tokens
        if run.is_out or tokens <= 0:
            return run.answer_tokens
        run.spent_tokens = written
        topped = self.scheduler.spend(question.number, tokens, now)
        self._stir(now)
        if topped is Topped.ENDED and not run.is_out:
            retry_after_s = self.scheduler.again_s(question.number, now)
            self._cut(question, Cut(question.number, is_returning=False, retry_after_s=retry_after_s), now)
        return written + max(1, self.scheduler.left_tokens(question.number))

    def look(self, now: float) -> None:
        """Tell the scheduler how far everything is that runs."""
        for question in list(self._running.values()):
            run = question.run
            if run is None or run.is_out:
                continue
            engine = self.fleet.engines[question.replica]
            if question.is_begun:
                self.spend(run, engine.has_written(run, now), now)
            else:
                self._progress(run, engine.has_read(run, now), now)
                self._stir(now)

    def _progress(self, run: Run, read: int, now: float) -> None:
        if read > run.told_tokens:
            run.told_tokens = read
            cached, total = run.question.cached_tokens, run.question.chat.prompt_tokens
            self.scheduler.progress(run.question.number, cached + read, total, cached, now)

    def ended_well(self, run: Run, now: float) -> None:
        """An answer is whole."""
        question = run.question
        spent, outcome = self._spent(run, now), question.whole(self._so_far(question, now))
        self.scheduler.spend(question.number, run.answer_tokens - run.spent_tokens, now)
        question.run = None
        self._stir(now)
        end_s = self.fleet.calibration.end_s
        if end_s:
            self._agenda.at(now + end_s, partial(self._settle, question, spent, outcome))
        else:
            self._settle(question, spent, outcome, now)

    # ------------------------------------------------------------ ending

    def _settle(self, question: Question, spent: Spent, outcome: Outcome, now: float) -> None:
        if self._inside.pop(question.number, None) is None:
            return
        self.ended += 1
        self._running.pop(question.number, None)
        self._settled_bill(question, spent.prompt_tokens + spent.output_tokens)
        self._over(question, now, is_good=True)
        principal = question.claim.principal
        in_flight = self.scheduler.inside(principal)
        acts = self.scheduler.settle(question.number, spent, now)
        cost = self.scheduler.cost.cost(max(0, spent.prompt_tokens - spent.cached_tokens), spent.output_tokens)
        if acts:
            self.carry_out(acts, now)
        self._served(question, cost, in_flight, now)
        question.tell(outcome)

    def _leave(self, question: Question, now: float) -> None:
        """Give up whatever it holds, as it is; the engine has let go of it."""
        if self._inside.pop(question.number, None) is None:
            return
        self._running.pop(question.number, None)
        run = question.run
        had = 0 if run is None else run.told_tokens + run.spent_tokens
        self._settled_bill(question, had)
        self._over(question, now, is_good=False)
        self.carry_out(self.scheduler.abandon(question.number, now), now)

    def _over(self, question: Question, now: float, *, is_good: bool, has_failed: bool = False) -> None:
        if question.run is not None or is_good:
            self.fleet.ended(
                question.replica,
                now,
                began_s=question.seated_at_s,
                is_good=is_good,
                has_failed=has_failed,
                caller=question.claim.principal,
            )

    def _settled_bill(self, question: Question, tokens: int) -> None:
        if question.bill is not None:
            self._settled(question.bill, tokens)

    def _end(self, question: Question, now: float) -> None:
        """Free the engine of it first, if it is there."""
        run = question.run
        if run is None:
            self._leave(question, now)
        elif not question.is_cut:
            question.is_cut = True
            run.cut(now, partial(self._leave, question))

    def _fail(self, question: Question, reason: Reason, retry_after_s: float, now: float) -> None:
        self.failed += 1
        question.tell(question.broken(self._so_far(question, now), reason, retry_after_s))
        self._leave(question, now)

    def lost(self, replica: int, now: float) -> None:
        """An engine broke: what it had begun is lost, the rest is asked again elsewhere where there is another."""
        for question in list(self._running.values()):
            if question.replica != replica or question.run is None:
                continue
            outcome = self._so_far(question, now)
            self._over(question, now, is_good=False, has_failed=True)
            question.run.is_out, question.run = True, None
            self._running.pop(question.number)
            question.tried = (*question.tried, str(replica))
            if question.is_cut:
                self._leave(question, now)
            elif question.is_begun or len(self.fleet.engines) == 1:
                self.failed += 1
                question.tell(question.broken(outcome, Reason.ENGINE_FAILED, _BROKE_S))
                self._leave(question, now)
            else:
                self._ask(question, now)

    # ------------------------------------------------------------ what the scheduler does to others

    def carry_out(self, acts: Iterable[Act], now: float) -> None:
        """Do what the scheduler has answered."""
        self._acts.extend(acts)
        if self._is_carrying:
            return  # In the order in which they were decided: whoever does the first of them does these, too.
        self._is_carrying = True
        while self._acts:
            act = self._acts.popleft()
            question = self._inside.get(act.ticket)
            if question is None:
                continue  # Called a moment ago, it found no engine, and is gone: there is nothing to cut any more.
            match act:
                case Called(place=place):
                    self._seat(question, place, now)
                case Cut():
                    self._cut(question, act, now)
        self._is_carrying = False

    def _cut(self, question: Question, cut: Cut, now: float) -> None:
        run = question.run
        if run is None or question.is_cut:
            return  # Its answer is whole, and its place on the way back.
        question.is_cut = True
        if cut.is_returning:
            question.kept_tokens = question.cached_tokens + self.fleet.engines[question.replica].has_read(run, now)
            run.cut(now, partial(self._release, question))
            return
        outcome = self._so_far(question, now)
        question.tell(question.broken(outcome, Reason.INSUFFICIENT_SYSTEM_RESOURCE, cut.retry_after_s))
        run.cut(now, partial(self._leave, question))

    def _release(self, question: Question, now: float) -> None:
        """The engine has let go of one that was set aside: it waits again, unless its caller has left."""
        if question.number not in self._inside:
            return
        if question.is_told:
            self._leave(question, now)
            return
        self._over(question, now, is_good=False)
        self._running.pop(question.number)
        question.run, question.is_cut, question.tried, question.attempts = None, False, (), 0
        acts = self.scheduler.release(question.number, now)
        self._wait(question, now)
        self.carry_out(acts, now)

    def _stir(self, now: float) -> None:
        if self.scheduler.is_stirred:
            self.carry_out(self.scheduler.stir(now), now)

    # ------------------------------------------------------------ figures

    def _so_far(self, question: Question, now: float) -> Outcome:
        run, scheduler = question.run, self.scheduler
        if run is None:
            return question.outcome(now, 0.0, 0, (0.0, 0.0))
        engine = self.fleet.engines[question.replica]
        written = engine.has_written(run, now)
        cost = scheduler.cost.cost(engine.has_read(run, now), written)
        gaps_s = engine.gaps.since(run.gaps_mark) if written > 1 else (0.0, 0.0)
        return question.outcome(now, cost, written, gaps_s)

    def _spent(self, run: Run, now: float) -> Spent:
        """What an answer came to, with the rates that an engine tells of itself."""
        question = run.question
        reading_s, writing_s = run.first_at_s - run.read_from_s, now - run.first_at_s
        return Spent(
            prompt_tokens=question.chat.prompt_tokens,
            cached_tokens=question.cached_tokens,
            output_tokens=run.answer_tokens,
            prefill_tok_s=run.prompt_tokens / reading_s if reading_s > 0 else 0.0,
            decode_tok_s=(run.answer_tokens - 1) / writing_s if writing_s > 0 else 0.0,
        )


def _nothing(_now: float) -> None:
    """Nobody waits for this place any more."""
