"""Sign-up drip: few accounts at a time, for weeks, under every limit for a network.

In the field: OWASP OAT-019 as patient operators do it ("hydra clusters" behind resold access): a few sign-ups an hour
from each network, names of a few families, accounts kept until they are old enough. Intensity 1 is two sign-ups a
minute in all; with 40 bots or more, each in a network of its own, that is at most three an hour from each.

Mimicry 0: hosts with programs, names of a pattern, no work done, no letter opened. Mimicry 1: as in `signup_wave`, and
every account won asks three questions as people do, so that it looks used. One sign-up in a visit, always.
Truth: `who.family`, `who.fleet`, `name_family`.
"""

from __future__ import annotations

from functools import partial
from typing import Final

from tidegate.lab.actors.attackers.arrivals import arriving
from tidegate.lab.actors.attackers.campaign import Campaign
from tidegate.lab.actors.attackers.joining import form, joined, newcomer, opening
from tidegate.lab.actors.attackers.seats import Seat
from tidegate.lab.actors.attackers.talking import Talk, conversation, like_people
from tidegate.lab.actors.retrying import ask
from tidegate.lab.acts import Chat, Life, Wait

PER_S: Final = 2.0 / 60.0
_ASKS: Final = 3
_MACHINE_S: Final = 5.0


def lives(campaign: Campaign) -> list[Life]:
    """The actors of one drip."""

    def compose(seat: Seat, number: int) -> Chat:
        del seat, number
        return like_people(campaign)

    style = Talk(machine_s=_MACHINE_S, compose=compose)
    return arriving(campaign, campaign.rate(PER_S), partial(_visit, campaign, style))


def _visit(campaign: Campaign, style: Talk, seat: Seat, at_s: float) -> Life:
    yield from opening(campaign, seat, "/sign-up", at_s)
    applicant = newcomer(campaign, seat)
    outcome = yield from ask(campaign.moved(applicant.who), form(campaign, applicant))
    if outcome.is_complete and campaign.is_mimicking(seat):
        wait_s = campaign.pause_s(seat, _MACHINE_S)
        yield Wait(wait_s)
        yield from conversation(campaign, style, _ASKS, joined(applicant, outcome), outcome.ended_at_s + wait_s)
