"""Every figure of a hand-made stream is the one that was put into it."""

from __future__ import annotations

import sys
from collections.abc import Callable

import pytest

from tests.lab.staged import answer, played, question, refused, scenario, who
from tidegate.lab.acts import LEGITIMATE, Ask, Asked, Chat, Ended, Group, Need, Outcome, Page, SignIn, SignUp
from tidegate.lab.judge import Findings, Judge, Staging, tallies
from tidegate.lab.judge.figures import AttackFigures, PeopleFigures

PLAIN = """
version = 1
name = "plain"
title = "Plain"
about = "Nothing."
duration_s = 1000
warm_s = 100
[[attack]]
family = "request_flood"
from_s = 500
until_s = 600
"""


@pytest.fixture
def judge() -> Judge:
    return Judge(scenario(PLAIN))


def found(judge: Judge) -> Findings:
    return judge.findings(Staging())


def established(judge: Judge) -> PeopleFigures:
    return found(judge).people["established"]


PERSON = who(Group.ESTABLISHED)


# ---------------------------------------------------------------- questions


def test_a_good_answer_is_whole_and_in_time(judge: Judge) -> None:
    question(judge, PERSON, answer(200.0))

    figures = established(judge)
    assert (figures.needs, figures.good, figures.goodput, figures.completed) == (1, 1, 1.0, 1)
    assert figures.first_s.p50 == pytest.approx(0.5, rel=0.01)
    assert figures.gap_s.p95 == pytest.approx(0.05, rel=0.01)


@pytest.mark.parametrize(
    "changed",
    [
        {"first_s": 2.1},
        {"gap_s": 0.21},
        {"stall_s": 1.1},
        {"is_complete": False},
        {"first_s": None, "is_complete": True},
    ],
)
def test_an_answer_that_misses_one_limit_is_not_good(judge: Judge, changed: dict[str, object]) -> None:
    outcome = answer(200.0)
    for name, value in changed.items():
        setattr(outcome, name, value)
    question(judge, PERSON, outcome)

    assert established(judge).good == 0


def test_an_answer_in_one_piece_may_take_as_long_as_its_last_token_might_have(judge: Judge) -> None:
    for at_s, first_s, is_whole in ((200.0, 11.9, True), (220.0, 12.1, True), (240.0, 2.1, False)):
        question(judge, PERSON, answer(at_s, first_s, is_whole=is_whole, gap_s=0.0, stall_s=0.0, output_tokens=50))
    question(judge, PERSON, answer(260.0, 11.9, is_whole=True, is_complete=False))

    assert established(judge).good == 1, "2 s, and 0.2 s for each of 50 tokens"


def test_the_first_token_is_counted_from_the_first_try(judge: Judge) -> None:
    question(judge, PERSON, answer(205.0, 0.5), since_s=200.0, tries=3)

    figures = established(judge)
    assert figures.good == 0
    assert figures.completed == 1
    assert figures.first_s.p50 == pytest.approx(5.5, rel=0.01)


def test_who_is_refused_and_who_leaves_are_told_apart(judge: Judge) -> None:
    question(judge, PERSON, refused(200.0))
    question(judge, PERSON, Outcome(asked_at_s=201.0, ended_at_s=211.0, reason="client_left", status=499))
    question(judge, PERSON, Outcome(asked_at_s=202.0, ended_at_s=212.0))

    figures = established(judge)
    assert (figures.refused, figures.abandoned, figures.completed) == (1, 2, 0)
    assert figures.false_refusals == 1


def test_what_began_while_it_warmed_up_is_played_and_not_judged(judge: Judge) -> None:
    question(judge, PERSON, answer(99.0))
    question(judge, PERSON, refused(99.5), since_s=99.5)
    question(judge, PERSON, answer(101.0), since_s=99.0, tries=2)

    figures = established(judge)
    assert (figures.needs, figures.tries, figures.false_refusals) == (0, 1, 0)
    assert found(judge).requests == 3


# ---------------------------------------------------------------- at the door


def test_refusals_are_counted_by_the_services_word_or_the_status(judge: Judge) -> None:
    for outcome in (refused(200.0), refused(201.0), refused(202.0, ""), refused(203.0, "source_blocked")):
        judge.asked(Ask(PERSON, Page()), outcome)

    assert established(judge).refused_by == {"slow_down": 2, "source_blocked": 1, "status_429": 1}


def test_the_truth_about_a_password_is_no_false_refusal(judge: Judge) -> None:
    for is_right in (False, True):
        wrong = refused(200.0, "wrong_credentials", status=401)
        judge.asked(Ask(PERSON, SignIn(account="a", is_right=is_right)), wrong)

    assert established(judge).false_refusals == 1


def test_a_challenge_is_needless_while_nothing_attacks(judge: Judge) -> None:
    for at_s in (200.0, 499.9, 500.0, 599.9, 600.0):
        judge.asked(Ask(PERSON, SignIn(account="a")), answer(at_s, effort=8))
    judge.asked(Ask(PERSON, SignIn(account="a", effort_s=None)), refused(550.0, "challenge_required"))

    figures = established(judge)
    assert (figures.challenged, figures.needless, figures.false_refusals) == (6, 3, 0)


def test_pages_and_sign_ins_are_counted(judge: Judge) -> None:
    judge.ended(Ended(PERSON, Need.PAGE, 200.0, 1, answer(200.0)))
    judge.ended(Ended(PERSON, Need.PAGE, 200.0, 1, refused(200.0)))
    judge.ended(Ended(PERSON, Need.SIGN_IN, 198.0, 2, answer(200.0, ended_at_s=202.0)))
    judge.ended(Ended(PERSON, Need.SIGN_IN, 198.0, 2, refused(200.0)))

    figures = established(judge)
    assert (figures.pages, figures.pages_ok, figures.sign_ins, figures.sign_ins_ok) == (2, 1, 2, 1)
    assert figures.sign_in_s.p95 == pytest.approx(4.0, rel=0.01)
    assert figures.needs == 0


def test_sign_ups_are_made_lost_or_late(judge: Judge) -> None:
    visitor = who(Group.ANONYMOUS)
    for since_s, outcome in (
        (200.0, answer(200.0)),
        (200.0, answer(200.0, waited_s=60.0)),
        (200.0, answer(230.0)),
        (200.0, refused(200.0, "sign_up_closed")),
    ):
        judge.ended(Ended(visitor, Need.SIGN_UP, since_s, 1, outcome))

    figures = found(judge).people["anonymous"]
    assert (figures.sign_ups, figures.sign_ups_made, figures.sign_ups_lost, figures.sign_ups_delayed) == (4, 3, 1, 2)
    assert figures.sign_up_delay_s.p50 == pytest.approx(30.0, rel=0.01)
    assert figures.sign_up_delay_s.p99 == pytest.approx(60.0, rel=0.01)


# ---------------------------------------------------------------- attackers, oddities, promises


def attacked(judge: Judge) -> AttackFigures:
    return found(judge).attackers["credential_stuffing"]


def test_what_attackers_got_is_counted_with_its_part_of_all_work(judge: Judge) -> None:
    bot = who(Group.ATTACKER, family="credential_stuffing")
    asks: list[tuple[Asked, Outcome]] = [
        (Chat(prompt_tokens=100, answer_tokens=50), answer(510.0, cost=300.0)),
        (Chat(prompt_tokens=100, answer_tokens=50), refused(511.0, "source_blocked")),
        (SignUp(), answer(512.0, prompt_tokens=0, output_tokens=0, cost=0.0, effort=4)),
        (SignIn(account="a"), answer(513.0, prompt_tokens=0, output_tokens=0, cost=0.0)),
        (SignIn(account="a", is_right=False), refused(514.0, "wrong_credentials")),
    ]
    for what, outcome in asks:
        judge.asked(Ask(bot, what), outcome)
    judge.ended(Ended(bot, Need.SIGN_UP, 512.0, 1, answer(512.0)))
    question(judge, PERSON, answer(515.0, cost=100.0))

    figures = attacked(judge)
    assert (figures.tries, figures.admitted, figures.refused, figures.challenged) == (5, 3, 2, 1)
    assert (figures.accounts_won, figures.passwords_found) == (1, 1)
    assert (figures.prompt_tokens, figures.output_tokens) == (100, 50)
    assert (figures.cost, figures.cost_share) == (300.0, 0.75)
    assert figures.refused_by == {"source_blocked": 1, "wrong_credentials": 1}
    assert found(judge).people["anonymous"].sign_ups == 0


def test_what_was_neither_answered_nor_refused_was_not_admitted(judge: Judge) -> None:
    bot = who(Group.ATTACKER, family="credential_stuffing")
    judge.asked(Ask(bot, Page()), Outcome(asked_at_s=510.0, ended_at_s=520.0))
    judge.asked(Ask(bot, Page()), Outcome(asked_at_s=511.0, ended_at_s=520.0, output_tokens=3))

    assert attacked(judge).admitted == 1


def test_who_gave_up_in_the_line_or_opened_no_letter_was_not_admitted(judge: Judge) -> None:
    """
    Their last answer was a page, with status 200, that told them to wait.
    """
    bot = who(Group.ATTACKER, family="credential_stuffing")
    for promised_s in (300.0, None):
        waited = answer(510.0, is_complete=False, promised_s=promised_s, prompt_tokens=0, output_tokens=0, cost=0.0)
        judge.asked(Ask(bot, SignUp()), waited)

    assert (attacked(judge).tries, attacked(judge).admitted, attacked(judge).refused) == (2, 0, 0)


def test_an_account_that_they_signed_in_to_twice_was_found_once(judge: Judge) -> None:
    """
    In another service an account of the same name is another one.
    """
    other = Judge(scenario(PLAIN))
    bot = who(Group.ATTACKER, family="credential_stuffing")
    for one, account in ((judge, "a"), (judge, "a"), (judge, "b"), (other, "a"), (other, "a")):
        one.asked(Ask(bot, SignIn(account=account)), answer(513.0, prompt_tokens=0, output_tokens=0, cost=0.0))
    assert (attacked(judge).passwords_found, attacked(judge).sign_ins_won) == (2, 3)

    judge.merge(other)

    assert (attacked(judge).passwords_found, attacked(judge).sign_ins_won) == (3, 5)


def test_no_more_accounts_are_told_apart_than_there_is_room_for(judge: Judge, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tallies, "MOST_FOUND", 2)
    bot = who(Group.ATTACKER, family="credential_stuffing")
    for account in "abcd":
        judge.asked(Ask(bot, SignIn(account=account)), answer(513.0))

    assert (attacked(judge).passwords_found, attacked(judge).sign_ins_won) == (2, 4)


def test_attackers_of_no_family_have_a_row_with_a_name(judge: Judge) -> None:
    judge.asked(Ask(who(Group.ATTACKER), Page()), refused(510.0))

    assert found(judge).attackers["unnamed"].tries == 1


def test_odd_people_are_counted_with_their_group_and_by_themselves(judge: Judge) -> None:
    question(judge, who(Group.NEW, family="classroom"), answer(200.0))
    question(judge, who(Group.NEW, family="classroom"), refused(201.0))

    odd = found(judge).oddities["classroom"]
    assert (odd.needs, odd.good, odd.goodput, odd.tries, odd.false_refusals) == (2, 1, 0.5, 2, 1)
    assert found(judge).people["new"].needs == 2


def test_a_promise_is_kept_by_a_wait_that_is_no_longer(judge: Judge) -> None:
    for waited_s in (4.0, 5.4, 6.0, None):
        judge.asked(Ask(PERSON, Page()), answer(200.0, promised_s=5.0, waited_s=waited_s))
    judge.asked(Ask(PERSON, Page()), answer(200.0, promised_s=0.0, waited_s=0.0))
    judge.asked(Ask(who(Group.ATTACKER), Page()), answer(200.0, promised_s=5.0, waited_s=90.0))

    promises = found(judge).promises
    assert (promises.told, promises.tested, promises.kept, promises.kept_share) == (5, 4, 3, 0.75)
    assert promises.ratio.p50 == pytest.approx(1.08, rel=0.01)


# ---------------------------------------------------------------- bounds, cells, bytes


def test_words_and_families_without_end_are_put_together(judge: Judge) -> None:
    for number in range(200):
        judge.asked(Ask(who(Group.ATTACKER, family=f"f{number}"), Page()), refused(200.0))
        judge.asked(Ask(who(Group.NEW, family=f"o{number}"), Page()), refused(200.0, f"r{number}"))

    findings = found(judge)
    assert len(findings.attackers) == len(findings.oddities) == 65
    assert findings.attackers["others"].tries == findings.oddities["others"].tries == 136
    assert findings.people["new"].refused_by["others"] == 136


def weight(thing: object, seen: set[int]) -> int:
    """Everything that is kept, in bytes."""
    if id(thing) in seen:
        return 0
    seen.add(id(thing))
    inside: list[object] = list(vars(thing).values()) if hasattr(thing, "__dict__") else []
    if isinstance(thing, dict):
        inside += [*thing.keys(), *thing.values()]
    elif isinstance(thing, list | tuple):
        inside += thing
    return sys.getsizeof(thing) + sum(weight(one, seen) for one in inside)


def test_what_a_judge_keeps_does_not_grow_with_what_it_hears() -> None:
    judge = Judge(scenario())
    played(judge)
    once = weight(judge, set())
    for _ in range(4):
        played(judge)

    assert weight(judge, set()) < 1.1 * once


def test_judges_of_cells_add_up_to_one() -> None:
    whole, left, right = Judge(scenario()), Judge(scenario()), Judge(scenario())
    each: list[Callable[[Judge], object]] = [
        lambda judge: question(judge, who(Group.NEW, family="viral_prompt"), answer(200.0)),
        lambda judge: question(judge, PERSON, answer(1000.0, 3.0)),
        lambda judge: judge.asked(Ask(who(Group.ATTACKER, family="a"), Page()), answer(950.0)),
        lambda judge: question(judge, who(Group.NEW), refused(300.0, promised_s=3.0, waited_s=2.0)),
    ]
    for number, tell in enumerate(each):
        tell(whole)
        tell(left if number % 2 else right)
    left.merge(right)

    assert left.findings(Staging()) == whole.findings(Staging())


def test_cells_of_different_scenarios_are_not_added_up() -> None:
    with pytest.raises(ValueError, match="different scenarios"):
        Judge(scenario()).merge(Judge(scenario(PLAIN)))


def test_a_group_that_nobody_was_in_is_there_with_nothing(judge: Judge) -> None:
    assert [found(judge).people[group].goodput for group in LEGITIMATE] == [None] * 3
