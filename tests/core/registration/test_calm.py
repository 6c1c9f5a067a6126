"""In calm nobody is asked for anything; from the first sign-up that is too many, everybody is."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tidegate.core.registration.calm import HELD_S, Calm


def test_an_everyday_rate_asks_nothing_of_anybody() -> None:
    calm = Calm(6.0, 3.0)
    for minute in range(600):
        calm.came(minute * 10.0)
        assert calm.holds(minute * 10.0)


def test_the_first_that_is_too_many_ends_the_calm_and_a_while_of_quiet_brings_it_back() -> None:
    calm = Calm(6.0, 3.0)
    for _ in range(3):
        calm.came(0.0)
    assert calm.holds(0.0)
    calm.came(0.0)
    assert not calm.holds(0.0)
    assert not calm.holds(HELD_S - 0.1)
    assert calm.holds(HELD_S)


@given(st.lists(st.floats(0.01, 0.2), min_size=50, max_size=400))
def test_a_flood_gets_no_more_than_came_at_once_however_long_it_lasts(gaps: list[float]) -> None:
    """A bucket that refills would give out an account every few seconds for as long as it goes on."""
    calm, now, let_in = Calm(6.0, 5.0), 0.0, 0
    for gap in gaps:
        now += gap
        calm.came(now)
        let_in += calm.holds(now)
    assert let_in <= 5 + now * 6.0 / 60.0 + 1
    assert not calm.holds(now), "and it is not over while they come"


def test_many_that_are_counted_together_are_counted_each() -> None:
    calm = Calm(6.0, 5.0)
    calm.came(0.0, 5)
    assert calm.holds(0.0)
    calm.came(0.0, 1000)
    assert not calm.holds(0.0)


def test_other_bounds_count_from_then_on() -> None:
    calm = Calm(6.0, 5.0)
    calm.replan(6.0, 1.0)
    calm.came(0.0, 2)
    assert not calm.holds(0.0)
