"""What a rehearsal's end cuts is nobody's failure, unless it had failed before."""

from __future__ import annotations

from typing import Any

import pytest

from tests.lab.staged import answer, question, refused, scenario, who
from tidegate.lab.acts import Ended, Group, Need, Outcome
from tidegate.lab.judge import Judge, Staging
from tidegate.lab.judge.figures import PeopleFigures

PERSON = who(Group.ESTABLISHED)
END_S = 1800.0


def judged(judge: Judge) -> tuple[int, int]:
    figures = judge.findings(Staging()).people["established"]
    return figures.needs, figures.good


@pytest.mark.parametrize(
    ("since_s", "changed", "needs"),
    [
        (1799.0, {"first_s": None}, 0),
        (1797.0, {"first_s": None}, 1),
        (1790.0, {"first_s": 1.0}, 0),
        (1790.0, {"first_s": 2.1}, 1),
        (1790.0, {"first_s": 1.0, "gap_s": 0.3}, 1),
        (1790.0, {"first_s": 1.0, "stall_s": 1.1}, 1),
        (1790.0, {"first_s": 1.0, "ended_at_s": 1799.0}, 1),
    ],
)
def test_a_question_that_the_end_cut_counts_only_where_it_could_be_good_no_more(
    since_s: float, changed: dict[str, object], needs: int
) -> None:
    judge = Judge(scenario())
    outcome = answer(since_s)
    for name, value in {"is_complete": False, "status": 0, "ended_at_s": END_S, **changed}.items():
        setattr(outcome, name, value)

    question(judge, PERSON, outcome)

    assert judged(judge) == (needs, 0)
    assert sum(judge.findings(Staging()).load.needs["established"]) == needs


def judge_of(need: Need, since_s: float, outcome: Outcome, **told: Any) -> PeopleFigures:
    judge = Judge(scenario())
    judge.ended(Ended(PERSON, need, since_s, 1, outcome, **told))
    return judge.findings(Staging()).people["established"]


@pytest.mark.parametrize(
    ("since_s", "whole_tokens", "needs"), [(1797.9, 0, 1), (1798.0, 0, 0), (1797.0, 10, 0), (1795.0, 10, 1)]
)
def test_a_question_that_waits_for_another_try_counts_only_where_it_could_be_good_no_more(
    since_s: float, whole_tokens: int, needs: int
) -> None:
    """
    An answer in one piece may take as long as it has tokens. What a try that broke off had shown does not count.
    """
    broken = answer(since_s, is_complete=False, ended_at_s=since_s + 1.0)
    for outcome in (refused(since_s), broken):
        figures = judge_of(Need.CHAT, since_s, outcome, is_open=True, whole_tokens=whole_tokens)

        assert (figures.needs, figures.undecided) == (needs, 1 - needs)
        assert figures.good == 0


@pytest.mark.parametrize(
    ("since_s", "first_s", "changed", "needs"),
    [
        (1799.0, 0.5, {}, 0),
        (1799.0, 1.5, {}, 0),
        (1797.0, 3.5, {}, 1),
        (1796.0, 2.5, {}, 1),
        (1797.0, 0.5, {"gap_s": 0.3}, 1),
        (1797.0, 3.5, {"is_complete": False, "status": 503, "reason": "server_is_overloaded"}, 1),
        (1799.5, 0.6, {"is_complete": False, "status": 503, "reason": "server_is_overloaded"}, 0),
    ],
)
def test_what_came_after_the_end_is_judged_by_what_was_known_then(
    since_s: float, first_s: float, changed: dict[str, object], needs: int
) -> None:
    """
    The live world lets end what is under way; that must not make it kinder, or harder, than the virtual one.
    """
    figures = judge_of(Need.CHAT, since_s, answer(since_s, first_s, **{"ended_at_s": 1805.0, **changed}))

    assert (figures.needs, figures.undecided, figures.good) == (needs, 1 - needs, 0)


@pytest.mark.parametrize(
    ("need", "field"),
    [
        (Need.CHAT, "undecided"),
        (Need.PAGE, "pages_undecided"),
        (Need.SIGN_IN, "sign_ins_undecided"),
        (Need.SIGN_UP, "sign_ups_undecided"),
    ],
)
def test_how_many_were_left_out_is_told(need: Need, field: str) -> None:
    figures = judge_of(need, END_S, answer(END_S, is_complete=False, status=0, ended_at_s=END_S))

    assert getattr(figures, field) == 1
    assert (figures.needs, figures.pages, figures.sign_ins, figures.sign_ups) == (0, 0, 0, 0)


def test_what_was_cut_in_the_unjudged_beginning_is_not_told() -> None:
    early = judge_of(Need.SIGN_UP, 60.0, answer(60.0, is_complete=False, status=0, ended_at_s=END_S))

    assert early.sign_ups_undecided == 0


def test_what_was_answered_or_refused_at_the_end_counts() -> None:
    judge = Judge(scenario())
    question(judge, PERSON, answer(1790.0, ended_at_s=END_S))
    question(judge, PERSON, refused(END_S))

    assert judged(judge) == (2, 1)


def test_neither_is_an_account_lost_that_was_on_its_way() -> None:
    judge = Judge(scenario())
    for at_s in (END_S, 1700.0):
        waiting = answer(1600.0, is_complete=False, status=0, ended_at_s=at_s)
        judge.ended(Ended(PERSON, Need.SIGN_UP, 1600.0, 1, waiting))

    assert judge.findings(Staging()).people["established"].sign_ups_lost == 1
