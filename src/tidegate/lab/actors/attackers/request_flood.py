"""Request flood: more questions than the engine can answer, from many addresses.

In the field: HTTP floods through proxies and botnets at the API and the chat (XLab and NSFOCUS on DeepSeek, January
2025; OWASP LLM10 "variable-length flood"; MITRE ATLAS AML.T0029). Intensity 1 offers ten times as many questions as
the engine can answer. Where the campaign has accounts, so many of the seats have one, new; of the others half
show keys that nobody was given, the rest nothing.

Mimicry 0: data centres, programs' names, up to twenty questions of a fixed length one second apart, answers of 512
tokens at most, four templates, no key heeded or refused. Mimicry 1: residential proxies among people, browsers that
load the page first, people's lengths, texts, pauses and patience, conversations; heeds `Retry-After`; no forged keys.
Truth: `who.family`, `who.fleet`; no flags, for the prompts are ordinary.
"""

from __future__ import annotations

from typing import Final

from tidegate.lab.actors.attackers.campaign import Campaign
from tidegate.lab.actors.attackers.seats import Seat
from tidegate.lab.actors.attackers.talking import PATIENCE_S, Talk, like_people, marks, talking
from tidegate.lab.acts import Chat, Life

LOAD: Final = 10.0
_VISIT: Final = 20
_MACHINE_S: Final = 1.0
_TEMPLATES: Final = 4
_LONG: Final = 512


def lives(campaign: Campaign) -> list[Life]:
    """The actors of one flood."""
    prompt_tokens = max(1, round(campaign.lengths.mean_prompt))
    answer_tokens = max(1, min(_LONG, round(2.0 * campaign.lengths.mean_answer)))

    def compose(seat: Seat, number: int) -> Chat:
        del number
        if campaign.is_mimicking(seat):
            return like_people(campaign)
        template, body = marks(campaign, _TEMPLATES)
        return Chat(
            prompt_tokens=prompt_tokens,
            answer_tokens=answer_tokens,
            max_tokens=_LONG,
            patience_s=PATIENCE_S,
            template=template,
            body=body,
            is_key_forged=seat.is_forging and not seat.who.has_account,
        )

    rate = campaign.rate(LOAD * campaign.asks_per_s)
    return talking(campaign, rate, _VISIT, Talk(machine_s=_MACHINE_S, compose=compose))
