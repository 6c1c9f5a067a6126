"""What variants change, and that held-out ones are kept apart."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import pytest

from tests.lab.actors.campaigns import (
    FAMILIES,
    FROM_S,
    JOINING,
    SPAN_S,
    TALKING,
    a_scenario,
    a_small,
    an_attack,
    answered,
    chats,
    held,
    sign_ins,
    sign_ups,
    staged,
)
from tests.lab.actors.playing import play, refused
from tidegate.lab.actors.attackers import FAMILIES_VERSION, VARIANTS, attack_cast, is_held_out
from tidegate.lab.acts import Page, SignUp
from tidegate.lab.scenario import Family, ScenarioError

EVERY = [(family, variant) for family in Family for variant in VARIANTS[family]]


def test_every_family_has_variants_to_build_against_and_to_judge_by() -> None:
    assert FAMILIES_VERSION == 1
    for variants in VARIANTS.values():
        assert {"a", "b", "c"} == {variant for variant in variants if not is_held_out(variant)}
        assert {"held-pulse", "held-lowslow", "held-rotate", "held-mixed"} <= set(variants)


@FAMILIES
def test_an_unknown_variant_is_told_by_its_field_with_those_there_are(family: Family) -> None:
    attack = an_attack(family, variant="z")

    with pytest.raises(ScenarioError, match=rf"^attack\[3\]\.variant: {family.value} has a, b, c, held-.*; not 'z'$"):
        attack_cast(attack, 3, 1.0, a_scenario(attack), 1)


@pytest.mark.parametrize(("family", "variant"), [pair for pair in EVERY if pair[1] != "a"])
def test_every_variant_does_something_else(family: Family, variant: str) -> None:
    service = held if family is Family.SLOW_CLIENTS else answered
    plain, varied = (
        [(heard.at_s, heard.who, heard.what) for heard in staged(attack, service=service).asks]
        for attack in (
            a_small(family, mimicry=0.3, bots=30),
            a_small(family, mimicry=0.3, bots=30, variant=variant),
        )
    )

    assert varied
    assert varied != plain


@FAMILIES
def test_a_pulse_is_on_for_five_minutes_and_off_for_five(family: Family) -> None:
    attack = a_small(family, variant="held-pulse", from_s=0.0, until_s=1_200.0)

    asks = staged(attack, service=refused() if family is Family.SLOW_CLIENTS else answered).asks

    # What began before a pause is brought to its end.
    late_s = 60.0
    on = [heard for heard in asks if heard.at_s % 600.0 < 300.0]
    off = [heard for heard in asks if heard.at_s % 600.0 > 300.0 + late_s]
    assert off == []
    assert {heard.at_s // 600.0 for heard in on} == {0.0, 1.0}


@pytest.mark.parametrize("family", [Family.REQUEST_FLOOD, Family.SIGNUP_WAVE, Family.CREDENTIAL_STUFFING])
def test_a_ramp_takes_a_third_of_the_campaign(family: Family) -> None:
    asks = staged(an_attack(family, variant="c", bots=1_000, intensity=0.5), service=answered).asks

    thirds = [0, 0, 0]
    for heard in asks:
        thirds[min(2, int(3 * (heard.at_s - FROM_S) / SPAN_S))] += 1
    assert thirds[0] / thirds[2] == pytest.approx(0.5, abs=0.12)
    assert thirds[1] / thirds[2] == pytest.approx(1.0, abs=0.15)


def test_connections_of_a_ramp_come_one_after_the_other() -> None:
    asks = staged(an_attack(Family.SLOW_CLIENTS, variant="c"), service=held).asks

    assert sum(heard.at_s < FROM_S + SPAN_S / 6 for heard in asks) / len(asks) == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize("family", [Family.REQUEST_FLOOD, Family.SIGNUP_WAVE, Family.CREDENTIAL_STUFFING])
def test_low_and_slow_is_a_fifth_of_it_one_act_a_visit(family: Family) -> None:
    full, low = (
        len(staged(an_attack(family, variant=variant, bots=500, intensity=0.2), service=answered).asks)
        for variant in ("a", "held-lowslow")
    )
    played = staged(an_attack(family, variant="held-lowslow", intensity=0.2), service=answered)

    assert low / full == pytest.approx(0.2, abs=0.06)
    assert played.spawned == len(played.asks)


@pytest.mark.parametrize("family", [*TALKING, *JOINING, Family.CREDENTIAL_STUFFING])
def test_who_rotates_comes_from_elsewhere_each_time(family: Family) -> None:
    attack = a_small(family, variant="held-rotate", mimicry=0.2, bots=50_000, accounts=10)

    asks = [heard for heard in staged(attack, service=answered).asks if not isinstance(heard.what, Page)]

    by_name = defaultdict(list)
    for heard in asks:
        by_name[heard.who.name].append(heard.who.address)
    assert len({heard.who.address for heard in asks}) > 0.8 * len(asks)
    for addresses in by_name.values():
        assert len(set(addresses)) > 0.8 * len(addresses)


def test_a_mixed_campaign_has_seats_of_every_mimicry() -> None:
    attack = an_attack(Family.SIGNUP_WAVE, variant="held-mixed", mimicry=0.0, bots=1_000, intensity=0.2)

    wishes = sign_ups(staged(attack, service=answered).asks)

    assert sum(wish.effort_s is None for wish in wishes) / len(wishes) == pytest.approx(0.5, abs=0.06)


@pytest.mark.parametrize("family", [*TALKING])
def test_the_same_prompt_is_the_same_to_the_letter(family: Family) -> None:
    same = chats(staged(an_attack(family, variant="b", intensity=2.0), service=answered).asks)
    plain = chats(staged(an_attack(family, intensity=2.0), service=answered).asks)

    assert len({(chat.template, chat.body) for chat in same}) == 1
    assert len({chat.body for chat in plain}) == len(plain) > 20


def test_the_same_names_are_of_one_pattern() -> None:
    same, plain = (
        {wish.name_family for wish in sign_ups(staged(a_small(Family.SIGNUP_WAVE, variant=variant)).asks)}
        for variant in ("b", "a")
    )

    assert len(same) == 1
    assert len(plain) > 5


def test_guessers_of_the_same_guess_at_one_account() -> None:
    attack = an_attack(Family.CREDENTIAL_STUFFING, variant="b", mimicry=1.0, intensity=0.05)

    tries = sign_ins(staged(attack, established=100).asks)

    assert {pair.account for pair in tries if not pair.account.startswith("stranger-")} == {"established-0"}


@pytest.mark.parametrize("family", [Family.PROMPT_RECON, Family.JAILBREAK, Family.EXPENSIVE_QUERIES])
def test_who_recruits_signs_up_first(family: Family) -> None:
    attack = an_attack(family, variant="held-recruit", intensity=3.0)

    asks = play(
        attack_cast(attack, 0, 2.0, a_scenario(attack, is_drawn=True), 1), answered, until_s=attack.until_s
    ).asks

    joined = {heard.who.name for heard in asks if isinstance(heard.what, SignUp)}
    assert joined
    assert {heard.who.name for heard in asks if heard.who.has_account} <= joined


def test_the_docs_name_every_family_and_every_variant() -> None:
    page = (Path(__file__).parents[3] / "docs/lab/attackers.md").read_text("utf-8")

    names = {family.value for family in Family} | {name for variants in VARIANTS.values() for name in variants}
    assert {name for name in names if f"`{name}`" not in page} == set()
    assert f"`FAMILIES_VERSION` {FAMILIES_VERSION}:" in page
