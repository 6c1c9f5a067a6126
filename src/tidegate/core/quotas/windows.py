"""The four windows that budgets are counted in: calendar windows in UTC, each with a number and an end.

A window is a calendar minute, hour, day or month: it begins and ends for
everybody at the same moment, so that a person can be told "again at 00:00 UTC".
A sliding window would have no such moment: what it lets through depends on when
each token was used, and exact sliding needs a memory of all of them. The price
is that two windows' budgets can be used around the moment where they meet. How
fast the engine is used is not for budgets to bound: that is what admission does.
(`draft-ietf-httpapi-ratelimit-headers`, section 2.3, leaves the kind of window to
the server, as long as the reset that it tells is true.)
"""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import Final


class Window(StrEnum):
    """How long a budget is for."""

    MINUTE = "minute"
    HOUR = "hour"
    DAY = "day"
    MONTH = "month"


_LENGTHS_S: Final = {Window.MINUTE: 60, Window.HOUR: 3600, Window.DAY: 86400}
_MONTHS: Final = 12


def number_of(window: Window, now: float) -> int:
    """Which of its kind a window is that holds the moment `now` (Unix s): one more than the one before it."""
    length_s = _LENGTHS_S.get(window)
    if length_s is not None:
        return int(now // length_s)
    moment = datetime.fromtimestamp(now, UTC)
    return moment.year * _MONTHS + moment.month - 1


def ends_at(window: Window, number: int) -> float:
    """When the window of this number ends, which is when the next one begins (Unix s)."""
    length_s = _LENGTHS_S.get(window)
    if length_s is not None:
        return float((number + 1) * length_s)
    year, month = divmod(number + 1, _MONTHS)
    return datetime(year, month + 1, 1, tzinfo=UTC).timestamp()
