"""A program without a browser solves what it is given, and says what is wrong with what is none."""

from __future__ import annotations

import pytest

from tests.core.challenge.solved import NOW, SUBJECT, begin
from tidegate.core.challenge import solving
from tidegate.core.challenge.challenges import Scope, Solved
from tidegate.core.challenge.puzzles import PUZZLES, Puzzle, PuzzleName
from tidegate.core.challenge.sha256 import SIZE_BYTES as SHA256_BYTES
from tidegate.core.challenge.sha256 import Searches
from tidegate.core.challenge.wagner import SIZE_BYTES as WAGNER_BYTES
from tidegate.core.challenge.wagner import Wagner


@pytest.fixture(autouse=True)
def small_puzzles(monkeypatch: pytest.MonkeyPatch) -> None:
    """For the clock's sake; the real sizes are solved in tests/cli and tests/browser."""
    wagner, searches = Wagner(bits=8), Searches(zeros=1)
    monkeypatch.setattr(solving, "Wagner", lambda: wagner)
    monkeypatch.setattr(solving, "Searches", lambda: searches)
    monkeypatch.setitem(PUZZLES, PuzzleName.WAGNER, Puzzle(WAGNER_BYTES, wagner.is_solved, is_ascending=True))
    monkeypatch.setitem(PUZZLES, PuzzleName.SHA256, Puzzle(SHA256_BYTES, searches.is_solved, is_ascending=False))


@pytest.mark.parametrize("puzzle", PuzzleName)
def test_a_program_solves_what_it_is_given_and_hears_how_far_it_is(puzzle: PuzzleName) -> None:
    challenges = begin()
    heard: list[tuple[int, int]] = []
    text = challenges.issue(Scope.WAIT, SUBJECT, 4, puzzle, NOW, bytes(16))

    answer = solving.solve(text, lambda done, effort: heard.append((done, effort)))

    assert isinstance(challenges.verify(text, answer, Scope.WAIT, SUBJECT, NOW + 1), Solved)
    assert heard == [(1, 4), (2, 4), (3, 4), (4, 4)]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "this is no challenge"),
        ("wagner", "this is no challenge"),
        ("a.b.c.d.e.f.g", "this is no challenge"),
        ("wagner.wait.1.1.600.00", "this challenge is damaged"),
        ("wagner.wait.x.1.600.00.00", "this challenge is damaged"),
        ("wagner.wait.\u0661.1.600.00.00", "this challenge is damaged"),
        (f"wagner.wait.1.1.600.{'0' * 32}.{'0' * 31}", "this challenge is damaged"),
        (f"wagner.wait.1.1.600.{'0' * 32}.{'0' * 31}g", "this challenge is damaged"),
        (f"wagner.wait.1.1.600.{'0' * 31}.{'0' * 32}", "this challenge is damaged"),
        ("argon.wait.1.1.600.00.00", "no puzzle 'argon'"),
        ("wagner.wait.0.1.600.00.00", "an effort of 0 is asked"),
        ("wagner.wait.9999999999.1.600.00.00", "an effort of 9999999999 is asked"),
    ],
)
def test_what_is_no_challenge_is_said(text: str, said: str) -> None:
    with pytest.raises(solving.NoChallengeError, match=said):
        solving.solve(text)


@pytest.mark.parametrize("kept", range(1, 108))
def test_a_challenge_that_was_cut_is_not_worked_on(kept: int) -> None:
    """Whoever copied only a part of it would wait for an answer that counts nowhere."""
    text = begin().issue(Scope.SIGN_UP, SUBJECT, 4, PuzzleName.WAGNER, NOW, bytes(16))

    with pytest.raises(solving.NoChallengeError):
        solving.parts_of(text[: min(kept, len(text) - 1)])
    assert solving.parts_of(text).effort == 4
