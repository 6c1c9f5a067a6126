"""A campaign is the same each time, in both of its forms, and stays small however many its bots are."""

from __future__ import annotations

import gc
from collections import defaultdict
from itertools import pairwise
from statistics import median
from types import GeneratorType

import pytest

from tests.lab.actors.campaigns import (
    ASKS_PER_S,
    FAMILIES,
    FROM_S,
    a_campaign,
    a_scenario,
    a_small,
    an_attack,
    answered,
    staged,
)
from tests.lab.actors.playing import FORMS, Played, play, refused, well
from tidegate.lab.actors.attackers import arrivals, attack_accounts, attack_cast
from tidegate.lab.acts import Chat, Life, Outcome, Wait, Who
from tidegate.lab.scenario import Family, ScenarioError


def generators() -> int:
    # Not isinstance: that asks each object for its class, and of all that a run of tests has made some answer slowly.
    return sum(type(kept) is GeneratorType for kept in gc.get_objects())


def gaps(played: Played) -> list[float]:
    """Pauses between a seat's questions."""
    asked = defaultdict(list)
    for heard in played.asks:
        if isinstance(heard.what, Chat):
            asked[heard.who.name].append(heard.at_s)
    return [later - earlier for times in asked.values() for earlier, later in pairwise(times)]


@FAMILIES
@FORMS
def test_the_same_seed_asks_the_same_and_another_one_something_else(family: Family, is_drawn: bool) -> None:
    attack = a_small(family, mimicry=0.5, until_s=400.0)

    one, again, other = (
        [(heard.at_s, heard.who, heard.what) for heard in staged(attack, is_drawn=is_drawn, seed=seed).asks]
        for seed in (1, 1, 2)
    )

    assert one == again
    assert one != other


def test_two_campaigns_of_a_scenario_are_two_fleets() -> None:
    attack = a_small(Family.REQUEST_FLOOD, until_s=300.0)
    scenario = a_scenario(attack)

    one, other = (play(attack_cast(attack, number, ASKS_PER_S, scenario, 1)).asks for number in (0, 1))

    assert {heard.who.fleet for heard in one} == {"request_flood-0"}
    assert {heard.who.fleet for heard in other} == {"request_flood-1"}
    assert {heard.who.address for heard in one}.isdisjoint(heard.who.address for heard in other)
    assert {heard.at_s for heard in one}.isdisjoint(heard.at_s for heard in other)


@pytest.mark.parametrize("family", [Family.REQUEST_FLOOD, Family.SIGNUP_WAVE, Family.CREDENTIAL_STUFFING])
@FORMS
def test_when_they_come_does_not_hang_on_what_they_get(family: Family, is_drawn: bool) -> None:
    def visits(played: Played) -> list[tuple[float, str]]:
        return [(heard.at_s, heard.who.name) for heard in played.asks]

    attack = an_attack(family, bots=5_000, intensity=0.04, until_s=500.0)

    well_off, refused_all = (staged(attack, is_drawn=is_drawn, service=service) for service in (well, refused()))

    assert well_off.spawned == refused_all.spawned > 50
    assert [at for at, _ in visits(well_off)] == [at for at, _ in visits(refused_all)]


def test_both_forms_pace_and_spread_alike() -> None:
    attack = an_attack(Family.REQUEST_FLOOD, mimicry=0.5, bots=100, accounts=25, until_s=1_600.0)

    one, other = (staged(attack, is_drawn=is_drawn, service=answered) for is_drawn in (False, True))

    assert len(one.asks) == pytest.approx(len(other.asks), rel=0.1)
    assert median(gaps(one)) == pytest.approx(median(gaps(other)), rel=0.1)
    assert len({heard.who.name for heard in one.asks}) == pytest.approx(100, abs=5)
    assert len({heard.who.name for heard in other.asks}) == pytest.approx(100, abs=5)
    for played in (one, other):
        with_account = sum(heard.who.has_account for heard in played.asks) / len(played.asks)
        assert with_account == pytest.approx(0.25, abs=0.06)


def test_accounts_of_an_attack_are_named_before_it_begins() -> None:
    attack = an_attack(Family.DISTILLATION, accounts=30, bots=10, until_s=2_000.0)
    scenario = a_scenario(attack, is_drawn=True)

    owners = list(attack_accounts(attack, 0, scenario, 1))
    asked = play(attack_cast(attack, 0, 5.0, scenario, 1), answered).asks

    assert len({who.name for who in owners}) == 30
    assert all(who.has_account for who in owners)
    assert {heard.who for heard in asked} <= set(owners)


def test_ten_million_bots_are_as_many_objects_as_visits_that_are_on() -> None:
    attack = an_attack(Family.REQUEST_FLOOD, bots=10_000_000, accounts=1_000_000, from_s=0.0, until_s=10.0)
    scenario = a_scenario(attack, is_drawn=True)
    lives = attack_cast(attack, 0, 20.0, scenario, 1)
    before, most = generators(), 0

    def counting(who: Who, what: object, now: float) -> Outcome:
        nonlocal most
        if now > 8.0 and not most:
            most = generators() - before
        return well(who, what, now)  # type: ignore[arg-type] # one of what may be asked

    played = play(lives, counting)

    assert len(lives) == 1
    assert len(played.asks) == pytest.approx(2_000, rel=0.1)
    assert played.most < 280  # Two hundred begin in a second, and an answer takes one.
    # A visit is a life that is counted, the talk and the conversation in it, and the ask that is out.
    assert 100 < most < 4 * played.most + 10


def test_beyond_the_most_that_may_be_active_nobody_more_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrivals, "MOST_ACTIVE", 20)

    def never(who: Who, what: object, now: float) -> Outcome:
        del who, what
        return Outcome(asked_at_s=now, ended_at_s=now + 10_000.0)

    played = staged(an_attack(Family.REQUEST_FLOOD), service=never)

    assert len(played.asks) == 20


def test_too_many_actors_of_their_own_are_refused_by_the_field() -> None:
    for fields, field in (({"bots": 200_001}, "bots"), ({"accounts": 200_001}, "accounts")):
        attack = an_attack(Family.REQUEST_FLOOD, **fields)
        with pytest.raises(
            ScenarioError, match=rf"^attack\[2\]\.{field}: more than 200000 need scale.is_drawn = true$"
        ):
            attack_cast(attack, 2, 1.0, a_scenario(attack), 1)


@pytest.mark.parametrize("family", [Family.SIGNUP_WAVE, Family.SLOW_CLIENTS])
def test_an_intensity_beyond_all_bounds_is_refused_by_the_field(family: Family) -> None:
    for intensity in (1e3, 1e9):
        attack = an_attack(family, intensity=intensity)
        if family is Family.SIGNUP_WAVE and intensity == 1e3:
            assert attack_cast(attack, 0, 1.0, a_scenario(attack, is_drawn=True), 1)
            continue
        with pytest.raises(
            ScenarioError, match=r"^attack\[0\]\.intensity: .* expected at most 1000000?$|at most 100000$"
        ):
            attack_cast(attack, 0, 1.0, a_scenario(attack, is_drawn=True), 1)


def test_a_campaign_counts_down_what_is_cut_short() -> None:
    attack = an_attack(Family.REQUEST_FLOOD, bots=4)
    stage = a_campaign(attack, is_drawn=True)
    seen: list[int] = []

    def waiting() -> Life:
        seen.append(stage.active)
        yield Wait(1_000.0)

    play(arrivals.arriving(stage, 1.0, lambda seat, at_s: waiting()), until_s=FROM_S + 30.0)

    assert seen == list(range(1, len(seen) + 1))
    assert len(seen) > 10
    assert stage.active == 0
