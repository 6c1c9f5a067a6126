"""A flood is seen by what had to be refused, and is not forgotten between two waves."""

from __future__ import annotations

from tidegate.core.capacity.pressure import FLOOD, HELD_S, WINDOW_S, Pressure


def test_a_few_refusals_are_no_flood_however_long_they_go_on() -> None:
    """Somebody who retries now and then must not push every newcomer of the day to the bottom."""
    pressure = Pressure()
    for minute in range(1000):
        pressure.refused(minute * WINDOW_S, times=10)
        assert not pressure.is_flooded(minute * WINDOW_S)


def test_many_refusals_in_a_minute_are_a_flood_until_a_while_after_the_last_wave() -> None:
    pressure = Pressure()
    for nth in range(int(FLOOD) + 1):
        pressure.refused(100.0 + nth * 0.01)
    assert pressure.is_flooded(101.0)
    assert pressure.is_flooded(100.0 + HELD_S - 1.0)
    assert not pressure.is_flooded(101.0 + HELD_S)
    pressure.refused(101.0 + HELD_S)
    assert not pressure.is_flooded(101.0 + HELD_S), "the first wave has run off"


def test_a_clock_that_steps_back_neither_hides_a_flood_nor_keeps_it_for_longer() -> None:
    pressure = Pressure()
    pressure.refused(1000.0, times=int(FLOOD))
    pressure.refused(10.0)
    assert pressure.is_flooded(1000.0 + HELD_S - 1.0)
    assert not pressure.is_flooded(1000.0 + HELD_S + 1.0)
