"""When strangers are said to guess passwords, and when no longer."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.core.entering.pressure import GuessingPressure, PressurePlan

CAPACITY = 6.7
PLAN = PressurePlan()
LEAST = PLAN.least_part * CAPACITY


def beset(pressure: GuessingPressure, rate: float, seconds: float, now: float = 0.0) -> float | None:
    """Let so many miss a second; answers after how many seconds it is an attack."""
    for number in range(int(rate * seconds)):
        at = now + number / rate
        pressure.missed(at, CAPACITY)
        if pressure.is_attacked(at, CAPACITY):
            return at - now
    return None


@given(times=st.floats(1.5, 200.0))
def test_a_flood_is_seen_within_five_seconds(times: float) -> None:
    seen_after_s = beset(GuessingPressure(PLAN), times * LEAST, 10.0)

    assert seen_after_s is not None
    assert seen_after_s <= 5.0


@given(part=st.floats(0.01, 0.9))
def test_a_steady_rate_below_the_least_limit_is_no_attack(part: float) -> None:
    assert beset(GuessingPressure(PLAN), part * LEAST, 600.0) is None


@pytest.mark.parametrize("seed", range(3))
def test_a_days_slips_at_their_own_times_are_no_attack(seed: int) -> None:
    """
    One in five seconds at random: four times as many as a service with a thousand sign-ins an hour sees.
    """
    dice, pressure, now = Random(seed), GuessingPressure(PLAN), 0.0
    while now < 86_400.0:
        now += dice.expovariate(0.2)
        pressure.missed(now, CAPACITY)
        assert not pressure.is_attacked(now, CAPACITY)


def test_it_is_over_only_when_the_slow_average_has_fallen_and_the_time_has_passed() -> None:
    pressure = GuessingPressure(PLAN)
    beset(pressure, 200.0, 10.0)
    for number in range(2000):
        pressure.missed(number / 200.0, CAPACITY)

    assert pressure.is_attacked(10.0 + PLAN.held_s - 1.0, CAPACITY)
    quiet = next(s for s in range(1000) if not pressure.is_attacked(10.0 + s, CAPACITY))
    assert PLAN.held_s <= quiet <= 4 * PLAN.held_s
    assert pressure.level(10.0 + quiet, CAPACITY) == 0


@given(on_s=st.floats(0.5, 300.0), off_s=st.floats(0.5, 300.0))
def test_an_attacker_who_comes_and_goes_turns_it_over_no_more_often_than_it_is_held(on_s: float, off_s: float) -> None:
    pressure, now, turned, was = GuessingPressure(PLAN), 0.0, 0, False
    while now < 900.0:
        for number in range(int(on_s * 8.0)):
            pressure.missed(now + number / 8.0, CAPACITY)
        now += on_s
        for later in (0.0, off_s / 2, off_s):
            turned += pressure.is_attacked(now + later, CAPACITY) and not was
            was = pressure.is_attacked(now + later, CAPACITY)
        now += off_s
    assert turned <= 1 + now / PLAN.held_s


def test_what_is_usual_is_learned_but_half_of_the_lane_is_an_attack_always() -> None:
    """
    A service where one stranger a second mistypes learns that this is so; ten a second are an attack to the end.
    """
    pressure = GuessingPressure(PLAN)
    beset(pressure, 1.0, 6 * 3600.0)
    assert not pressure.is_attacked(6 * 3600.0, CAPACITY)
    assert beset(pressure, LEAST * 1.2, 20.0, now=6 * 3600.0) is None, "it would have been, without that past"
    assert beset(GuessingPressure(PLAN), LEAST * 1.2, 20.0) is not None

    now = 6 * 3600.0 + 100.0
    assert beset(pressure, 10.0, 5.0, now=now) is not None
    for number in range(36_000):
        pressure.missed(now + number / 10.0, CAPACITY)
    assert pressure.is_attacked(now + 3600.0, CAPACITY)


def test_the_level_rises_by_fours_to_its_most_and_falls_with_the_slow_average() -> None:
    levels, pressure = [], GuessingPressure(PLAN)
    for times in (1.5, 5.0, 20.0, 70.0, 1000.0):
        pressure = GuessingPressure(PLAN)
        for number in range(int(40 * times * LEAST)):
            pressure.missed(number / (times * LEAST), CAPACITY)
        levels.append(pressure.level(40.0, CAPACITY))
    assert levels == [1, 2, 3, 4, 4]
    assert pressure.level(130.0, CAPACITY) == 3
    assert GuessingPressure(PLAN).level(0.0, CAPACITY) == 0


def test_a_clock_that_is_set_back_neither_ends_an_alarm_nor_keeps_it_on() -> None:
    pressure = GuessingPressure(PLAN)
    beset(pressure, 50.0, 10.0, now=1e6)

    assert pressure.is_attacked(10.0, CAPACITY)
    assert pressure.is_attacked(10.0 + PLAN.held_s - 1.0, CAPACITY)
    assert not pressure.is_attacked(10.0 + PLAN.held_s, CAPACITY)
