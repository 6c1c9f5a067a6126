"""A visit that asks the model: what families of questions share, but for the questions.

A program asks, takes the answer, and asks something else; a refusal is only an answer that came quickly. By mimicry
a seat opens the page first, goes on with one conversation, reads before it asks again, gives up as early as
people do, and comes back with the same question when it was told to.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

import msgspec

from tidegate.lab.actors.attackers.arrivals import Pace, visiting
from tidegate.lab.actors.attackers.campaign import Campaign
from tidegate.lab.actors.attackers.joining import form, joined, newcomer, opening
from tidegate.lab.actors.attackers.seats import Seat
from tidegate.lab.actors.retrying import ask
from tidegate.lab.acts import Chat, Life, Outcome, Wait

Compose = Callable[[Seat, int], Chat]
"""The next question of a seat in a visit, counted from 0."""

PATIENCE_S: Final = 60.0
"""A program's: it holds the place that it got."""
_LONGEST_RETRY_S: Final = 60.0
_LONGEST_CONTEXT: Final = 3_000


class Talk(msgspec.Struct, frozen=True, kw_only=True):
    """How a family talks: `machine_s` between questions where nothing is mimicked.

    `is_one_talk`: all of a visit is one conversation, whatever is mimicked. `is_recruiting`: whoever has no account
    signs up for one first; who gets none asks without.
    """

    machine_s: float
    compose: Compose
    is_one_talk: bool = False
    is_recruiting: bool = False


def talking(
    campaign: Campaign, asks_per_s: float, machine_asks: float, style: Talk, least_asks: float = 1.0
) -> list[Life]:
    """Lives that ask so often in the mean over the campaign, in visits of `machine_asks`, or as long as people's.

    However few visits that leaves, they have `least_asks` if these can be asked in a campaign.
    """
    pace = Pace(
        machine_acts=machine_asks,
        human_acts=campaign.scenario.people.turns,
        machine_s=style.machine_s,
        least_acts=least_asks,
    )
    return visiting(campaign, asks_per_s, pace, lambda asks: partial(_talk, campaign, style, asks))


def _talk(campaign: Campaign, style: Talk, asks: int, seat: Seat, at_s: float) -> Life:
    """One visit of one seat from that second on. Ends with the campaign."""
    now = yield from opening(campaign, seat, "/", at_s)
    if (style.is_recruiting or campaign.manner.is_recruiting) and not seat.who.has_account:
        seat = newcomer(campaign, seat)
        outcome = yield from ask(seat.who, form(campaign, seat))
        now, seat = outcome.ended_at_s, joined(seat, outcome)
    yield from conversation(campaign, style, asks, seat, now)


def conversation(campaign: Campaign, style: Talk, asks: int, seat: Seat, now: float) -> Life:
    """So many questions of a visit, as a part of a life."""
    is_one_talk = style.is_one_talk or campaign.is_mimicking(seat)
    said, asked = 0, style.compose(seat, 0)
    for number in range(1, asks + 1):
        if now >= campaign.attack.until_s:
            return
        outcome = yield from ask(campaign.moved(seat.who), asked)
        if number == asks:
            return
        wait_s = _wait_s(campaign, style, seat, outcome)
        if seat.heeds and outcome.retry_after_s is not None:
            asked = msgspec.structs.replace(asked, retry=asked.retry + 1)
        else:
            said = asked.prompt_tokens + outcome.output_tokens if outcome.is_complete else said
            asked = style.compose(seat, number)
            if is_one_talk and 0 < said < _LONGEST_CONTEXT:
                asked = msgspec.structs.replace(asked, prompt_tokens=asked.prompt_tokens + said, cached_tokens=said)
            if outcome.is_complete:
                asked = msgspec.structs.replace(asked, read_s=wait_s)
        yield Wait(wait_s)
        now = outcome.ended_at_s + wait_s


def _wait_s(campaign: Campaign, style: Talk, seat: Seat, outcome: Outcome) -> float:
    if seat.heeds and outcome.retry_after_s is not None:
        return min(_LONGEST_RETRY_S, outcome.retry_after_s) + campaign.dice.random()
    return campaign.pause_s(seat, style.machine_s, float(outcome.output_tokens) if outcome.is_complete else None)


def like_people(campaign: Campaign) -> Chat:
    """A question as people of the scenario ask them, that nobody has asked before."""
    prompt, answer = campaign.lengths.draw(campaign.dice)
    mark = campaign.fresh()
    return Chat(
        prompt_tokens=prompt,
        answer_tokens=answer,
        patience_s=campaign.scenario.people.patience_s,
        template=mark,
        body=mark,
    )


def marks(campaign: Campaign, templates: int) -> tuple[int, int]:
    """The template of a program's prompt, one of so many, and its body; one for all where the variant says so."""
    if campaign.manner.is_same:
        only = campaign.template(0)
        return only, only
    return campaign.template(campaign.dice.randrange(templates)), campaign.fresh()
