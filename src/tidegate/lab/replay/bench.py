"""One engine's line, played: the real scheduler, and an engine that takes for each answer what it took.

An answer keeps its own recorded times of reading and writing. Beside more or fewer others than it
had it is slower or faster by the record's pace (surveying.py). What is not known: where prompts of others held one up,
what an engine would have kept of a prompt elsewhere, and how callers would have reacted.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from enum import StrEnum
from heapq import heappop, heappush
from math import inf, nextafter
from typing import Final

import msgspec

from tidegate.core.admission.claims import Act, Admitted, Called, Claim, Crowded, Cut, Shed, Spent, Topped
from tidegate.core.admission.cursor import Cursor
from tidegate.core.admission.plan import AdmissionPlan
from tidegate.core.admission.scheduler import Scheduler
from tidegate.lab.replay.surveying import Pace, Work

_TICK_S: Final = 0.1
_MOST_TICKS: Final = 1000
"""Of one answer; a long one is looked at less often."""
_DONE_S: Final = 1e-6


class End(StrEnum):
    """What became of a claim."""

    SERVED = "served"
    REFUSED = "refused"
    LEFT = "left"
    CUT = "cut"


class Fate(msgspec.Struct, frozen=True, gc=False):
    """How a claim ended. `wait_s` is until it had its place, or what was waited in vain; `reason` why not served."""

    end: End
    wait_s: float = 0.0
    reason: str = ""


class _Seat(msgspec.Struct, gc=False):
    number: int
    claim: Claim
    work: Work
    entered_at: float
    placed_at: float | None = None
    left_s: float = 0.0
    speed: float = 1.0
    is_writing: bool = False
    written: int = 0


Ended = Callable[[int, Fate], None]


class Bench:
    """Hears of each claim's end once, by its number. Times are seconds, which go forward."""

    def __init__(self, plan: AdmissionPlan, pace: Pace, ended: Ended, cursors: Callable[[], Cursor] = Cursor) -> None:
        """Nobody is in."""
        self.scheduler = Scheduler(plan, cursors)
        self._pace = pace
        self._ended = ended
        self._running: dict[int, _Seat] = {}
        self._waiting: dict[int, _Seat] = {}
        self._leaving: list[tuple[float, int]] = []
        self.now = 0.0

    def enter(self, number: int, claim: Claim, work: Work, now: float) -> None:
        """Have one claim a place."""
        self.advance(now)
        entered, acts = self.scheduler.enter(number, claim, self.now)
        seat = _Seat(number, claim, work, self.now)
        match entered:
            case Shed():
                self._ended(number, Fate(End.REFUSED, reason="server_is_overloaded"))
            case Crowded():
                self._ended(number, Fate(End.REFUSED, reason="concurrency_limit_exceeded"))
            case Admitted():
                self._start(seat)
            case _:
                self._waiting[number] = seat
                stays_s = claim.patience_s if work.waits_s is None else min(work.waits_s, claim.patience_s)
                heappush(self._leaving, (self.now + stays_s, number))
        self._carry_out(acts)

    def resize(self, slots: int, now: float) -> None:
        """Have another number of places."""
        self.advance(now)
        self._carry_out(self.scheduler.resize(slots, self.now))

    def replan(self, plan: AdmissionPlan, now: float) -> None:
        """Go on under another plan."""
        self.advance(now)
        self._carry_out(self.scheduler.replan(plan, self.now))

    def close(self) -> None:
        """Play on until nobody is in."""
        ahead_s = _TICK_S
        while self._running or self._waiting:
            self.advance(self.now + ahead_s)
            ahead_s *= 2.0  # A record may tell of answers that took years.

    def advance(self, until: float) -> None:
        """Play on. A time that is over already changes nothing."""
        while self.now < until:
            to = until
            while self._leaving and self._leaving[0][1] not in self._waiting:
                heappop(self._leaving)  # It had its place, or has left.
            if self._leaving:
                to = min(to, max(self.now, self._leaving[0][0]))
            for seat in self._running.values():
                speed = seat.speed = self._speed(seat)
                to = min(to, self._after(max(_DONE_S, seat.left_s / speed)))
                to = min(to, self._after(max(_TICK_S, (seat.work.read_s + seat.work.write_s) / _MOST_TICKS)))
            passed_s, self.now = to - self.now, max(to, self.now)
            for seat in list(self._running.values()):
                if seat.number in self._running:
                    self._work(seat, passed_s)
            self._leave()

    def _after(self, passed_s: float) -> float:
        """So long from now: later in any case, also where now is so large that so little is lost in it."""
        return max(self.now + passed_s, nextafter(self.now, inf))

    def _speed(self, seat: _Seat) -> float:
        """How many recorded seconds of an answer go by in one: just one beside as many as it had at that point."""
        work, at_once = seat.work, seat.work.at_once
        if work.company is not None:
            whole_s = work.read_s + work.write_s if seat.is_writing else work.read_s
            at_once = work.company.at(work.placed_at + whole_s - seat.left_s)
        return self._pace.stretch(at_once) / self._pace.stretch(len(self._running))

    def _work(self, seat: _Seat, passed_s: float) -> None:
        work, scheduler = seat.work, self.scheduler
        seat.left_s -= passed_s * seat.speed
        is_done = seat.left_s <= _DONE_S
        if not seat.is_writing:
            part = 1.0 if is_done else 1.0 - seat.left_s / work.read_s
            fresh = work.prompt_tokens - work.cached_tokens
            done = work.cached_tokens + int(fresh * part)
            scheduler.progress(seat.number, done, work.prompt_tokens, work.cached_tokens, self.now)
            if is_done and work.output_tokens:
                seat.is_writing, seat.left_s = True, max(_DONE_S, work.write_s)
                self._carry_out(scheduler.began(seat.number, self.now))
                self._spend(seat, 1)
            elif is_done:
                self._end(seat)
        else:
            part = 1.0 if is_done else 1.0 - seat.left_s / work.write_s
            self._spend(seat, max(1, int(work.output_tokens * part)))
            if is_done and seat.number in self._running:
                self._end(seat)
        if scheduler.is_stirred:
            self._carry_out(scheduler.stir(self.now))

    def _spend(self, seat: _Seat, tokens: int) -> None:
        more, seat.written = tokens - seat.written, tokens
        if more <= 0 or seat.number not in self._running:
            return
        if self.scheduler.spend(seat.number, more, self.now) is Topped.ENDED:
            self._over(seat, Fate(End.CUT, self._waited(seat)))
            self._carry_out(self.scheduler.abandon(seat.number, self.now))

    def _end(self, seat: _Seat) -> None:
        work = seat.work
        self._over(seat, Fate(End.LEFT if work.is_left else End.SERVED, self._waited(seat)))
        if work.is_left:
            self._carry_out(self.scheduler.abandon(seat.number, self.now))
            return
        spent = Spent(
            prompt_tokens=work.prompt_tokens,
            cached_tokens=work.cached_tokens,
            output_tokens=work.output_tokens,
            prefill_tok_s=work.prefill_tok_s,
            decode_tok_s=work.decode_tok_s,
        )
        self._carry_out(self.scheduler.settle(seat.number, spent, self.now))

    def _over(self, seat: _Seat, fate: Fate) -> None:
        self._running.pop(seat.number, None)
        self._ended(seat.number, fate)

    def _waited(self, seat: _Seat) -> float:
        return max(0.0, (self.now if seat.placed_at is None else seat.placed_at) - seat.entered_at)

    def _leave(self) -> None:
        while self._leaving and self._leaving[0][0] <= self.now:
            _, number = heappop(self._leaving)
            seat = self._waiting.pop(number, None)
            if seat is not None:
                self._ended(number, Fate(End.LEFT, self.now - seat.entered_at))
                self._carry_out(self.scheduler.abandon(number, self.now))

    def _start(self, seat: _Seat) -> None:
        seat.placed_at, seat.left_s = self.now, seat.work.read_s
        seat.is_writing, seat.written = False, 0
        self._running[seat.number] = seat

    def _carry_out(self, acts: list[Act]) -> None:
        left = deque(acts)
        while left:
            act = left.popleft()
            match act:
                case Called():
                    seat = self._waiting.pop(act.ticket)
                    self._start(seat)
                case Cut(is_returning=True):
                    seat = self._waiting[act.ticket] = self._running.pop(act.ticket)
                    heappush(self._leaving, (self.now + seat.claim.patience_s, act.ticket))
                    left.extend(self.scheduler.release(act.ticket, self.now))
                case Cut():
                    seat = self._running[act.ticket]
                    self._over(seat, Fate(End.CUT, self._waited(seat)))
                    left.extend(self.scheduler.abandon(act.ticket, self.now))
