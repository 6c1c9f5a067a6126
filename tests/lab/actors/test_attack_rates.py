"""What an intensity of 1 offers is what the family's file says, in both forms and at both ends of mimicry."""

from __future__ import annotations

from collections import Counter
from statistics import mean

import pytest

from tests.lab.actors.campaigns import (
    ASKS_PER_S,
    FAMILIES,
    FROM_S,
    SMALL,
    SPAN_S,
    TALKING,
    UNTIL_S,
    a_small,
    an_attack,
    answered,
    chats,
    held,
    sign_ins,
    sign_ups,
    staged,
)
from tests.lab.actors.playing import FORMS, Heard, refused
from tidegate.lab.actors.attackers.campaign import PROMPT_WEIGHT
from tidegate.lab.acts import Chat, Hold, SignIn, SignUp
from tidegate.lab.scenario import Family
from tidegate.lab.traces.lengths import lengths

PER_S: dict[Family, tuple[tuple[type, ...], float]] = {
    Family.REQUEST_FLOOD: ((Chat,), 10.0 * ASKS_PER_S),
    Family.PROMPT_RECON: ((Chat,), 0.2),
    Family.JAILBREAK: ((Chat,), 0.5),
    Family.SIGNUP_WAVE: ((SignUp,), 10.0),
    Family.SIGNUP_DRIP: ((SignUp,), 1 / 30),
    Family.CREDENTIAL_STUFFING: ((SignIn,), 20.0),
    Family.EFFORT_INFLATER: ((SignUp, SignIn), 5.0),
    Family.RETRY_STORM: ((Chat,), 0.3 * ASKS_PER_S),
}
LOADS = {Family.EXPENSIVE_QUERIES: 1.0, Family.DISTILLATION: 0.3}
ENDS = pytest.mark.parametrize("mimicry", [0.0, 1.0])


def offered(family: Family, mimicry: float, acts: int, seed: int, *, is_drawn: bool) -> float:
    """The part of the promised acts that a campaign offers which is as long as so many acts take."""
    kinds, per_s = PER_S[family]
    span_s = min(20_000.0, acts / per_s)
    attack = an_attack(family, mimicry=mimicry, bots=400, until_s=FROM_S + span_s)
    asks = staged(attack, is_drawn=is_drawn, seed=seed, service=answered).asks
    return sum(isinstance(heard.what, kinds) for heard in asks) / (per_s * span_s)


@FORMS
@ENDS
@pytest.mark.parametrize("family", PER_S, ids=lambda family: family.value)
def test_as_many_acts_are_offered_as_the_family_promises(family: Family, mimicry: float, is_drawn: bool) -> None:
    assert offered(family, mimicry, 500, 1, is_drawn=is_drawn) == pytest.approx(1.0, abs=0.3)


@pytest.mark.slow
@FORMS
@ENDS
@pytest.mark.parametrize("family", PER_S, ids=lambda family: family.value)
def test_over_many_campaigns_the_promise_is_kept_closely(family: Family, mimicry: float, is_drawn: bool) -> None:
    runs = [offered(family, mimicry, 4_000, seed, is_drawn=is_drawn) for seed in range(8)]

    assert mean(runs) == pytest.approx(1.0, abs=0.05)


@pytest.mark.slow
def test_what_lies_behind_the_end_is_made_up_for() -> None:
    attack = an_attack(Family.REQUEST_FLOOD, mimicry=1.0)

    counts = [len(chats(staged(attack, asks_per_s=3.0, seed=seed, service=answered).asks)) for seed in range(4)]

    assert mean(counts) / (30.0 * SPAN_S) == pytest.approx(1.0, abs=0.035)


@FORMS
@ENDS
@pytest.mark.parametrize("family", LOADS, ids=lambda family: family.value)
def test_as_much_cost_is_offered_as_the_family_promises(family: Family, mimicry: float, is_drawn: bool) -> None:
    usual = lengths("short").mean_prompt * PROMPT_WEIGHT + lengths("short").mean_answer
    attack = an_attack(family, mimicry=mimicry, bots=60, accounts=30)

    offered = 0.0
    for seed in range(3):
        asked = chats(staged(attack, is_drawn=is_drawn, seed=seed, asks_per_s=5.0, service=answered).asks)
        read = sum(chat.prompt_tokens - chat.cached_tokens for chat in asked)
        offered += read * PROMPT_WEIGHT + sum(chat.answer_tokens for chat in asked)

    assert offered / (3 * 5.0 * usual * SPAN_S) == pytest.approx(LOADS[family], rel=0.2)


@ENDS
def test_five_hundred_slow_connections_are_held(mimicry: float) -> None:
    asks = staged(an_attack(Family.SLOW_CLIENTS, mimicry=mimicry), service=held).asks

    held_s = [heard.what.for_s for heard in asks if isinstance(heard.what, Hold)]
    assert sum(held_s) / SPAN_S == pytest.approx(500, rel=0.03)
    assert max(heard.outcome.ended_at_s for heard in asks) <= UNTIL_S + 1e-6


def test_a_cut_connection_is_opened_again() -> None:
    asks = staged(an_attack(Family.SLOW_CLIENTS, intensity=0.01), service=refused()).asks

    assert len(asks) == pytest.approx(5 * SPAN_S / 0.25, rel=0.02)


@FAMILIES
def test_nobody_comes_before_or_after_the_campaign(family: Family) -> None:
    asks = staged(
        a_small(family, mimicry=0.5, until_s=220.0, intensity=4.0 * SMALL.get(family, 1.0)),
        service=refused(retry_after_s=30.0),
    ).asks

    assert asks
    if family in TALKING:
        assert max(heard.at_s for heard in asks if isinstance(heard.what, Chat)) < 220.0
    # Assets belong to a page, a question to an account: what was begun in time is brought to its end.
    assert min(heard.at_s for heard in asks) >= FROM_S
    assert max(heard.at_s for heard in asks) <= 220.0 + 120.0


@FAMILIES
def test_no_intensity_is_nobody(family: Family) -> None:
    assert staged(an_attack(family, intensity=0.0)).asks == []


def test_a_storm_needs_a_spark() -> None:
    attack = an_attack(Family.RETRY_STORM)

    calm = chats(staged(attack, service=answered).asks)
    sparked = chats(staged(attack, service=refused()).asks)

    assert {chat.retry for chat in calm} == {0}
    assert {chat.retry for chat in sparked} == set(range(21))
    assert len(sparked) == pytest.approx(21 * len(calm), rel=0.1)


def test_what_comes_back_in_a_storm_is_the_same_question() -> None:
    sparked = staged(an_attack(Family.RETRY_STORM), service=refused()).asks

    by_body: dict[int, list[Heard]] = {}
    for heard in sparked:
        assert isinstance(heard.what, Chat)
        by_body.setdefault(heard.what.body, []).append(heard)
    assert {len(tries) for tries in by_body.values()} == {21}
    assert all(tries[-1].at_s - tries[0].at_s == pytest.approx(20 * 0.05) for tries in by_body.values())


def test_a_network_has_few_sign_ups_of_a_drip_in_an_hour() -> None:
    attack = an_attack(Family.SIGNUP_DRIP, mimicry=1.0, until_s=FROM_S + 3_600.0, bots=200)

    asks = staged(attack, service=answered).asks

    networks = Counter(heard.who.address >> 8 for heard in asks if isinstance(heard.what, SignUp))
    assert 90 < networks.total() < 150
    assert max(networks.values()) <= 4


@ENDS
def test_as_many_passwords_are_right_as_in_the_field(mimicry: float) -> None:
    attack = an_attack(Family.CREDENTIAL_STUFFING, mimicry=mimicry, bots=5_000, intensity=0.4)

    tries = sign_ins(staged(attack, service=answered, established=500).asks)

    right = sum(pair.is_right for pair in tries) / len(tries)
    existing = sum(pair.account.startswith("established-") for pair in tries) / len(tries)
    assert right == pytest.approx(0.02, rel=0.3) if mimicry else 0.0003 < right < 0.003
    assert existing == pytest.approx(0.6 if mimicry else 0.05, rel=0.1)
    assert all(pair.account.startswith("established-") for pair in tries if pair.is_right)
    assert not any(pair.is_known_device for pair in tries)


def test_where_nobody_has_an_account_no_password_is_right() -> None:
    tries = sign_ins(staged(an_attack(Family.CREDENTIAL_STUFFING, mimicry=1.0, until_s=200.0), established=0).asks)

    assert tries
    assert not any(pair.is_right for pair in tries)


def test_an_inflater_solves_and_leaves_or_asks_and_never_solves() -> None:
    asks = staged(a_small(Family.EFFORT_INFLATER)).asks

    assert {wish.effort_s for wish in sign_ups(asks)} == {None, 0.005}
    assert all(wish.reads_mail_after_s is None and wish.gives_up_after_s <= 20.0 for wish in sign_ups(asks))
    assert len(sign_ins(asks)) == pytest.approx(len(asks) / 3, rel=0.1)


def test_an_inflater_that_mimics_claims_to_be_slow() -> None:
    asks = staged(a_small(Family.EFFORT_INFLATER, mimicry=1.0)).asks

    assert {wish.effort_s for wish in sign_ups(asks)} == {0.005, 0.6}
