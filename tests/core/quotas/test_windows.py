"""Calendar windows in UTC."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.core.quotas.windows import Window, ends_at, number_of

_MOMENTS = st.floats(0, 4e9)


@given(window=st.sampled_from(Window), now=_MOMENTS)
def test_the_end_that_is_told_is_the_first_moment_of_the_next_window(window: Window, now: float) -> None:
    """Nobody who waits for it comes too early, and nobody waits longer than a window lasts."""
    number = number_of(window, now)

    assert now < ends_at(window, number)
    assert number_of(window, ends_at(window, number)) == number + 1
    assert number_of(window, ends_at(window, number - 1)) == number


@pytest.mark.parametrize(
    ("window", "ends"),
    [
        (Window.MINUTE, datetime(2027, 12, 31, 23, 59, tzinfo=UTC)),
        (Window.HOUR, datetime(2028, 1, 1, tzinfo=UTC)),
        (Window.DAY, datetime(2028, 1, 1, tzinfo=UTC)),
        (Window.MONTH, datetime(2028, 1, 1, tzinfo=UTC)),
    ],
)
def test_windows_end_where_a_calendar_in_utc_says(window: Window, ends: datetime) -> None:
    """At full minutes and hours, at midnight, and on the first of a month, also at the turn of a year."""
    now = datetime(2027, 12, 31, 23, 58, 59, tzinfo=UTC).timestamp()

    assert ends_at(window, number_of(window, now)) == ends.timestamp()


def test_a_february_of_a_leap_year_has_its_day_more() -> None:
    """Months are as long as they are."""
    now = datetime(2028, 2, 29, 12, tzinfo=UTC).timestamp()

    assert ends_at(Window.MONTH, number_of(Window.MONTH, now)) == datetime(2028, 3, 1, tzinfo=UTC).timestamp()
