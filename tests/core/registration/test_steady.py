"""Time goes forward, whatever the clock does."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tidegate.core.registration.steady import Steady


@given(st.lists(st.floats(0.0, 1e9), min_size=1))
def test_it_never_goes_back_and_a_peek_changes_nothing(readings: list[float]) -> None:
    steady, last = Steady(), 0.0
    for reading in readings:
        assert steady.peek(reading) >= last
        now = steady.at(reading)
        assert now >= last
        assert steady.peek(reading) == now
        last = now


def test_after_a_step_back_it_goes_on_as_fast_as_the_clock() -> None:
    steady = Steady()
    assert steady.at(1000.0) == 1000.0
    assert steady.at(400.0) == 1000.0
    assert steady.at(410.0) == 1010.0
    again = Steady(steady.latest, steady.time)
    assert again.at(420.0) == 1020.0
