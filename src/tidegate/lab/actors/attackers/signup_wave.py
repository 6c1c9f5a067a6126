"""Sign-up wave: many accounts at once.

In the field: what made DeepSeek limit registration on 27 January 2025; OWASP Automated Threats OAT-019; sign-ups far
above what visits explain, few name families and mail domains, and hardly any account that is used on its first
day (`signals` of surges: many are). Intensity 1 is ten sign-ups a second.

Mimicry 0: data centres post forms one second apart, ten in a visit, with disposable domains and names of a pattern;
they solve nothing, wait for nothing, open no letter and use no account. Mimicry 1: residential proxies with browsers
that load the page first, one sign-up in a visit, names and domains like people's, work done by a native solver,
letters opened within a minute, waits heeded; half of the accounts won ask one question.
Truth: `who.family`, `who.fleet`, `name_family`.
"""

from __future__ import annotations

from functools import partial
from typing import Final

from tidegate.lab.actors.attackers.arrivals import Pace, visiting
from tidegate.lab.actors.attackers.campaign import Campaign
from tidegate.lab.actors.attackers.joining import form, joined, newcomer, opening
from tidegate.lab.actors.attackers.seats import Seat
from tidegate.lab.actors.attackers.talking import like_people
from tidegate.lab.actors.retrying import ask
from tidegate.lab.acts import Life, Wait

PER_S: Final = 10.0
USED: Final = 0.5
"""The part of the accounts that are used at once, at mimicry 1."""
_VISIT: Final = 10
_MACHINE_S: Final = 1.0


def lives(campaign: Campaign) -> list[Life]:
    """The actors of one wave."""
    rate = campaign.rate(PER_S)
    pace = Pace(machine_acts=_VISIT, human_acts=1.0, machine_s=_MACHINE_S)
    return visiting(campaign, rate, pace, lambda acts: partial(_joining, campaign, acts))


def _joining(campaign: Campaign, sign_ups: int, seat: Seat, at_s: float) -> Life:
    """Sign up so often, as somebody else each time; ask a question from some of the accounts."""
    now = yield from opening(campaign, seat, "/sign-up", at_s)
    for _ in range(sign_ups):
        if now >= campaign.attack.until_s:
            return
        applicant = newcomer(campaign, seat)
        outcome = yield from ask(campaign.moved(applicant.who), form(campaign, applicant))
        if outcome.is_complete and campaign.dice.random() < USED * seat.mimicry:
            yield from ask(joined(applicant, outcome).who, like_people(campaign))
        wait_s = campaign.pause_s(seat, _MACHINE_S)
        yield Wait(wait_s)
        now = outcome.ended_at_s + wait_s
