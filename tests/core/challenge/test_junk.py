"""Garbage is seen through for the price of one piece, and nothing that could count is taken for it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.challenge.solved import NOW, SUBJECT, begin, issue
from tidegate.core.challenge.challenges import TEXT_MOST, Scope, Solved
from tidegate.core.challenge.plan import ChallengePlan
from tidegate.core.challenge.puzzles import PuzzleName

AFTER = NOW + 3.0
PIECE_LETTERS = 72
ANY = begin()
OURS = issue(ANY, effort=3)


def is_junk(text: str, answer: str, subject: bytes = SUBJECT, now: float = AFTER) -> bool:
    return begin().is_junk(text, answer, subject, now)


@pytest.mark.parametrize(("puzzle", "effort"), [("wagner", 1), ("wagner", 3), ("sha256", 2)])
def test_right_work_is_no_junk_for_whatever_it_is_used_and_however_late(puzzle: str, effort: int) -> None:
    challenges = begin()
    text, answer = issue(challenges, PuzzleName(puzzle), effort)
    solved = challenges.verify(text, answer, Scope.SIGN_UP, SUBJECT, AFTER)
    assert isinstance(solved, Solved)

    assert not challenges.is_junk(text, answer, SUBJECT, AFTER)
    assert challenges.spend(solved, AFTER)
    assert not challenges.is_junk(text, answer, SUBJECT, AFTER), "who sends the form twice is to be told so"
    assert not challenges.is_junk(text, answer, SUBJECT, AFTER + 3600.0), "who typed for long, too"


def test_what_was_not_begun_is_no_junk_where_the_challenge_is_ours() -> None:
    """Without JavaScript the form comes with the challenge as it stood in it, and with an empty answer."""
    text, _ = OURS
    assert not is_junk(text, "")
    assert is_junk(text, "", b"another form")


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("nonsense", ""),
        ("a.b.c.d.e.f.g", ""),
        (OURS[0] + "0" * TEXT_MOST, OURS[1]),
        (OURS[0][:-1] + "x", OURS[1]),
        (OURS[0].replace(".3.", ".1."), OURS[1][:PIECE_LETTERS]),
        (OURS[0], "zz" + OURS[1][2:]),
        (OURS[0], OURS[1][:-2]),
        (OURS[0], OURS[1][PIECE_LETTERS:] + OURS[1][:PIECE_LETTERS]),
        (OURS[0], "00000001" + OURS[1][8:]),
    ],
    ids=["nothing", "no fields", "long", "mac", "effort", "no hex", "short", "order", "wrong"],
)
def test_what_is_no_answer_to_a_challenge_of_ours_is_junk(text: str, answer: str) -> None:
    assert is_junk(text, answer)


def test_who_has_done_one_piece_is_looked_at_properly_and_not_here() -> None:
    """One piece is all that is checked, or one that is right would buy the price of sixteen again and again."""
    text, answer = OURS
    wrong = answer[:-1] + ("0" if answer[-1] != "0" else "1")

    assert not is_junk(text, wrong)
    for _ in range(10):
        ANY.is_junk(text, wrong, SUBJECT, AFTER)
    assert isinstance(ANY.verify(text, answer, Scope.SIGN_UP, SUBJECT, AFTER), Solved), "and asking ends no challenge"


def test_a_challenge_of_a_shorter_plan_that_is_over_is_left_to_the_page() -> None:
    text, answer = issue(begin(ChallengePlan(lifetime_s=60)))
    assert not is_junk(text, answer, now=NOW + 61.0)


@given(
    at=st.integers(0, len(OURS[0]) - 1),
    letter=st.sampled_from("019af._-"),
    cut=st.integers(0, len(OURS[1])),
    filled=st.sampled_from(["", "0" * 72, "zz"]),
    scope=st.sampled_from(Scope),
    after_s=st.sampled_from([-10.0, -1.0, 0.0, 599.0, 601.0]),
)
def test_nothing_is_junk_that_would_count(
    at: int, letter: str, cut: int, filled: str, scope: Scope, after_s: float
) -> None:
    text, answer = OURS
    for one in (text, text[:at] + letter + text[at + 1 :]):
        for what in (answer, answer[:cut] + filled, filled + answer[cut:]):
            counts = isinstance(ANY.verify(one, what, scope, SUBJECT, NOW + after_s), Solved)
            assert not (counts and ANY.is_junk(one, what, SUBJECT, NOW + after_s))
