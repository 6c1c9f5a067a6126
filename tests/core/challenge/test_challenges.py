"""A challenge is solved by its own subject, for its own scope, once, in time; nothing else counts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.challenge.solved import MASTER, NOW, SUBJECT, begin, issue
from tidegate.core.challenge.challenges import TEXT_MOST, Challenges, Failed, Scope, Solved, Why
from tidegate.core.challenge.plan import ChallengePlan
from tidegate.core.challenge.puzzles import PuzzleName

AFTER = NOW + 3.0
WAGNER_BYTES = 36
ANY = begin()


def verified(challenges: Challenges, text: str, answer: str, now: float = AFTER) -> Solved | Failed:
    return challenges.verify(text, answer, Scope.SIGN_UP, SUBJECT, now)


@pytest.mark.parametrize(("puzzle", "effort"), [("wagner", 1), ("wagner", 3), ("sha256", 1), ("sha256", 2)])
def test_what_a_browser_or_a_program_worked_out_counts_once(puzzle: str, effort: int) -> None:
    challenges = begin()
    text, answer = issue(challenges, PuzzleName(puzzle), effort)

    solved = verified(challenges, text, answer)

    assert isinstance(solved, Solved)
    assert (solved.effort, solved.puzzle) == (effort, puzzle)
    assert (solved.issued_at, solved.age_s) == (NOW, 3.0)
    assert verified(challenges, text, answer) == solved, "looking at it spends nothing"
    assert challenges.spend(solved, AFTER)
    assert verified(challenges, text, answer) == Failed(Why.SPENT)
    assert not challenges.spend(solved, AFTER), "of two that were looked at together, one counts"


def test_any_process_with_the_secret_knows_the_challenge_and_no_other_does() -> None:
    text, answer = issue(begin())

    assert isinstance(verified(begin(), text, answer), Solved)
    assert verified(Challenges(bytes(32), ChallengePlan()), text, answer) == Failed(Why.FORGED)


@pytest.mark.parametrize("effort", [1, 3])
def test_no_letter_of_a_challenge_can_be_changed(effort: int) -> None:
    """The tamper corpus: each letter replaced by others that could stand there, left out, or doubled."""
    challenges = begin()
    text, answer = issue(challenges, effort=effort)

    changed = {
        text[:at] + letter + text[at + 1 :]
        for at in range(len(text))
        for letter in ("0", "1", "9", "a", "f", ".", "_", "-", "\u0661", "\0", "")
    } | {text[:at] + text[at] + text[at:] for at in range(len(text))}
    changed.discard(text)
    kinds = {verified(challenges, one, answer) for one in changed}

    assert kinds <= {Failed(Why.FORGED), Failed(Why.MALFORMED), Failed(Why.EXPIRED)}
    assert isinstance(verified(challenges, text, answer), Solved)


@pytest.mark.parametrize(
    ("field", "value"),
    [(0, "sha256"), (1, "sign_in"), (2, "1"), (2, "03"), (3, "1800000001250"), (4, "6000"), (5, "ff" * 16)],
)
def test_no_field_can_be_made_another(field: int, value: str) -> None:
    challenges = begin()
    text, answer = issue(challenges, effort=3)
    fields = text.split(".")
    fields[field] = value

    assert verified(challenges, ".".join(fields), answer) == Failed(Why.FORGED)


def test_it_counts_for_nobody_else_and_for_nothing_else() -> None:
    challenges = begin()
    text, answer = issue(challenges)

    assert challenges.verify(text, answer, Scope.SIGN_UP, b"another form", AFTER) == Failed(Why.FORGED)
    assert challenges.verify(text, answer, Scope.SIGN_UP, SUBJECT + b"\0", AFTER) == Failed(Why.FORGED)
    assert challenges.verify(text, answer, Scope.WAIT, SUBJECT, AFTER) == Failed(Why.OTHER_SCOPE)


def test_it_is_good_for_its_lifetime_and_not_before_it_was_made() -> None:
    challenges = begin()
    text, answer = issue(challenges)

    assert isinstance(verified(challenges, text, answer, NOW + 599.9), Solved)
    assert verified(challenges, text, answer, NOW + 600.1) == Failed(Why.EXPIRED)
    assert isinstance(verified(challenges, text, answer, NOW - 4.0), Solved), "clocks of two machines differ a little"
    assert verified(challenges, text, answer, NOW - 6.0) == Failed(Why.FORGED)


def test_a_longer_plan_lengthens_no_older_challenge_and_a_shorter_one_ends_it() -> None:
    text, answer = issue(begin(ChallengePlan(lifetime_s=60)))

    assert verified(begin(), text, answer, NOW + 61.0) == Failed(Why.EXPIRED)
    longer, answer_of_longer = issue(begin())
    assert verified(begin(ChallengePlan(lifetime_s=60)), longer, answer_of_longer, NOW + 61.0) == Failed(Why.EXPIRED)
    # Its answer is not worked out here, so within its time it is merely wrong.
    assert verified(begin(), text, answer, NOW + 59.0) == Failed(Why.WRONG)


# ---------------------------------------------------------------- answers


@pytest.mark.parametrize(("puzzle", "effort"), [("wagner", 1), ("wagner", 3), ("sha256", 2)])
def test_no_byte_of_an_answer_can_be_changed(puzzle: str, effort: int) -> None:
    text, answer = issue(begin(), PuzzleName(puzzle), effort)

    for at in range(0, len(answer), 2):
        byte = int(answer[at : at + 2], 16) ^ 0x01
        found = verified(begin(), text, f"{answer[:at]}{byte:02x}{answer[at + 2 :]}")
        assert found in (Failed(Why.WRONG), Failed(Why.MALFORMED)), at


def test_pieces_stand_in_one_order_and_none_stands_twice() -> None:
    challenges = begin()
    text, answer = issue(challenges, effort=3)
    one, two, three = (answer[at : at + 2 * WAGNER_BYTES] for at in range(0, len(answer), 2 * WAGNER_BYTES))

    for wrong in (two + one + three, one + three + two, one + one + two, one + two + two, one * 3):
        assert verified(challenges, text, wrong) == Failed(Why.MALFORMED)
    assert isinstance(verified(challenges, text, one + two + three), Solved)


def test_less_or_more_than_was_asked_is_no_answer() -> None:
    challenges = begin()
    text, answer = issue(challenges, effort=3)

    for wrong in ("", answer[:-2], answer + "00", answer[: 2 * WAGNER_BYTES], "zz" + answer[2:], "\u0661" + answer[1:]):
        assert verified(challenges, text, wrong) == Failed(Why.MALFORMED)


def test_a_text_that_is_too_long_is_not_looked_at() -> None:
    challenges = begin()
    text, answer = issue(challenges)

    assert verified(challenges, text + "0", answer) == Failed(Why.FORGED)
    assert verified(challenges, text + "0" * TEXT_MOST, answer) == Failed(Why.MALFORMED)


def test_the_answer_of_one_challenge_is_none_of_another() -> None:
    challenges = begin()
    text, _ = issue(challenges)
    _, answer = issue(challenges, effort=3)

    assert verified(challenges, text, answer[: 2 * WAGNER_BYTES]) == Failed(Why.WRONG)


def test_wrong_answers_that_are_half_right_end_a_challenge_and_garbage_does_not() -> None:
    """Who did one piece of work cannot have it checked again and again; who sends garbage burns nothing."""
    challenges = begin()
    text, answer = issue(challenges, effort=3)
    garbage = "00000001" + answer[8 : -2 * WAGNER_BYTES] + "ff" * WAGNER_BYTES
    half_right = answer[: -2 * WAGNER_BYTES] + "ff" * WAGNER_BYTES

    assert {verified(challenges, text, garbage) for _ in range(10)} == {Failed(Why.MALFORMED)}
    first_wrong = answer[: 2 * WAGNER_BYTES - 2] + "00" + answer[2 * WAGNER_BYTES :]
    assert {verified(challenges, text, first_wrong) for _ in range(10)} == {Failed(Why.WRONG)}
    assert isinstance(verified(challenges, text, answer), Solved)
    assert [verified(challenges, text, half_right) for _ in range(4)] == [
        *[Failed(Why.WRONG)] * 3,
        Failed(Why.EXHAUSTED),
    ]
    assert verified(challenges, text, answer) == Failed(Why.EXHAUSTED)


def test_what_is_remembered_of_wrong_answers_is_bounded_and_the_first_is_forgotten() -> None:
    challenges = begin(ChallengePlan(failing_most=1, wrong_most=1))
    one, answer_of_one = issue(challenges, effort=3)
    two, answer_of_two = issue(challenges, PuzzleName.SHA256, 2)

    verified(challenges, one, answer_of_one[: -2 * WAGNER_BYTES] + "ff" * WAGNER_BYTES)
    assert verified(challenges, one, answer_of_one) == Failed(Why.EXHAUSTED)
    verified(challenges, two, answer_of_two[:-2] + "00")
    assert verified(challenges, two, answer_of_two) == Failed(Why.EXHAUSTED)
    assert isinstance(verified(challenges, one, answer_of_one), Solved)


@given(st.text(max_size=140), st.text(max_size=80))
def test_any_text_is_answered_and_none_counts(text: str, answer: str) -> None:
    assert isinstance(verified(ANY, text, answer), Failed)


# ---------------------------------------------------------------- issuing


@given(st.sampled_from(Scope), st.sampled_from(PuzzleName), st.integers(1, 10**6), st.floats(0, 4e9))
def test_every_challenge_fits_its_size_and_is_known_again(
    scope: Scope, puzzle: PuzzleName, effort: int, now: float
) -> None:
    challenges = begin()
    text = challenges.issue(scope, SUBJECT, effort, puzzle, now, bytes(16))

    assert len(text) <= TEXT_MOST
    assert text.isprintable()
    assert int(text.split(".")[2]) == min(effort, ChallengePlan().effort_most)
    assert challenges.verify(text, "", scope, SUBJECT, now) == Failed(Why.MALFORMED), "all but the answer was good"


@pytest.mark.parametrize(("effort", "entropy"), [(0, bytes(16)), (-1, bytes(16)), (1, bytes(15)), (1, b"")])
def test_no_effort_is_no_challenge_and_an_id_is_random(effort: int, entropy: bytes) -> None:
    with pytest.raises(ValueError, match="a challenge needs"):
        begin().issue(Scope.WAIT, SUBJECT, effort, PuzzleName.WAGNER, NOW, entropy)


def test_a_short_secret_and_a_lifetime_that_no_key_covers_are_refused() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        Challenges(MASTER[:31], ChallengePlan())
    for lifetime_s in (0, 601):
        with pytest.raises(ValueError, match="at most 600 s"):
            Challenges(MASTER, ChallengePlan(lifetime_s=lifetime_s))


def test_keys_change_and_an_older_challenge_is_still_known() -> None:
    """Over a day of issuing, only the keys that can still be asked for are kept."""
    challenges = begin()
    text, answer = issue(challenges)
    for epoch in range(1, 289):
        late = challenges.issue(Scope.WAIT, SUBJECT, 1, PuzzleName.WAGNER, NOW + epoch * 300, bytes(16))
        assert challenges.verify(late, "", Scope.WAIT, SUBJECT, NOW + epoch * 300 + 599) == Failed(Why.MALFORMED)

    assert isinstance(verified(challenges, text, answer), Solved), "derived again where a clock was set back"
