"""How attackers come in: the pages that browsers show first, and all the way to an account.

By mimicry a seat loads the page with what belongs to it before it acts, solves what it is asked to (a native solver
on one core: 0.025 s for a piece, a quarter of a page's time, docs/challenge.md), waits for its turn and opens
the letter. Else it posts forms: it solves nothing, heeds nothing, and persists, which tells it from people
better than failing does (Kandula et al., "Botz-4-Sale", NSDI 2005, section 4).
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Final

import msgspec

from tidegate.lab.actors.attackers.campaign import Campaign
from tidegate.lab.actors.attackers.letters import address_of
from tidegate.lab.actors.attackers.seats import Seat
from tidegate.lab.actors.sessions import ASSETS
from tidegate.lab.acts import Act, Ask, Outcome, Page, SignUp, Wait

Steps = Generator[Act, Outcome | None, float]
"""A part of a life: returns the second at which it ends."""

NATIVE_S: Final = 0.025
_IMPATIENT_S: Final = 30.0
_PATIENT_S: Final = 1800.0
_MAIL_MEDIAN_S: Final = 15.0
_LOOKS_S: Final = 1.5


def opening(campaign: Campaign, seat: Seat, path: str, now: float) -> Steps:
    """Load a page as a browser does, and look at it; or do nothing of the kind, by mimicry."""
    if not campaign.is_mimicking(seat):
        return now
    dice = campaign.dice
    referrer = "search" if dice.random() < 0.5 * seat.mimicry else "none"
    outcome = yield Ask(seat.who, Page(path=path, referrer=referrer))
    for asset in ASSETS:
        outcome = yield Ask(seat.who, asset)
    assert outcome is not None
    look_s = min(60.0, dice.lognormvariate(_LOOKS_S, 0.5))
    yield Wait(look_s)
    return outcome.ended_at_s + look_s


def form(campaign: Campaign, seat: Seat) -> SignUp:
    """What a seat writes into the form, and how far it goes the way to an account."""
    dice, is_human = campaign.dice, campaign.is_mimicking(seat)
    letter = address_of(dice, campaign.fleet, is_human=is_human, is_same=campaign.manner.is_same)
    return SignUp(
        effort_s=NATIVE_S if campaign.is_mimicking(seat) else None,
        gives_up_after_s=_PATIENT_S if seat.heeds else _IMPATIENT_S,
        reads_mail_after_s=dice.lognormvariate(0.0, 0.6) * _MAIL_MEDIAN_S if campaign.is_mimicking(seat) else None,
        heeds=seat.heeds,
        mail_domain=letter.domain,
        is_disposable=letter.is_disposable,
        local_part=letter.local_part,
        name_family=letter.family,
    )


def newcomer(campaign: Campaign, seat: Seat) -> Seat:
    """Somebody without an account yet, by the way of this seat."""
    who = msgspec.structs.replace(seat.who, name=f"{campaign.fleet}-new-{campaign.fresh():012x}", has_account=False)
    return msgspec.structs.replace(seat, who=who)


def joined(seat: Seat, outcome: Outcome) -> Seat:
    """The seat with its account if it got one, else as it was."""
    if not outcome.is_complete:
        return seat
    return msgspec.structs.replace(seat, who=msgspec.structs.replace(seat.who, has_account=True))
