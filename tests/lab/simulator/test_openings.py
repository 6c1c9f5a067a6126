"""The three services in the middle of the same world: what is compared is nothing else."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

import pytest

from tests.lab.simulator.street import RULES, a_bot, a_person
from tests.lab.simulator.towns import Heard
from tests.lab.simulator.yard import ENGINE
from tidegate.lab.acts import Ask, Chat, Ended, Group, Life, Need, Page, SignIn, SignUp, Wait, Who
from tidegate.lab.gates import GateKind
from tidegate.lab.scenario import Scenario, parse
from tidegate.lab.simulator.openings import OPENINGS
from tidegate.lab.simulator.world import play

SCENARIO = parse("""
version = 1
name = "wave"
title = "A wave"
about = "Programs ask for accounts and for answers, and somebody known asks, too."
duration_s = 60
""")


def a_regular(who: Who) -> Life:
    """Signs in, and asks now and then."""
    yield Ask(who, Page())
    yield Ask(who, SignIn(account=who.name, is_known_device=True))
    for _ in range(7):
        outcome = yield Ask(who, Chat(prompt_tokens=20, answer_tokens=10))
        assert outcome is not None
        yield Ended(who, Need.CHAT, outcome.asked_at_s, 1, outcome)
        yield Wait(8.0)


def a_newcomer(who: Who) -> Life:
    """Makes an account and asks with it."""
    outcome = yield Ask(who, SignUp(local_part=who.name.replace("-", "")))
    assert outcome is not None
    if outcome.is_complete:
        yield Ask(who, Chat(prompt_tokens=20, answer_tokens=10))


def a_program(who: Who) -> Life:
    """Wants accounts by the dozen, and asks whether it has one or not."""
    while True:
        yield Ask(who, SignUp(effort_s=None, heeds=False, local_part=who.name.replace("-", "")))
        yield Ask(who, Chat(prompt_tokens=20, answer_tokens=10))
        yield Wait(1.0)


def cast(scenario: Scenario) -> Iterable[Life]:
    del scenario
    yield from (a_regular(a_person(number, group=Group.ESTABLISHED, has_account=True)) for number in range(4))
    yield a_newcomer(a_person(50))
    yield from (a_program(a_bot(number)) for number in range(40))


def played(name: GateKind) -> Heard:
    heard = Heard()
    play(SCENARIO, RULES, ENGINE, cast, [heard], opening=OPENINGS[name])
    return heard


once = lru_cache(played)


def good(heard: Heard) -> float:
    """The part of what people wanted that they got within two seconds."""
    ends = [one.outcome for one in heard.ends]
    return sum(one.is_complete and one.first_s is not None and one.first_s < 2.0 for one in ends) / len(ends)


def test_people_are_served_behind_the_gate_and_not_without_it() -> None:
    of = {name: once(name) for name in OPENINGS}

    assert good(of[GateKind.TIDEGATE]) > 0.95
    assert good(of[GateKind.OFF]) < 0.2
    assert good(of[GateKind.BY_ADDRESS]) < 0.2


def test_the_door_of_the_whole_service_tells_its_moves_and_knows_who_joined() -> None:
    heard = once("tidegate")

    assert [one.to for one in heard.moves if one.what == "mode"][:1] == ["throttled"]
    assert {one.mode for one in heard.samples} >= {"open", "throttled"}
    newcomers = [outcome for ask, outcome in heard.asks if ask.who.name == "person-50"]
    assert [one.is_complete for one in newcomers][:1] == [True]
    assert newcomers[1].standing == "visitor"  # It was made in a flood, and it is known.


@pytest.mark.parametrize("name", sorted(OPENINGS))
def test_every_ask_has_one_outcome_and_the_same_seed_is_the_same(name: GateKind) -> None:
    heard, again = once(name), played(name)

    assert [(ask.who.name, outcome) for ask, outcome in heard.asks] == [
        (ask.who.name, outcome) for ask, outcome in again.asks
    ]
    keys = [(ask.who.name, type(ask.what), outcome.asked_at_s) for ask, outcome in heard.asks]
    assert len(set(keys)) == len(keys)
