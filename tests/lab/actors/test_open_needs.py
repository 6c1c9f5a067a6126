"""What a life tells of a need when the rehearsal ends before they could try again."""

from __future__ import annotations

import pytest

from tests.lab.actors.scenarios import dice
from tidegate.lab.actors.retrying import CURRENT, Bug, asking
from tidegate.lab.acts import Ask, Chat, Ended, Group, Life, Need, Outcome, OverError, Wait, Who, last_words

SOMEBODY = Who(name="somebody", group=Group.NEW, address=11 << 24, has_account=True)
QUESTION = Chat(prompt_tokens=50, answer_tokens=20)
REFUSED = Outcome(asked_at_s=5.0, ended_at_s=5.0, status=429, reason="slow_down")


def _asking(what: Chat = QUESTION) -> Life:
    yield from asking(SOMEBODY, what, Need.CHAT, CURRENT, dice())


def test_who_waits_to_try_again_tells_that_the_need_is_open() -> None:
    life = _asking()
    assert isinstance(next(life), Ask)
    assert isinstance(life.send(REFUSED), Wait)

    assert list(last_words(life)) == [Ended(SOMEBODY, Need.CHAT, 5.0, 1, REFUSED, is_open=True)]


def test_so_does_who_was_just_going_to_ask_again() -> None:
    life = _asking()
    next(life)
    life.send(REFUSED)
    assert isinstance(next(life), Ask)

    assert [(one.is_open, one.tries) for one in last_words(life)] == [(True, 1)]


def test_who_has_not_begun_or_is_in_for_the_first_time_has_nothing_to_tell() -> None:
    fresh, asked = _asking(), _asking()
    next(asked)

    assert [*last_words(fresh), *last_words(asked)] == []


def test_a_need_that_ended_is_not_open() -> None:
    life = asking(SOMEBODY, QUESTION, Need.CHAT, Bug(most_retries=0), dice())
    next(life)

    assert life.send(REFUSED) == Ended(SOMEBODY, Need.CHAT, 5.0, 1, REFUSED)


@pytest.mark.parametrize(("is_stream", "tokens"), [(True, 0), (False, 20)])
def test_only_of_an_answer_in_one_piece_it_is_told_how_long_it_was_to_be(*, is_stream: bool, tokens: int) -> None:
    life = _asking(Chat(prompt_tokens=50, answer_tokens=20, is_stream=is_stream))
    next(life)
    life.send(REFUSED)

    assert [one.whole_tokens for one in last_words(life)] == [tokens]


def test_nothing_but_needs_is_heeded_of_a_life_that_is_over() -> None:
    told: list[str] = []

    def stubborn() -> Life:
        try:
            yield Wait(1.0)
        except OverError:
            yield Wait(9.0)
            told.append("went on")

    life = stubborn()
    next(life)

    assert list(last_words(life)) == []
    assert told == []
