"""Effort is 0 in calm, rises under load to what phones can do, and nobody's claims move it beyond either end."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.core.challenge.effort import EffortControl, Load
from tidegate.core.challenge.plan import EffortPlan

PLAN = EffortPlan(cap_most=12)
CALM = Load(shed=0, waiting_s=0.0)
SHEDDING = Load(shed=5, waiting_s=0.0)
WAITING = Load(shed=0, waiting_s=1.0)
START = 1.8e9
WITHIN_STEPS = 12
"""After so many quiet periods, a minute, the suggestion is 0 from anywhere."""


def reports(control: EffortControl, count: int, piece_s: float, now: float = START, by: str = "honest") -> None:
    for number in range(count):
        assert control.note_solved(f"{by}{number}".encode(), piece_s * 2, piece_s * 2 + 5.0, 2, now)


def test_nothing_is_asked_in_calm() -> None:
    control = EffortControl(PLAN)

    assert control.effort == 0
    assert [control.step(CALM, START + 5 * period) for period in range(100)] == [0] * 100
    assert not control.is_at_cap


@pytest.mark.parametrize("load", [SHEDDING, WAITING])
def test_under_load_it_rises_by_half_and_one_at_most_and_stops_at_the_cap(load: Load) -> None:
    control = EffortControl(PLAN)
    suggested = []
    for period in range(14):
        for _ in range(5):
            control.note_admitted(10_000)
        suggested.append(control.step(load, START + 5 * period))

    assert suggested[:6] == [1, 2, 4, 7, 11, 12]
    assert set(suggested[6:]) == {12}
    assert control.is_at_cap


def test_it_rises_slowly_where_nobody_offers_more() -> None:
    control = EffortControl(PLAN)

    suggested = []
    for period in range(4):
        control.note_admitted(control.effort)
        suggested.append(control.step(SHEDDING, START + 5 * period))
    assert suggested == [1, 2, 3, 4]


def test_a_few_who_offer_much_do_not_move_the_median() -> None:
    """Five of ten do, at 100 times the effort: the suggestion still goes up by one."""
    control = EffortControl(PLAN)
    for _ in range(5):
        control.note_admitted(1)
        control.note_admitted(100)
    control.step(SHEDDING, START)
    for _ in range(5):
        control.note_admitted(1)
        control.note_admitted(100)

    assert control.step(SHEDDING, START + 5) == 2


def test_only_the_last_period_counts() -> None:
    control = EffortControl(PLAN)
    for period in range(3):
        for _ in range(20):
            control.note_admitted(100)
        control.step(SHEDDING, START + 5 * period)
    assert control.effort == 4
    control.note_admitted(4)

    assert control.step(SHEDDING, START + 15) == 5


def test_it_moves_once_a_period_and_a_clock_set_back_does_not_stop_it() -> None:
    control = EffortControl(PLAN)

    assert control.step(SHEDDING, START) == 1
    assert control.step(SHEDDING, START + 4.9) == 1
    assert control.step(SHEDDING, START + 5) == 2
    assert control.step(SHEDDING, START - 86_400) == 3


@given(
    st.lists(
        st.tuples(
            st.integers(-5, 10**9),  # effort of somebody admitted
            st.floats(0, 1e6),  # reported time
            st.floats(0, 1e6),  # time since the issue
            st.integers(0, 10**6),  # effort of the report
            st.sampled_from([CALM, SHEDDING, WAITING]),
            st.floats(0, 4000),
        ),
        max_size=60,
    )
)
def test_no_claim_moves_it_beyond_the_plans_ends_and_calm_brings_it_back(
    steps: list[tuple[int, float, float, int, Load, float]],
) -> None:
    control = EffortControl(PLAN)
    now = START
    for number, (admitted, solve_s, age_s, effort, load, passed_s) in enumerate(steps):
        now += passed_s
        before = control.effort
        control.note_admitted(admitted)
        control.note_solved(number.to_bytes(4, "big"), solve_s, age_s, effort, now)
        suggested = control.step(load, now)
        assert PLAN.cap_least <= control.cap <= PLAN.cap_most
        assert suggested <= min(control.cap, before * 3 // 2 + 1)
    for period in range(1, WITHIN_STEPS + 1):
        control.step(CALM, now + 5 * period)
    assert control.effort == 0


def test_an_inflater_drives_it_to_the_cap_and_no_further_and_it_is_over_when_they_stop() -> None:
    """Tor's proposal 362: they solve a hundredfold, are most of the admitted, and say that it took no time."""
    control = EffortControl(PLAN)
    reports(control, 50, piece_s=1.0)
    for period in range(120):
        for number in range(200):
            control.note_admitted(100 * max(1, control.effort))
            control.note_solved(f"bot{number % 5}".encode(), 0.01, 10.0, 100, START + 5 * period)
        assert control.step(SHEDDING, START + 5 * period) <= 8, "a second for a piece, eight in the budget"
    steps_down = [control.step(CALM, START + 600 + 5 * period) for period in range(WITHIN_STEPS)]

    assert control.effort == 0
    assert steps_down[:3] == [5, 3, 2]


def test_bots_that_solve_in_no_time_raise_the_cap_to_the_plans_and_no_further() -> None:
    control = EffortControl(PLAN)
    reports(control, 1000, piece_s=0.000_1, by="bot")

    control.step(CALM, START)

    assert control.cap == PLAN.cap_most


def test_bots_that_claim_to_be_slow_lower_it_to_the_plans_least_and_no_further() -> None:
    """Challenges cannot be switched off by claiming that nobody can solve them, and not at all by one network."""
    control = EffortControl(PLAN)
    reports(control, 100, piece_s=0.5)
    for _ in range(10_000):
        control.note_solved(b"one network", 500.0, 600.0, 1, START)
    control.step(CALM, START)
    assert control.cap == PLAN.cap_most

    reports(control, 1000, piece_s=250.0, by="bot")
    control.step(SHEDDING, START + 5)
    assert control.cap == PLAN.cap_least
    assert control.step(SHEDDING, START + 10) == PLAN.cap_least


def test_the_slowest_twentieth_decides() -> None:
    control = EffortControl(PLAN)
    reports(control, 90, piece_s=0.05)
    reports(control, 10, piece_s=2.0, by="phone")

    control.step(CALM, START)

    assert control.cap == 4


def test_few_reports_say_nothing_and_old_ones_are_forgotten() -> None:
    control = EffortControl(PLAN)
    reports(control, PLAN.samples_least - 1, piece_s=2.0)
    control.step(CALM, START)
    assert control.cap == PLAN.cap_most
    reports(control, PLAN.samples_least, piece_s=2.0)
    control.step(CALM, START + 5)
    assert control.cap == 4
    control.step(CALM, START + 3601)
    assert control.cap == PLAN.cap_most


def test_a_suggestion_above_a_lowered_cap_comes_down_at_once() -> None:
    control = EffortControl(PLAN)
    for period in range(14):
        control.step(SHEDDING, START + 5 * period)
    assert control.effort == 12
    reports(control, 50, piece_s=2.0, now=START + 100)

    assert control.step(SHEDDING, START + 100) == 4


def test_what_is_remembered_of_reports_is_bounded() -> None:
    control = EffortControl(EffortPlan(samples_most=30, cap_most=12))
    reports(control, 30, piece_s=4.0)
    reports(control, 30, piece_s=0.01, by="later")

    control.step(CALM, START)

    assert control.cap == PLAN.cap_most, "of the first thirty nothing is left"


@pytest.mark.parametrize(
    ("solve_s", "age_s", "effort"),
    [(11.1, 10.0, 1), (0.0, 10.0, 1), (-1.0, 10.0, 1), (float("nan"), 10.0, 1), (1.0, 10.0, 0)],
)
def test_a_report_that_cannot_be_true_is_not_taken(solve_s: float, age_s: float, effort: int) -> None:
    assert not EffortControl(PLAN).note_solved(b"somebody", solve_s, age_s, effort, START)
