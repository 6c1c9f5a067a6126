"""Everybody in a scenario: how much of an engine they ask for, and who of them is there before it begins."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from tidegate.lab.actors.attackers.cast import attack_accounts, attack_cast
from tidegate.lab.actors.cast import people_cast, town_of
from tidegate.lab.acts import Ask, Chat, Life, Outcome, OverError, Spawn, Who, last_words
from tidegate.lab.calibration import Calibration
from tidegate.lab.scenario import Scenario, World
from tidegate.lab.traces.lengths import lengths


def asks_per_s(scenario: Scenario, calibration: Calibration, slots: int) -> float:
    """How many questions of the scenario's lengths all its replicas can answer in a second: a load of 1.

    Raises TraceError for lengths that nobody knows.
    """
    known, replicas = lengths(scenario.people.lengths), scenario.engine.replicas
    at_once = max(1, slots // replicas)
    return replicas * calibration.calls_per_s(known.mean_prompt, known.mean_answer, at_once)


def cast_of(scenario: Scenario, per_s: float, prompt_weight: float) -> list[Life]:
    """All lives, each to be begun at second 0; `per_s` is a load of 1. Raises ScenarioError for an unknown variant.

    In a scenario that is made for the live world, too, everybody asks for just as many tokens as they will get.
    """
    lives = people_cast(scenario, per_s, scenario.seed)
    for number, attack in enumerate(scenario.attack):
        lives += attack_cast(attack, number, per_s, scenario, scenario.seed, prompt_weight=prompt_weight)
    # Over HTTP an answer is as long as what was asked for: only so is it known beforehand how long it will be.
    return [_asking_exactly(life) for life in lives] if World.LIVE in scenario.worlds else lives


def _asking_exactly(life: Life) -> Life:
    """Have everybody ask for as many tokens at most as their answers have."""
    outcome: Outcome | None = None
    while True:
        try:
            act = life.send(outcome)
        except StopIteration:
            return
        if isinstance(act, Spawn):
            act = Spawn(_asking_exactly(act.life))
        elif isinstance(act, Ask) and isinstance(act.what, Chat):
            exact = min(act.what.answer_tokens, act.what.max_tokens)
            act = Ask(act.who, msgspec.structs.replace(act.what, max_tokens=exact))
        try:
            outcome = yield act
        except OverError:
            yield from last_words(life)
            return


def known_people(scenario: Scenario, per_s: float) -> Iterator[Who]:
    """Those who have an account when it begins, attackers' accounts last."""
    town = town_of(scenario, per_s, scenario.seed)
    for population in (town.established, town.new):
        if population is not None:
            yield from (population.who(number) for number in range(population.size))
    for number, attack in enumerate(scenario.attack):
        yield from attack_accounts(attack, number, scenario, scenario.seed)
