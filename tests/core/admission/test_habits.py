"""What is reserved for an answer is what its principal's answers usually take."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tidegate.core.admission.habits import Habits


def test_a_stranger_is_expected_to_be_like_anybody_and_never_to_exceed_what_was_asked() -> None:
    habits = Habits(10, usual_tokens=256)
    assert habits.expected_tokens("nobody", 4096) == 256
    assert habits.expected_tokens("nobody", 20) == 20
    assert habits.expected_tokens("nobody", 0) == 1


def test_short_answers_are_expected_to_stay_short() -> None:
    habits = Habits(10)
    for _ in range(40):
        habits.learn("ana", 50)
    assert 50 <= habits.expected_tokens("ana", 4096) <= 60
    for _ in range(60):
        habits.learn("ana", 0)
    assert habits.expected_tokens("ana", 4096) == 16, "the next may be longer"


def test_six_of_seven_answers_take_no_more_than_was_expected() -> None:
    import random

    draw, habits, within = random.Random(1), Habits(10), 0
    for _ in range(1000):
        tokens = round(draw.lognormvariate(4.0, 0.5))
        within += tokens <= habits.expected_tokens("ana", 10**6)
        habits.learn("ana", tokens)
    assert within >= 857


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 5000))))
def test_no_more_principals_are_remembered_than_allowed(told: list[tuple[int, int]]) -> None:
    habits = Habits(4)
    for number, tokens in told:
        habits.learn(f"one{number}", tokens)
        assert len(habits) <= 4
        assert 1 <= habits.expected_tokens(f"one{number}", 100) <= 100
