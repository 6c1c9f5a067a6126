"""Jailbreak campaign: prompts that are to talk the model out of its rules.

In the field: MITRE ATLAS AML.T0054; collections of prompts in the wild are long role plays with a slot for the
question (Shen et al., CCS 2024: most are several hundred tokens), optimised suffixes, and paraphrases of them.
Intensity 1 is 30 questions a minute, over all accounts.

Mimicry 0: eight templates of about 450 tokens with another question in the slot, tried one after the other three
seconds apart, each in a conversation of its own. Mimicry 1: paraphrases of a person's length, none like another, half
of the questions a cover, people's pauses, networks and browsers. Truth: `flags` has "jailbreak"; a cover has none.
"""

from __future__ import annotations

from typing import Final

from tidegate.lab.actors.attackers.campaign import Campaign
from tidegate.lab.actors.attackers.probing import Probe, probing
from tidegate.lab.acts import Life

ASKS_PER_S: Final = 0.5


def lives(campaign: Campaign) -> list[Life]:
    """The actors of one campaign."""
    probe = Probe(
        flag="jailbreak",
        templates=8,
        prompt_median=450.0,
        prompt_spread=0.35,
        answer_times=1.0,
        visit=10,
        machine_s=3.0,
    )
    return probing(campaign, ASKS_PER_S, probe)
