"""Who has no browser solves a challenge on the command line, at its real size."""

from __future__ import annotations

import pytest

from tests.cli.verbs import Verb
from tests.core.challenge.solved import NOW, SUBJECT, begin
from tidegate.core.challenge.challenges import Scope, Solved
from tidegate.core.challenge.puzzles import PuzzleName


@pytest.mark.parametrize("puzzle", PuzzleName)
def test_the_answer_it_prints_is_one(verb: Verb, puzzle: PuzzleName) -> None:
    challenges = begin()
    text = challenges.issue(Scope.SIGN_UP, SUBJECT, 1, puzzle, NOW, bytes(16))
    said = verb("solve", text)

    assert (said.code, said.err) == (0, ""), "nobody watches: no bar"
    assert isinstance(challenges.verify(text, said.out.strip(), Scope.SIGN_UP, SUBJECT, NOW + 9), Solved)


def test_a_challenge_is_read_from_standard_input(verb: Verb) -> None:
    challenges = begin()
    text = challenges.issue(Scope.SIGN_UP, SUBJECT, 1, PuzzleName.SHA256, NOW, bytes(16))
    said = verb("solve", typed=f"{text}\n")

    assert isinstance(challenges.verify(text, said.out.strip(), Scope.SIGN_UP, SUBJECT, NOW + 9), Solved)


def test_a_challenge_that_was_cut_is_said_to_be_damaged(verb: Verb) -> None:
    text = begin().issue(Scope.SIGN_UP, SUBJECT, 1, PuzzleName.SHA256, NOW, bytes(16))
    said = verb("solve", text[:-3])

    assert (said.code, said.out) == (2, "")
    assert "this challenge is damaged: copy all of it" in said.err


@pytest.mark.parametrize("text", ["", "hello", "argon.sign_up.1.1.600.00.00", "wagner.sign_up.99999.1.600.00.00"])
def test_what_is_no_challenge_is_refused_in_a_sentence(verb: Verb, text: str) -> None:
    said = verb("solve", "-", typed=text)

    assert (said.code, said.out) == (2, "")
    assert "challenge" in said.err or "puzzle" in said.err or "effort" in said.err
