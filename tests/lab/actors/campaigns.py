"""Campaigns on a stage of their own: one attack in a scenario without anybody else."""

from __future__ import annotations

from typing import Any

import pytest

from tests.lab.actors.playing import Heard, Played, Service, play, well
from tidegate.lab.actors.attackers import attack_cast
from tidegate.lab.actors.attackers.campaign import Campaign
from tidegate.lab.acts import Ask, Chat, Group, Outcome, SignIn, SignUp, Who
from tidegate.lab.scenario import Attack, Family, People, Scale, Scenario

FROM_S, UNTIL_S = 100.0, 700.0
SPAN_S = UNTIL_S - FROM_S
ASKS_PER_S = 0.5
TALKING = (
    Family.REQUEST_FLOOD,
    Family.EXPENSIVE_QUERIES,
    Family.PROMPT_RECON,
    Family.JAILBREAK,
    Family.DISTILLATION,
    Family.RETRY_STORM,
)
FAMILIES = pytest.mark.parametrize("family", list(Family), ids=lambda family: family.value)
JOINING = (Family.SIGNUP_WAVE, Family.SIGNUP_DRIP, Family.EFFORT_INFLATER)


SMALL = {
    Family.SLOW_CLIENTS: 0.02,
    Family.SIGNUP_WAVE: 0.05,
    Family.CREDENTIAL_STUFFING: 0.03,
    Family.EFFORT_INFLATER: 0.1,
    Family.REQUEST_FLOOD: 0.1,
}
"""Intensities at which tests of these families are quick; the others are at 1."""


def a_small(family: Family, **fields: Any) -> Attack:
    return an_attack(family, **{"intensity": SMALL.get(family, 1.0), **fields})


def an_attack(family: Family, **fields: Any) -> Attack:
    return Attack(family=family, **{"from_s": FROM_S, "until_s": UNTIL_S, **fields})


def a_scenario(attack: Attack, *, is_drawn: bool = False, **people: Any) -> Scenario:
    return Scenario(
        version=1,
        name="stage",
        title="",
        about="",
        duration_s=attack.until_s + 100.0,
        attack=(attack,),
        people=People(**people),
        scale=Scale(is_drawn=is_drawn),
    )


def a_campaign(attack: Attack, *, is_drawn: bool = False, seed: int = 1) -> Campaign:
    return Campaign(attack, 0, ASKS_PER_S, a_scenario(attack, is_drawn=is_drawn), seed)


def staged(
    attack: Attack,
    *,
    is_drawn: bool = True,
    seed: int = 1,
    service: Service = well,
    asks_per_s: float = ASKS_PER_S,
    **people: Any,
) -> Played:
    scenario = a_scenario(attack, is_drawn=is_drawn, **people)
    lives = attack_cast(attack, 0, asks_per_s, scenario, seed)
    return play(lives, service, until_s=attack.until_s + 3_600.0)


def chats(asks: list[Heard]) -> list[Chat]:
    return [heard.what for heard in asks if isinstance(heard.what, Chat)]


def sign_ups(asks: list[Heard]) -> list[SignUp]:
    return [heard.what for heard in asks if isinstance(heard.what, SignUp)]


def sign_ins(asks: list[Heard]) -> list[SignIn]:
    return [heard.what for heard in asks if isinstance(heard.what, SignIn)]


def answered(who: Who, what: object, now: float) -> Outcome:
    """Give at once what is asked for, so that nothing but the actor takes time."""
    del who
    tokens = what.answer_tokens if isinstance(what, Chat) else 0
    return Outcome(asked_at_s=now, ended_at_s=now, status=200, first_s=0.0, is_complete=True, output_tokens=tokens)


def held(who: Who, what: object, now: float) -> Outcome:
    """Let everybody hold their connection for as long as they like."""
    del who
    return Outcome(asked_at_s=now, ended_at_s=now + getattr(what, "for_s", 0.0))


def is_told(ask: Ask | Heard, attack: Attack) -> bool:
    """Whether the truth about an ask is in it."""
    return ask.who.group is Group.ATTACKER and ask.who.family == attack.family.value and bool(ask.who.fleet)
