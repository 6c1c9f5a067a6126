"""The course of a rehearsal, in few intervals however long it is."""

from __future__ import annotations

import pytest

from tests.lab.staged import answer, question, refused, scenario, who
from tidegate.lab.acts import Ask, Chat, Group, Page
from tidegate.lab.hearing import Happened, Sampled
from tidegate.lab.judge import Judge, Staging
from tidegate.lab.judge.course import MOST_STEPS, Course
from tidegate.lab.judge.figures import LoadFigures

SHORT = 'version = 1\nname = "short"\ntitle = "S"\nabout = "S"\nduration_s = 1440\n'


def load(judge: Judge) -> LoadFigures:
    return judge.findings(Staging()).load


@pytest.fixture
def judge() -> Judge:
    """Two seconds an interval."""
    return Judge(scenario(SHORT))


@pytest.mark.parametrize(
    ("duration_s", "step_s", "steps"),
    [(0.5, 1, 1), (720, 1, 720), (721, 2, 361), (3600, 5, 720), (86_400, 120, 720), (31 * 86_400, 7200, 372)],
)
def test_there_are_never_more_than_720_intervals(duration_s: float, step_s: float, steps: int) -> None:
    course = Course(duration_s)

    assert (course.step_s, course.steps) == (step_s, steps)
    assert course.steps <= MOST_STEPS


def test_tokens_are_offered_by_every_try_and_admitted_by_those_that_were_let_in(judge: Judge) -> None:
    bot = who(Group.ATTACKER, family="x")
    chat = Chat(prompt_tokens=100, answer_tokens=900, max_tokens=300)
    for outcome in (answer(10.0), refused(10.5), answer(12.0)):
        judge.asked(Ask(bot, chat), outcome)
    judge.asked(Ask(bot, Page()), answer(10.0))

    assert load(judge).offered["attacker"][5:7] == [400.0, 200.0]
    assert load(judge).admitted["attacker"][5:7] == [200.0, 200.0]


def test_good_tokens_and_goodput_belong_to_the_moment_of_the_first_try(judge: Judge) -> None:
    person = who(Group.ESTABLISHED)
    question(judge, person, answer(11.0, 0.5), since_s=10.0)
    question(judge, person, refused(20.0), since_s=10.5)

    found = load(judge)
    assert found.good["established"][5] == 75.0
    assert found.goodput["established"][4:7] == [None, 0.5, None]
    assert found.needs["established"][4:7] == [0, 2, 0]
    assert found.first_p95_s["established"][5] == pytest.approx(1.5, rel=0.06)


def test_the_coarse_quantile_is_right_within_its_bins(judge: Judge) -> None:
    person = who(Group.ESTABLISHED)
    for number in range(100):
        question(judge, person, answer(10.0, number / 100))

    assert load(judge).first_p95_s["established"][5] == pytest.approx(0.94, rel=0.06)


def test_samples_of_replicas_add_up_and_moments_are_averaged(judge: Judge) -> None:
    for at_s, waiting in ((10.0, 4), (11.0, 8)):
        for replica in (0, 1):
            judge.sampled(
                Sampled(
                    at_s=at_s, running=3, waiting=waiting, tok_s=50.0, capacity_tok_s=100.0, in_line=7, replica=replica
                )
            )

    found = load(judge)
    assert (found.running[5], found.waiting[5], found.in_line[5]) == (6.0, 6.0, 7.0)
    assert (found.tok_s[5], found.capacity_tok_s[5], found.running[6]) == (100.0, 200.0, None)


def test_cells_that_stand_side_by_side_add_up(judge: Judge) -> None:
    other = Judge(scenario(SHORT), cell=1)
    for one in (judge, other):
        for at_s in (10.0, 11.0):
            one.sampled(Sampled(at_s=at_s, running=3, waiting=1, tok_s=50.0, capacity_tok_s=100.0))
    other.happened(Happened(at_s=14.0, what="mode", was="open", to="invite"))
    judge.merge(other)

    assert (load(judge).running[5], load(judge).capacity_tok_s[5]) == (6.0, 200.0)
    assert load(judge).mode[7] == "invite"


def test_a_mode_holds_until_another_is_heard(judge: Judge) -> None:
    judge.happened(Happened(at_s=10.0, what="mode", was="open", to="closed"))
    judge.sampled(Sampled(at_s=20.0, running=0, waiting=0, tok_s=0.0, capacity_tok_s=1.0, mode="throttled"))
    judge.sampled(Sampled(at_s=22.0, running=0, waiting=0, tok_s=0.0, capacity_tok_s=1.0, mode="unheard of"))

    assert load(judge).mode[4:12] == ["open", *["closed"] * 5, "throttled", "open"]


def test_a_mode_that_came_and_went_within_an_interval_does_not_stay(judge: Judge) -> None:
    for at_s, was, to in ((10.0, "open", "closed"), (10.5, "closed", "open")):
        judge.happened(Happened(at_s=at_s, what="mode", was=was, to=to))

    assert load(judge).mode[4:7] == ["open", "closed", "open"]


def test_what_comes_after_the_end_belongs_to_the_last_interval(judge: Judge) -> None:
    judge.sampled(Sampled(at_s=1450.0, running=3, waiting=1, tok_s=50.0, capacity_tok_s=100.0))

    assert load(judge).running[-1] == 3.0
