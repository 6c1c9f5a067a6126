"""A service without a gate, to compare with: who comes first is served first (docs/lab/baselines.md).

No classes, no budgets, no work, no line for accounts: an account is there at once, passwords are
hashed one after the other, and each engine answers first come first served. Several engines
stand behind a proxy that deals calls out in turn and passes by one that cannot be reached.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from random import Random
from typing import Final

from tidegate.core.reasons import Reason
from tidegate.lab.acts import Asked, Chat, Outcome, Page, SignIn, SignUp, Who
from tidegate.lab.calibration import Calibration
from tidegate.lab.hearing import Sampled
from tidegate.lab.rules import Rules
from tidegate.lab.scenario import Broken, Fault
from tidegate.lab.simulator.ailing import Ailing
from tidegate.lab.simulator.fifo import BAD_GATEWAY, MOST_WAITING, Fifo
from tidegate.lab.simulator.holding import Holding
from tidegate.lab.simulator.refusing import OK
from tidegate.lab.simulator.serving import Agenda, Done
from tidegate.lab.simulator.worker import HASH_S

_CREATED: Final = 201
_SEE_OTHER: Final = 303
_WRONG: Final = 401
_FAILED: Final = 500
_BROKEN: Final = 502
_OVERLOADED: Final = 503


class Bare:
    """Everybody is the same to it. `rules` mean nothing here."""

    def __init__(self, calibration: Calibration, agenda: Agenda, *, replicas: int = 1, seed: int = 1) -> None:
        """Idle."""
        self._calibration = calibration
        self._engines = [Fifo(calibration, agenda, seed=seed + number, replica=number) for number in range(replicas)]
        self._fails = [0.0] * replicas
        self._ailing = Ailing()
        self._dice = Random(seed)  # noqa: S311 - which calls fail, no secret
        self._next = 0
        self._hashed_until_s = 0.0
        self._held = Holding(agenda)
        self._sampled_at_s = 0.0
        self._done_tokens = [0.0] * replicas
        self._counted = (0, 0)
        self._failed = 0

    @property
    def inside(self) -> int:
        """How many asks have had no outcome yet."""
        return len(self._held) + sum(one.inside for one in self._engines)

    def ask(self, who: Who, what: Asked, now: float, done: Done) -> None:
        """Take one ask."""
        match what:
            case Chat():
                self._chat(who, what, now, done)
            case SignIn():
                self._sign_in(what, now, done)
            case SignUp():
                done(_at_once(now, _CREATED))
            case Page():
                done(_at_once(now, OK))
            case _:
                self._held.hold(now, what.for_s, partial(_let_go, now, 0, ""), done)

    def tick(self, now: float) -> None:
        """Nothing is looked after."""

    def samples(self, now: float) -> Iterator[Sampled]:
        """How it is, one for each replica."""
        passed_s = now - self._sampled_at_s
        counted = sum(one.answered for one in self._engines), self._failed + sum(one.broken for one in self._engines)
        ended, failed = (one - before for one, before in zip(counted, self._counted, strict=True))
        capacity_tok_s = self._calibration.capacity_tok_s()
        for number, one in enumerate(self._engines):
            tokens = one.engine.written_tokens + one.weight * one.engine.read_tokens
            yield Sampled(
                at_s=now,
                running=one.engine.inside,
                waiting=one.waiting,
                tok_s=(tokens - self._done_tokens[number]) / passed_s if passed_s > 0 else 0.0,
                capacity_tok_s=0.0 if one.is_down else capacity_tok_s * one.engine.speed,
                err_rate=failed / (ended + failed) if failed else 0.0,
                replica=number,
                is_healthy=not one.is_down,
            )
            self._done_tokens[number] = tokens
        self._sampled_at_s, self._counted = now, counted

    def fault(self, broken: Broken, now: float, *, is_on: bool) -> None:
        """Have an engine break, or be well again. Clocks and settings are nothing to it."""
        replica = broken.replica
        self._ailing.turn(broken, is_on=is_on)
        match broken.kind:
            case Fault.ENGINE_SLOW:
                for one in self._engines:
                    one.engine.slow(self._ailing.speed, now)
            case Fault.ENGINE_DOWN:
                self._engines[replica].fault(now, is_down=self._ailing.is_down(replica))
            case Fault.REPLICA_BAD:
                self._fails[replica] = self._ailing.fails(replica)
            case _:
                pass

    def apply(self, rules: Rules, now: float) -> None:
        """There is nothing to set."""

    def close(self, now: float) -> None:
        """The rehearsal is over: whoever is in yet is told so (status 0)."""
        for one in self._engines:
            one.close(now)
        self._held.close(now)

    def _chat(self, who: Who, chat: Chat, now: float, done: Done) -> None:
        for _ in self._engines:
            number, self._next = self._next, (self._next + 1) % len(self._engines)
            if self._engines[number].is_down:
                continue
            if self._fails[number] > 0.0 and self._dice.random() < self._fails[number]:
                self._failed += 1
                done(_at_once(now, _FAILED, Reason.INTERNAL_ERROR.value))
                return
            self._engines[number].take(who.name, chat, now, done)
            return
        self._failed += 1
        done(_at_once(now, _BROKEN, BAD_GATEWAY))

    def _sign_in(self, what: SignIn, now: float, done: Done) -> None:
        """Hash it when everything that came before is hashed, whoever asked for that."""
        begins_at_s = max(now, self._hashed_until_s)
        if begins_at_s - now >= MOST_WAITING * HASH_S:
            done(_at_once(now, _OVERLOADED, Reason.SERVER_IS_OVERLOADED.value))
            return
        self._hashed_until_s = begins_at_s + HASH_S
        status, reason = (_SEE_OTHER, "") if what.is_right else (_WRONG, Reason.WRONG_CREDENTIALS.value)
        self._held.hold(now, self._hashed_until_s - now, partial(_let_go, now, status, reason), done)


def _let_go(asked_at_s: float, status: int, reason: str, now: float) -> Outcome:
    return Outcome(
        asked_at_s=asked_at_s,
        ended_at_s=now,
        status=status,
        reason=reason,
        first_s=now - asked_at_s if status else None,
        is_complete=status == _SEE_OTHER,
    )


def _at_once(now: float, status: int, reason: str = "") -> Outcome:
    return Outcome(
        asked_at_s=now,
        ended_at_s=now,
        status=status,
        reason=reason,
        first_s=0.0,
        is_complete=status in {OK, _CREATED},
    )
