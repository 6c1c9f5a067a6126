"""Credential stuffing: pairs of names and passwords from elsewhere, tried here.

In the field: OWASP OAT-008, ATT&CK T1110.004; from 0.1 to 2 % of the pairs are right; on DeepSeek from 03:00 on 28
January 2025, all from US addresses, about half of them VPN exits (XLab). Intensity 1 is 20 tries a second.

Mimicry 0: hosts and VPN exits try ten pairs in a visit half a second apart, one try for each name; one pair in
twenty names an account that exists here, one in a thousand is right; no challenge is solved. Mimicry 1: residential
proxies with browsers that load the page first, one or two pairs in a visit, challenges solved by a native solver; six
pairs in ten name an account that exists, two in a hundred are right. Never a known device.
Truth: `who.family`, `who.fleet`; `is_right` of each try.
"""

from __future__ import annotations

from functools import partial
from typing import Final

from tidegate.lab.actors.attackers.arrivals import Pace, visiting
from tidegate.lab.actors.attackers.campaign import Campaign
from tidegate.lab.actors.attackers.joining import NATIVE_S, opening
from tidegate.lab.actors.attackers.seats import Seat
from tidegate.lab.actors.identities import name_of
from tidegate.lab.actors.retrying import ask
from tidegate.lab.acts import Group, Life, SignIn, Wait

PER_S: Final = 20.0
RIGHT: Final = (0.001, 0.02)
"""The part of the pairs that is right, at mimicry 0 and 1."""
EXISTING: Final = (0.05, 0.6)
"""The part of the pairs whose name has an account here: the right ones among them."""
_VISIT: Final = 10
_MACHINE_S: Final = 0.5


def lives(campaign: Campaign) -> list[Life]:
    """The actors of one campaign."""
    rate = campaign.rate(PER_S)
    pace = Pace(machine_acts=_VISIT, human_acts=2.0, machine_s=_MACHINE_S)
    return visiting(campaign, rate, pace, lambda acts: partial(_guessing, campaign, acts))


def _guessing(campaign: Campaign, tries: int, seat: Seat, at_s: float) -> Life:
    now = yield from opening(campaign, seat, "/sign-in", at_s)
    for _ in range(tries):
        if now >= campaign.attack.until_s:
            return
        outcome = yield from ask(campaign.moved(seat.who), _pair(campaign, seat))
        wait_s = campaign.pause_s(seat, _MACHINE_S)
        if seat.heeds and outcome.retry_after_s is not None:
            wait_s = max(wait_s, min(60.0, outcome.retry_after_s))
        yield Wait(wait_s)
        now = outcome.ended_at_s + wait_s


def _pair(campaign: Campaign, seat: Seat) -> SignIn:
    dice, effort_s = campaign.dice, NATIVE_S if campaign.is_mimicking(seat) else None
    part, victims = dice.random(), campaign.scenario.people.established
    if part >= _between(EXISTING, seat.mimicry) or not victims:
        return SignIn(account=f"stranger-{campaign.fresh():012x}", is_right=False, effort_s=effort_s)
    account = name_of(Group.ESTABLISHED, 0 if campaign.manner.is_same else dice.randrange(victims))
    return SignIn(account=account, is_right=part < _between(RIGHT, seat.mimicry), effort_s=effort_s)


def _between(ends: tuple[float, float], mimicry: float) -> float:
    return ends[0] + (ends[1] - ends[0]) * mimicry
