"""What attackers do: what mimicry moves, and what is true of them."""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise
from statistics import mean, median, pstdev

import pytest

from tests.lab.actors.campaigns import (
    ASKS_PER_S,
    FAMILIES,
    TALKING,
    a_campaign,
    a_scenario,
    a_small,
    an_attack,
    answered,
    chats,
    is_told,
    sign_ins,
    sign_ups,
    staged,
)
from tests.lab.actors.playing import Heard, refused
from tidegate.adapters.lists.carried import disposable_list
from tidegate.lab.actors.attackers.joining import NATIVE_S
from tidegate.lab.actors.attackers.letters import DISPOSABLE
from tidegate.lab.actors.cast import town_of
from tidegate.lab.actors.visitors import PROVIDERS
from tidegate.lab.acts import Chat, Outcome, Page, SignIn, SignUp, Who
from tidegate.lab.scenario import Family

TALKS = pytest.mark.parametrize("family", TALKING, ids=lambda family: family.value)
ALWAYS = {Family.RETRY_STORM}  # Programs in trouble, not in disguise: they open no pages.


@FAMILIES
@pytest.mark.parametrize("mimicry", [0.0, 0.5, 1.0])
def test_the_truth_stands_beside_everything_that_attackers_ask(family: Family, mimicry: float) -> None:
    attack = a_small(family, mimicry=mimicry, until_s=400.0)

    asks = staged(attack, service=answered).asks

    assert asks
    assert all(is_told(heard, attack) for heard in asks)


@pytest.mark.parametrize(("family", "flag"), [(Family.PROMPT_RECON, "extraction"), (Family.JAILBREAK, "jailbreak")])
def test_prompts_that_want_what_they_should_not_get_say_so(family: Family, flag: str) -> None:
    blunt = chats(staged(an_attack(family), service=answered).asks)
    covered = chats(staged(an_attack(family, mimicry=1.0, until_s=2_000.0), service=answered).asks)

    assert {chat.flags for chat in blunt} == {(flag,)}
    assert {chat.flags for chat in covered} == {(flag,), ()}
    assert sum(chat.flags == () for chat in covered) / len(covered) == pytest.approx(0.5, abs=0.1)


def test_mimicry_paces_like_people() -> None:
    blunt, human = (
        [stage.pause_s(stage.seats.seat(0), 1.0) for _ in range(2_000)]
        for stage in (a_campaign(an_attack(Family.REQUEST_FLOOD, mimicry=mimicry)) for mimicry in (0.0, 1.0))
    )

    assert median(blunt) == pytest.approx(1.0, rel=0.02)
    assert pstdev(blunt) / mean(blunt) < 0.1
    assert median(human) == pytest.approx(20.0, rel=0.1)
    assert pstdev(human) / mean(human) > 0.7


def test_who_mimics_reads_long_answers_for_longer() -> None:
    stage = a_campaign(an_attack(Family.REQUEST_FLOOD, mimicry=1.0))
    seat = stage.seats.seat(0)

    short, long = (
        median(stage.pause_s(seat, 1.0, times * stage.lengths.mean_answer) for _ in range(1_000))
        for times in (0.1, 3.0)
    )

    assert long / short == pytest.approx(2.0 / 0.55, rel=0.2)


@pytest.mark.parametrize("family", sorted(set(Family) - ALWAYS - {Family.SLOW_CLIENTS}))
def test_mimicry_loads_pages_with_what_belongs_to_them(family: Family) -> None:
    blunt, human = (
        [heard.what for heard in staged(a_small(family, mimicry=mimicry, until_s=400.0)).asks] for mimicry in (0.0, 1.0)
    )

    assert not any(isinstance(what, Page) for what in blunt)
    pages = [what for what in human if isinstance(what, Page)]
    assert sum(page.is_asset for page in pages) == 2 * sum(not page.is_asset for page in pages) > 0


@TALKS
def test_mimicry_asks_as_long_questions_as_people_do(family: Family) -> None:
    attack = an_attack(family, mimicry=1.0, intensity=3.0)
    asked = chats(staged(attack, service=refused(), patience_s=7.0).asks)

    fresh = [chat.prompt_tokens - chat.cached_tokens for chat in asked]
    times = 8.0 * 2.0 / 3.0 if family is Family.EXPENSIVE_QUERIES else 1.0
    assert mean(fresh) == pytest.approx(times * a_campaign(attack).lengths.mean_prompt, rel=0.25)
    assert any(chat.max_tokens > chat.answer_tokens for chat in asked)
    if family is Family.REQUEST_FLOOD:
        assert {chat.patience_s for chat in asked} == {7.0}


@pytest.mark.parametrize("family", [Family.REQUEST_FLOOD, Family.EXPENSIVE_QUERIES, Family.DISTILLATION])
def test_without_mimicry_answers_are_as_long_as_they_may_be(family: Family) -> None:
    attack = an_attack(family, intensity=3.0)

    asked = chats(staged(attack, service=answered).asks)

    mean_answer = a_campaign(attack).lengths.mean_answer
    assert max(chat.answer_tokens for chat in asked) >= 1.9 * mean_answer
    assert len({chat.template for chat in asked}) <= 4


def test_a_tokenizer_bomb_has_a_token_in_every_byte() -> None:
    blunt = chats(staged(an_attack(Family.EXPENSIVE_QUERIES, intensity=3.0), service=answered).asks)
    human = chats(staged(an_attack(Family.EXPENSIVE_QUERIES, intensity=3.0, mimicry=1.0), service=answered).asks)

    assert {chat.bytes_per_token for chat in blunt} == {None, 1.0}
    assert {chat.bytes_per_token for chat in human} == {None}


def test_half_of_a_blunt_flood_shows_keys_that_nobody_was_given() -> None:
    attack = an_attack(Family.REQUEST_FLOOD, bots=1_000, accounts=200)

    asks = staged(attack, service=answered).asks

    forged = [heard for heard in asks if isinstance(heard.what, Chat) and heard.what.is_key_forged]
    without = [heard for heard in asks if not heard.who.has_account]
    assert len(forged) / len(without) == pytest.approx(0.5, abs=0.1)
    assert not any(heard.who.has_account for heard in forged)


def test_mimicry_signs_up_as_people_do() -> None:
    blunt, human = (
        sign_ups(staged(a_small(Family.SIGNUP_WAVE, mimicry=mimicry), service=answered).asks) for mimicry in (0.0, 1.0)
    )

    assert {(wish.effort_s, wish.reads_mail_after_s, wish.is_disposable, wish.gives_up_after_s) for wish in blunt} == {
        (None, None, True, 30.0)
    }
    assert all(wish.name_family for wish in blunt)
    assert {(wish.effort_s, wish.is_disposable, wish.gives_up_after_s, wish.name_family) for wish in human} == {
        (NATIVE_S, False, 1_800.0, "")
    }
    assert all(wish.reads_mail_after_s is not None for wish in human)
    assert len({wish.local_part for wish in human}) > 0.95 * len(human)


def test_disposable_domains_are_on_the_list_that_the_package_carries() -> None:
    carried = disposable_list().domains

    assert set(DISPOSABLE) <= set(carried)
    assert set(PROVIDERS).isdisjoint(carried)


@pytest.mark.parametrize("family", [Family.SIGNUP_WAVE, Family.SIGNUP_DRIP])
def test_accounts_that_were_won_are_used_by_who_mimics_and_by_nobody_else(family: Family) -> None:
    fields = {"until_s": 1_500.0, "intensity": 3.0 if family is Family.SIGNUP_DRIP else 0.05}

    blunt, human = (
        staged(an_attack(family, mimicry=mimicry, **fields), service=answered).asks for mimicry in (0.0, 1.0)
    )
    failed = staged(an_attack(family, mimicry=1.0, **fields), service=refused()).asks

    assert chats(blunt) == []
    assert chats(failed) == []
    signed_up = {heard.who.name for heard in human if isinstance(heard.what, SignUp)}
    asked = [heard for heard in human if isinstance(heard.what, Chat)]
    assert asked
    assert all(heard.who.has_account and heard.who.name in signed_up for heard in asked)


def test_who_distils_without_accounts_signs_up_and_asks_without_where_that_fails() -> None:
    attack = an_attack(Family.DISTILLATION, intensity=5.0, bots=10)

    won, lost = (staged(attack, service=service).asks for service in (answered, refused()))

    assert all(heard.who.has_account for heard in won if isinstance(heard.what, Chat))
    assert not any(heard.who.has_account for heard in lost)
    assert len(chats(lost)) > 10


def test_distillation_is_spread_over_all_accounts() -> None:
    attack = an_attack(Family.DISTILLATION, accounts=40, bots=10, until_s=4_000.0)

    asked = staged(attack, service=answered, asks_per_s=2.0).asks

    by_account: dict[str, int] = defaultdict(int)
    for heard in asked:
        by_account[heard.who.name] += 1
    assert len(by_account) >= 36  # Four visits for each in the mean: two in a hundred have none.
    assert max(by_account.values()) < 4 * mean(by_account.values())
    assert len({heard.what.body for heard in asked if isinstance(heard.what, Chat)}) == len(asked)


def test_who_heeds_comes_back_with_the_same_question_when_told_to() -> None:
    attack = an_attack(Family.REQUEST_FLOOD, mimicry=1.0, bots=4)

    asks = [heard for heard in staged(attack, service=refused(retry_after_s=7.0)).asks if isinstance(heard.what, Chat)]

    by_body: dict[int, list[Heard]] = defaultdict(list)
    for heard in asks:
        assert isinstance(heard.what, Chat)
        by_body[heard.what.body].append(heard)
    again = [pair for tries in by_body.values() for pair in pairwise(tries)]
    assert again
    assert all(7.0 <= later.at_s - earlier.at_s <= 8.0 for earlier, later in again)


def test_who_does_not_heed_persists() -> None:
    attack = an_attack(Family.REQUEST_FLOOD, bots=4)

    told, untold = (staged(attack, service=refused(retry_after_s=wait)).asks for wait in (60.0, None))

    assert len(told) == len(untold)
    assert {chat.retry for chat in chats(told)} == {0}


def test_guessers_who_heed_wait() -> None:
    attack = an_attack(Family.CREDENTIAL_STUFFING, mimicry=1.0, bots=4, intensity=0.05)

    asks = staged(attack, service=refused(retry_after_s=50.0)).asks

    assert any(isinstance(heard.what, SignIn) for heard in asks)
    assert len(asks) < len(staged(attack, service=refused()).asks)


def test_a_conversation_carries_what_was_said_and_ends_before_it_is_too_long() -> None:
    attack = an_attack(Family.PROMPT_RECON, bots=4, intensity=2.0)

    asked = chats(staged(attack, service=answered).asks)
    cut = chats(staged(attack, service=refused()).asks)

    assert any(chat.cached_tokens for chat in asked)
    assert all(chat.cached_tokens < chat.prompt_tokens for chat in asked)
    assert max(chat.cached_tokens for chat in asked) < 3_000
    assert any(chat.read_s is not None for chat in asked)
    assert {(chat.cached_tokens, chat.read_s) for chat in cut} == {(0, None)}


def test_a_conversation_that_is_too_long_begins_anew() -> None:
    def at_length(who: Who, what: object, now: float) -> Outcome:
        outcome = answered(who, what, now)
        outcome.output_tokens = 1_400
        return outcome

    asked = chats(staged(an_attack(Family.PROMPT_RECON, bots=4, intensity=2.0), service=at_length).asks)

    assert 1_400 < max(chat.cached_tokens for chat in asked) < 3_000


@pytest.mark.parametrize(("mimicry", "most", "least"), [(0.0, 20, 1), (1.0, 1_000, 25)])
def test_slow_clients_that_mimic_come_from_another_bot_each_time(mimicry: float, most: int, least: int) -> None:
    attack = an_attack(Family.SLOW_CLIENTS, mimicry=mimicry, bots=1_000, intensity=0.02)

    asks = staged(attack, service=refused()).asks

    assert least <= len({heard.who.address for heard in asks}) <= most


def test_in_a_storm_stock_clients_back_off_and_heed() -> None:
    attack = an_attack(Family.RETRY_STORM, mimicry=1.0, bots=50, intensity=2.0)

    untold, told = (staged(attack, service=refused(retry_after_s=wait)).asks for wait in (None, 9.0))

    assert {chat.retry for chat in chats(untold)} == {0, 1, 2}
    waits = defaultdict(list)
    for heard in told:
        assert isinstance(heard.what, Chat)
        waits[heard.what.body].append(heard.at_s)
    assert {round(later - earlier, 6) for times in waits.values() for earlier, later in pairwise(times)} == {9.0}


def test_in_a_storm_stock_clients_end_when_told_that_it_is_no_use() -> None:
    def finally_refused(who: Who, what: object, now: float) -> Outcome:
        del who, what
        return Outcome(asked_at_s=now, ended_at_s=now, status=429, is_final=True)

    stock, stubborn = (
        chats(staged(an_attack(Family.RETRY_STORM, mimicry=mimicry), service=finally_refused).asks)
        for mimicry in (1.0, 0.0)
    )

    assert {chat.retry for chat in stock} == {0}
    assert {chat.retry for chat in stubborn} == set(range(21))


def test_the_names_that_are_guessed_at_are_those_of_established_people() -> None:
    attack = an_attack(Family.CREDENTIAL_STUFFING, mimicry=1.0, intensity=0.1)
    town = town_of(a_scenario(attack, established=7), ASKS_PER_S, 1)

    guessed = {pair.account for pair in sign_ins(staged(attack, established=7).asks)}

    assert town.established is not None
    owners = {town.established.who(number).name for number in range(7)}
    assert {account for account in guessed if not account.startswith("stranger-")} == owners
