"""Effort inflater: makes the work that is asked of everybody rise, until people cannot follow.

In the field: Tor's proposal 362 (April 2025) on proposal 327: who offers much effort, or asks for challenges and goes
away, drives up what is suggested. Intensity 1 asks for five challenges a second: two sign-ups for one wrong password.

Mimicry 0: one seat in two solves everything at once on many cores (0.005 s for a piece) and then gives up before it
is in, the other one asks and never solves. Mimicry 1: all solve, some of them as slowly as the slowest phone would
(0.6 s for a piece), which would lower what may be asked; browsers, proxies and pauses as people's. No account
is ever won: no letter is opened. Truth: `who.family`, `who.fleet`, `name_family`.
"""

from __future__ import annotations

from functools import partial
from typing import Final

import msgspec

from tidegate.lab.actors.attackers.arrivals import Pace, visiting
from tidegate.lab.actors.attackers.campaign import Campaign
from tidegate.lab.actors.attackers.joining import form, newcomer, opening
from tidegate.lab.actors.attackers.seats import Seat
from tidegate.lab.actors.retrying import ask
from tidegate.lab.acts import Life, SignIn, SignUp, Wait

PER_S: Final = 5.0
FAST_S: Final = 0.005
SLOW_S: Final = 0.6
_SIGN_INS: Final = 3  # One try in three is a wrong password.
_LEAVES_S: Final = 20.0
_VISIT: Final = 10
_MACHINE_S: Final = 1.0


def lives(campaign: Campaign) -> list[Life]:
    """The actors of one campaign."""
    rate = campaign.rate(PER_S)
    pace = Pace(machine_acts=_VISIT, human_acts=1.0, machine_s=_MACHINE_S)
    return visiting(campaign, rate, pace, lambda acts: partial(_inflating, campaign, acts))


def _inflating(campaign: Campaign, tries: int, seat: Seat, at_s: float) -> Life:
    now = yield from opening(campaign, seat, "/sign-up", at_s)
    for _ in range(tries):
        if now >= campaign.attack.until_s:
            return
        applicant = newcomer(campaign, seat)
        outcome = yield from ask(campaign.moved(applicant.who), _wish(campaign, applicant))
        wait_s = campaign.pause_s(seat, _MACHINE_S)
        yield Wait(wait_s)
        now = outcome.ended_at_s + wait_s


def _wish(campaign: Campaign, seat: Seat) -> SignUp | SignIn:
    effort_s = _effort_s(campaign, seat)
    if campaign.dice.randrange(_SIGN_INS) == 0:
        return SignIn(account=seat.who.name, is_right=False, effort_s=effort_s)
    return msgspec.structs.replace(
        form(campaign, seat), effort_s=effort_s, gives_up_after_s=_LEAVES_S, reads_mail_after_s=None
    )


def _effort_s(campaign: Campaign, seat: Seat) -> float | None:
    if campaign.is_mimicking(seat):
        return campaign.dice.choice((FAST_S, SLOW_S))
    return FAST_S if seat.number % 2 else None
