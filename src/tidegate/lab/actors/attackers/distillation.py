"""Distillation: scraping answers to train another model on, over many accounts, each below its limits.

In the field: Anthropic's account of February 2026 (MITRE ATLAS AML.CS0056: about 24,000 accounts, over 16 million
questions, resold through proxies; one proxy with more than 20,000 accounts; prompts that ask to write out the
reasoning; day and night alike); Tramer et al., USENIX Security 2016. Intensity 1 offers three tenths of what the engine
can do, in cost, spread evenly over all accounts. Without accounts every visit signs up for one first, and asks
without where it gets none.

Mimicry 0: two templates with another topic in each, answers of three times the people's mean and pegged at
`max_tokens`, forty questions in a visit two seconds apart. Mimicry 1: people's texts, lengths and pauses; what stays is
how evenly it goes on and how many topics there are. Truth: `who.family`, `who.fleet`; no flags.
"""

from __future__ import annotations

from typing import Final

from tidegate.lab.actors.attackers.campaign import Campaign
from tidegate.lab.actors.attackers.seats import Seat
from tidegate.lab.actors.attackers.talking import PATIENCE_S, Talk, like_people, marks, talking
from tidegate.lab.acts import Chat, Life

LOAD: Final = 0.3
ANSWER_TIMES: Final = 3.0
_LONGEST_ANSWER: Final = 4_096
_VISIT: Final = 40
_MACHINE_S: Final = 2.0
_TEMPLATES: Final = 2


def lives(campaign: Campaign) -> list[Life]:
    """The actors of one campaign."""
    mimicry, mean_prompt = campaign.mimicry, campaign.lengths.mean_prompt
    answer_tokens = max(1, min(_LONGEST_ANSWER, round(ANSWER_TIMES * campaign.lengths.mean_answer)))

    def compose(seat: Seat, number: int) -> Chat:
        del number
        if campaign.is_mimicking(seat):
            return like_people(campaign)
        template, body = marks(campaign, _TEMPLATES)
        return Chat(
            prompt_tokens=max(1, round(mean_prompt)),
            answer_tokens=answer_tokens,
            max_tokens=answer_tokens,
            patience_s=PATIENCE_S,
            template=template,
            body=body,
        )

    answer = (1.0 - mimicry) * answer_tokens + mimicry * campaign.lengths.mean_answer
    rate = campaign.rate_by_cost(LOAD, mean_prompt, answer)
    style = Talk(machine_s=_MACHINE_S, compose=compose, is_recruiting=not campaign.attack.accounts)
    return talking(campaign, rate, _VISIT, style)
