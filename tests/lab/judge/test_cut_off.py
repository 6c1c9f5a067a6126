"""What a rehearsal's end cuts is nobody's failure, unless it had failed before."""

from __future__ import annotations

import pytest

from tests.lab.staged import answer, question, refused, scenario, who
from tidegate.lab.acts import Ended, Group, Need
from tidegate.lab.judge import Judge, Staging

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
