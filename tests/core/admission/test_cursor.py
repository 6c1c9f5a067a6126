"""Under lasting overload the same people are let in for an hour, not everybody now and then."""

from __future__ import annotations

from tidegate.core.admission.cursor import Cursor

PEOPLE = [f"one{number}" for number in range(400)]


def overload(cursor: Cursor, now: float, seconds: int) -> float:
    for _ in range(seconds):
        now += 1.0
        cursor.saw(now, is_overloaded=True)
    return now


def test_everybody_is_let_in_while_there_is_room() -> None:
    cursor = Cursor()
    cursor.saw(1.0, is_overloaded=False)
    assert all(cursor.lets_in(one, 1.0) for one in PEOPLE)


def test_whoever_is_let_in_is_let_in_again_and_the_next_hour_others_are() -> None:
    cursor = Cursor()
    now = overload(cursor, 0.0, 20)
    assert 0.3 < cursor.part < 0.4
    let_in = {one for one in PEOPLE if cursor.lets_in(one, now)}
    assert 80 < len(let_in) < 200
    assert let_in == {one for one in PEOPLE if cursor.lets_in(one, now + 600.0)}
    assert let_in != {one for one in PEOPLE if cursor.lets_in(one, now + 3600.0)}


def test_it_moves_once_a_second_however_many_come_and_never_lets_in_nobody() -> None:
    cursor = Cursor()
    cursor.saw(1.0, is_overloaded=True)
    part = cursor.part
    for _ in range(1000):
        cursor.saw(1.5, is_overloaded=True)
    assert cursor.part == part
    overload(cursor, 1.0, 500)
    assert cursor.part > 0.0


def test_it_opens_again_when_it_is_over() -> None:
    cursor = Cursor()
    now = overload(cursor, 0.0, 100)
    for _ in range(100):
        now += 1.0
        cursor.saw(now, is_overloaded=False)
    assert cursor.part == 1.0


def test_a_clock_that_steps_back_does_not_stop_it() -> None:
    cursor = Cursor()
    overload(cursor, 1000.0, 3)
    part = cursor.part
    cursor.saw(5.0, is_overloaded=True)
    assert cursor.part < part
