"""The door of the service in virtual time: pages, signing up, signing in.

Who decides is the service itself: its gate, `Registration`, `Joining` and `Sessions` as they are,
put together in reception.py. Here each ask becomes an errand that does what somebody at a browser
does (newcomer.py, entrant.py), and ends with one outcome. What the door finds is told: modes that
moved, and passwords that are guessed.

Kept are those who are at it: who waits in line, who types, who works. An ask that was refused
leaves nothing behind but what the service itself remembers, within its bounds.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import partial
from math import inf
from typing import Any, Final

from tidegate.core.admission.facts import Lane
from tidegate.core.registration.modes import RegistrationMode, Transition
from tidegate.lab.acts import Asked, Outcome, Page, SignIn, SignUp, Who
from tidegate.lab.hearing import Happened
from tidegate.lab.rules import Rules
from tidegate.lab.simulator.call import Call
from tidegate.lab.simulator.entrant import Entrant
from tidegate.lab.simulator.errands import Errands, begin
from tidegate.lab.simulator.newcomer import Newcomer
from tidegate.lab.simulator.reception import House, open_reception
from tidegate.lab.simulator.refusing import OK, refused
from tidegate.lab.simulator.serving import Agenda, Clock, Done, Tell
from tidegate.services.joining import TICK_S
from tidegate.services.registration import SAMPLE_EVERY_S

# Python 3.11 takes as long for a member of an enumeration as for a call.
_ASSET: Final = Lane.ASSET
_PAGE: Final = Lane.PAGE

GUESSING: Final = "guessing"
"""The suspicion that strangers are guessing passwords."""


class Door:
    """Takes pages, sign-ups and sign-ins for a service, which is its `house`."""

    def __init__(self, rules: Rules, seed: int, *, agenda: Agenda, clock: Clock, house: House, tell: Tell) -> None:
        """Calm, and nobody there."""
        self._errands = Errands(agenda, clock)
        self._house = house
        self._tell = tell
        self._reception = open_reception(rules, seed, self._errands, house)
        self._number = 0
        self._open: dict[int, tuple[Call, Done]] = {}
        self._ticked_at = self._sampled_at = float("-inf")
        self._is_guessed = False
        carry_out = self._reception.registration.moved
        self._reception.registration.moved = lambda move: self._moved(move, carry_out)

    @property
    def mode(self) -> RegistrationMode:
        """How far registration is open."""
        return self._reception.registration.mode

    @property
    def in_line(self) -> int:
        """How many have a place in line."""
        return len(self._reception.joining.room)

    @property
    def inside(self) -> int:
        """How many asks have had no outcome yet."""
        return len(self._open)

    def ask(self, who: Who, what: Asked, now: float, done: Done) -> None:
        """Take a page, a sign-up or a sign-in. Raises TypeError for what is none."""
        self._errands.now = now
        self._number += 1
        match what:
            case Page():
                done(self._page(who, what, now))
            case SignUp():
                call = self._call(who, now + what.gives_up_after_s)
                self._begin(call, Newcomer(call, what, self._reception, self._house).arrive(), done)
            case SignIn():
                call = self._call(who)
                self._begin(call, Entrant(call, what, self._reception, self._house).arrive(), done)
            case _:
                msg = f"the door takes no {type(what).__name__}"
                raise TypeError(msg)

    def tick(self, now: float) -> None:
        """Let in who may come, measure, and tell what is found; as often as the service does."""
        self._errands.now = now
        if now - self._ticked_at >= TICK_S:
            self._ticked_at = now
            self._reception.joining.tick()
        if now - self._sampled_at >= SAMPLE_EVERY_S:
            self._sampled_at = now
            self._reception.registration.sample()
        is_guessed = self._reception.sessions.is_attacked()
        if is_guessed is not self._is_guessed:
            self._is_guessed = is_guessed
            was, to = ("", GUESSING) if is_guessed else (GUESSING, "")
            self._tell(Happened(at_s=now, what="suspicion", was=was, to=to))

    def apply(self, rules: Rules, now: float) -> None:
        """Go on by other rules: those that the service exchanges while it runs."""
        self._errands.now = now
        self._reception.joining.replan(rules.joining)
        registration = self._reception.registration
        registration.machine.plan = rules.modes
        registration.hold_to(rules.sign_up)
        registration.calm.replan(*rules.calm)

    def close(self, now: float) -> None:
        """The rehearsal is over: whoever is at it yet is told so (status 0)."""
        self._errands.now = now
        for number in list(self._open):
            call, done = self._open.pop(number)
            done(call.ended(0, is_complete=False))

    def _call(self, who: Who, until_s: float = inf) -> Call:
        return Call(who, self._number, self._reception, self._house, self._errands, until_s)

    def _begin(self, call: Call, errand: Coroutine[Any, Any, Outcome], done: Done) -> None:
        self._open[call.number] = (call, done)
        begin(errand, partial(self._ended, call.number))

    def _ended(self, number: int, outcome: Outcome) -> None:
        found = self._open.pop(number, None)
        if found is not None:  # Else the rehearsal was over before.
            found[1](outcome)

    def _page(self, who: Who, what: Page, now: float) -> Outcome:
        """Most of what is asked are pages: whether one is shown the gate says alone, and at once."""
        refusal = self._house.judge(self._house.facts(who, _ASSET if what.is_asset else _PAGE), now)
        if refusal is None:
            return Outcome(asked_at_s=now, ended_at_s=now, status=OK, first_s=0.0, is_complete=True)
        outcome = refused(refusal.reason, now, now, refusal.retry_after_s)
        outcome.first_s = 0.0
        return outcome

    def _moved(self, move: Transition, carry_out: Callable[[Transition], None]) -> None:
        carry_out(move)
        if not move.is_dry:
            detail = ",".join(move.causes)
            happened = Happened(
                at_s=self._errands.now, what="mode", was=move.was, to=move.to, by=move.by, detail=detail
            )
            self._tell(happened)
