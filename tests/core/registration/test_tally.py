"""What came lately is counted in bounded memory, and forgotten in time."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tidegate.core.registration.tally import Tally


def test_who_came_counts_for_a_minute() -> None:
    tally = Tally()
    tally.came(1000.0, 7)
    tally.came(1030.0)
    assert tally.per_min(1030.0) == 8.0
    assert tally.per_min(1061.0) == 1.0
    assert tally.per_min(1095.0) == 0.0
    assert tally.per_min(1e9) == 0.0


def test_a_clock_that_steps_back_loses_nothing() -> None:
    tally = Tally()
    tally.came(1000.0, 5)
    tally.came(400.0, 5)
    assert tally.per_min(400.0) == 10.0
    assert tally.per_min(1000.0) == 10.0


@given(st.lists(st.floats(0.0, 5000.0), max_size=60))
def test_no_minute_counts_more_than_came_in_it_and_a_step(gaps: list[float]) -> None:
    tally, now, came = Tally(), 1e6, []
    for gap in gaps:
        now += gap
        tally.came(now)
        came.append(now)
        within = sum(now - at <= 60.0 for at in came)
        surely = sum(now - at <= 55.0 for at in came)
        assert surely <= tally.per_min(now) <= within
