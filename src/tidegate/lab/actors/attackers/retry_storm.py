"""Retry storm: clients that try again at once after any failure. It needs a spark: nothing fails, nothing happens.

In the field: AWS on 7 December 2021, Discord's and Duo's herds after an outage; Google SRE, chapter 22 (retries
amplify): a short fault outlives its cause, for what is refused comes back at once. The clients ask like people (three
tenths of what the engine can do at intensity 1, people's lengths), each failure is tried again up to 20 times. Where
the campaign has accounts, so many seats have one.

Mimicry 0: again after 0.05 s, whatever was said. Mimicry 1: as a stock SDK does, twice, after half a second that
doubles, heeding `Retry-After` up to a minute and a word that it is no use: hardly a storm. In between each seat is
the one or the other. They are programs in data centres, or browsers on people's lines, by mimicry as ever.
Truth: `who.family`, `who.fleet`, `retry` counts up.
"""

from __future__ import annotations

from functools import partial
from typing import Final

import msgspec

from tidegate.lab.actors.attackers.arrivals import Pace, visiting
from tidegate.lab.actors.attackers.campaign import Campaign
from tidegate.lab.actors.attackers.seats import Seat
from tidegate.lab.actors.attackers.talking import PATIENCE_S, like_people
from tidegate.lab.actors.retrying import ask
from tidegate.lab.acts import Life, Outcome, Wait

LOAD: Final = 0.3
RETRIES: Final = 20
SDK_RETRIES: Final = 2
AGAIN_S: Final = 0.05
_SDK_FIRST_S: Final = 0.5
_SDK_LONGEST_S: Final = 60.0
_VISIT: Final = 4
_MACHINE_S: Final = 5.0


def lives(campaign: Campaign) -> list[Life]:
    """The actors of one storm."""
    rate = campaign.rate(LOAD * campaign.asks_per_s)
    pace = Pace(machine_acts=_VISIT, human_acts=campaign.scenario.people.turns, machine_s=_MACHINE_S)
    return visiting(campaign, rate, pace, lambda acts: partial(_storming, campaign, acts))


def _storming(campaign: Campaign, asks: int, seat: Seat, at_s: float) -> Life:
    now = at_s
    for _ in range(asks):
        asked = msgspec.structs.replace(like_people(campaign), patience_s=PATIENCE_S)
        if campaign.manner.is_same:
            asked = msgspec.structs.replace(asked, template=campaign.template(0), body=campaign.template(0))
        for retry in range(1 + (SDK_RETRIES if seat.heeds else RETRIES)):
            if now >= campaign.attack.until_s:
                return
            outcome = yield from ask(campaign.moved(seat.who), msgspec.structs.replace(asked, retry=retry))
            now = outcome.ended_at_s
            if outcome.is_complete or (seat.heeds and outcome.is_final):
                break
            wait_s = _again_s(campaign, seat, outcome, retry)
            yield Wait(wait_s)
            now += wait_s
        wait_s = campaign.pause_s(seat, _MACHINE_S)
        yield Wait(wait_s)
        now += wait_s


def _again_s(campaign: Campaign, seat: Seat, outcome: Outcome, retry: int) -> float:
    if not seat.heeds:
        return AGAIN_S
    if outcome.retry_after_s is not None:
        return min(_SDK_LONGEST_S, outcome.retry_after_s)
    return _SDK_FIRST_S * 2.0**retry * (0.75 + 0.25 * campaign.dice.random())
