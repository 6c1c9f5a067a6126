"""Those who left an address get their turns, and those who stand in line wait little for it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tidegate.core.registration.turns import MOST_AT_ONCE, Turns


def test_while_a_line_stands_a_quarter_of_the_turns_is_theirs() -> None:
    turns = Turns()
    turns.wanted = 1000
    given_away = 0
    for _ in range(400):
        share = turns.share(1, 50)
        given_away += share
        turns.used(share, share)
    assert given_away == 100


def test_without_a_line_all_turns_are_theirs() -> None:
    turns = Turns()
    turns.wanted = 4
    assert turns.room == 4
    assert turns.share(4, 0) == 4
    assert turns.room == 0


def test_what_was_not_used_while_nobody_had_left_an_address_is_not_owed_later() -> None:
    turns = Turns()
    assert turns.share(1000, 1000) == 0
    turns.wanted = 100
    assert turns.share(4, 1000) == 1


def test_when_fewer_were_found_than_were_thought_the_line_gets_the_turns_again() -> None:
    turns = Turns()
    turns.wanted = 8
    turns.share(8, 0)
    turns.used(8, 3)
    assert (turns.granted, turns.wanted, turns.room) == (0, 0, 0)


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40), st.integers(0, 40)), max_size=50))
def test_nobody_gets_more_turns_than_there_are_nor_than_they_can_use(ticks: list[tuple[int, int, int]]) -> None:
    """And of the turns that are not theirs, the line can use every one."""
    turns = Turns()
    for came, taken, in_line in ticks:
        turns.wanted += came
        permits, room = min(taken, in_line + turns.room), turns.room
        share = turns.share(permits, in_line)
        assert 0 <= share <= min(permits, room)
        assert permits - share <= in_line
        assert turns.granted <= MOST_AT_ONCE
        turns.used(turns.granted, turns.granted)
        assert turns.wanted >= 0


def test_what_is_owed_is_paid_from_turns_that_there_are() -> None:
    turns = Turns()
    turns.wanted = 1
    assert turns.share(8, 7) == 1
    turns.wanted = 2
    assert turns.share(0, 0) == 0
