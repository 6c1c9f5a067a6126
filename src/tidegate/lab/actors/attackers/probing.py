"""Campaigns of prompts that want what they should not get: what reconnaissance and jailbreaks share."""

from __future__ import annotations

from math import log
from typing import Final

import msgspec

from tidegate.lab.actors.attackers.campaign import Campaign
from tidegate.lab.actors.attackers.seats import Seat
from tidegate.lab.actors.attackers.talking import PATIENCE_S, Talk, like_people, marks, talking
from tidegate.lab.actors.habits import MAX_TOKENS
from tidegate.lab.acts import Chat, Life

COVER: Final = 0.5
"""The part of the questions that is a cover at mimicry 1."""
_LONGEST_PROMPT: Final = 2_000
_LEAST_TURNS: Final = 4.0  # What one prompt does not get out, the fourth does.


class Probe(msgspec.Struct, frozen=True, kw_only=True):
    """Prompts with a `flag`, as long as a lognormal of this median (tokens) and spread; answers by people's mean."""

    flag: str
    templates: int
    prompt_median: float
    prompt_spread: float
    answer_times: float
    visit: int
    machine_s: float
    is_one_talk: bool = False


def probing(campaign: Campaign, asks_per_s: float, probe: Probe) -> list[Life]:
    """The actors of a campaign that asks so often at intensity 1."""
    dice = campaign.dice
    answer_tokens = max(1, min(MAX_TOKENS, round(probe.answer_times * campaign.lengths.mean_answer)))

    def compose(seat: Seat, number: int) -> Chat:
        del number
        if campaign.is_mimicking(seat):
            cover = like_people(campaign)
            return cover if dice.random() < COVER else msgspec.structs.replace(cover, flags=(probe.flag,))
        template, body = marks(campaign, probe.templates)
        return Chat(
            prompt_tokens=max(
                4, min(_LONGEST_PROMPT, round(dice.lognormvariate(log(probe.prompt_median), probe.prompt_spread)))
            ),
            answer_tokens=answer_tokens,
            patience_s=PATIENCE_S,
            template=template,
            body=body,
            flags=(probe.flag,),
        )

    style = Talk(machine_s=probe.machine_s, compose=compose, is_one_talk=probe.is_one_talk)
    least_asks = _LEAST_TURNS if probe.is_one_talk else 1.0
    return talking(campaign, campaign.rate(asks_per_s), probe.visit, style, least_asks)
