"""Prompt reconnaissance: a campaign to get at the system prompt.

In the field: MITRE ATLAS AML.T0056 and T0069.002; garak's `sysprompt_extraction` has 28 attacks; published prompts are
ordinary short English (median 75 characters, about 19 tokens); asking again over several turns raises the success
from 18 to 86 % (Agarwal et al., arXiv 2404.16251). Intensity 1 is 12 questions a minute, over all accounts.

Mimicry 0: twelve templates in short prompts, five turns of one conversation, ten seconds apart. Mimicry 1: every
prompt is worded anew and has a person's length, half of the questions are a cover without any intention, people's
pauses, networks and browsers. Truth: `flags` has "extraction" on every prompt that wants it; a cover has none.
"""

from __future__ import annotations

from typing import Final

from tidegate.lab.actors.attackers.campaign import Campaign
from tidegate.lab.actors.attackers.probing import Probe, probing
from tidegate.lab.acts import Life

ASKS_PER_S: Final = 0.2


def lives(campaign: Campaign) -> list[Life]:
    """The actors of one campaign."""
    probe = Probe(
        flag="extraction",
        templates=12,
        prompt_median=19.0,
        prompt_spread=0.5,
        answer_times=1.5,
        visit=5,
        machine_s=10.0,
        is_one_talk=True,
    )
    return probing(campaign, ASKS_PER_S, probe)
