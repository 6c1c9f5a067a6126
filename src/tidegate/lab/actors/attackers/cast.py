"""All actors of one attack: each family's own file tells what it does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from tidegate.lab.actors.attackers import (
    credential_stuffing,
    distillation,
    effort_inflater,
    expensive_queries,
    jailbreak,
    prompt_recon,
    request_flood,
    retry_storm,
    signup_drip,
    signup_wave,
    slow_clients,
)
from tidegate.lab.actors.attackers.campaign import PROMPT_WEIGHT, Campaign
from tidegate.lab.acts import Life, Who
from tidegate.lab.scenario import Attack, Family, Scenario

_LIVES: Final[dict[Family, Callable[[Campaign], list[Life]]]] = {
    Family.REQUEST_FLOOD: request_flood.lives,
    Family.SLOW_CLIENTS: slow_clients.lives,
    Family.SIGNUP_WAVE: signup_wave.lives,
    Family.SIGNUP_DRIP: signup_drip.lives,
    Family.CREDENTIAL_STUFFING: credential_stuffing.lives,
    Family.EXPENSIVE_QUERIES: expensive_queries.lives,
    Family.PROMPT_RECON: prompt_recon.lives,
    Family.JAILBREAK: jailbreak.lives,
    Family.DISTILLATION: distillation.lives,
    Family.EFFORT_INFLATER: effort_inflater.lives,
    Family.RETRY_STORM: retry_storm.lives,
}

BY_LOAD: Final = frozenset({Family.REQUEST_FLOOD, Family.EXPENSIVE_QUERIES, Family.DISTILLATION, Family.RETRY_STORM})
"""Families whose intensity is a part of what the engine can do; that of others is so many acts a second."""


def attack_cast(
    attack: Attack,
    number: int,
    asks_per_s: float,
    scenario: Scenario,
    seed: int,
    *,
    prompt_weight: float = PROMPT_WEIGHT,
) -> list[Life]:
    """The actors of attack `number` of a scenario, in its form: an actor for each bot, or one source that draws them.

    `asks_per_s` are the questions a second that an engine load of 1 comes to, of people's mean lengths; `prompt_weight`
    is what reading a token costs the engine, in tokens written. Raises ScenarioError, naming the field, for a
    variant that its family does not have, and for more than the limits of arrivals.py and campaign.py.
    """
    return _LIVES[attack.family](Campaign(attack, number, asks_per_s, scenario, seed, prompt_weight=prompt_weight))


def attack_accounts(attack: Attack, number: int, scenario: Scenario, seed: int) -> Iterator[Who]:
    """Those of the attackers who have an account when the campaign begins, one after the other: new accounts."""
    seats = Campaign(attack, number, 0.0, scenario, seed).seats
    return (seats.seat(account).who for account in range(attack.accounts))
