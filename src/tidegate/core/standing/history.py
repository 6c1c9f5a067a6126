"""What an account was served, by days.

A served day is a Unix day on which SERVED_DAY_TOKENS were served, and at least
APART_S after the last served day was counted: a burst of any size, also one
over midnight, is one day. Nothing else adds days: neither time alone, nor
accounts, nor tokens. While no day is counted, what there is halves every
half-life. Days are counted forward only, so a clock that steps back and forth
counts none twice; one that ran ahead counts none until the true time has caught
up.

`peak` is how many requests an account usually has in flight at the most. It
learns once for each served day, from the greatest number since the day before,
and rises by PEAK_STEP at the most: whoever takes over an account that asks one
thing at a time needs a month of days to make sixteen at once look usual.
"""

from __future__ import annotations

import math
from typing import Final

import msgspec

DAY_S: Final = 86_400.0

SERVED_DAY_TOKENS: Final = 64.0
"""Cost tokens that make a day a served one: a short answer, and no mere greeting."""

APART_S: Final = 8 * 3600.0
"""Least time between the moments at which two served days are counted."""

MOST_DAYS: Final = 400.0
"""More than any plan can ask for. No history is longer, so the longest is gone within a bounded time too."""

MOST_TOKENS: Final = 1e12

PEAK_STEP: Final = 0.5
_PEAK_WEIGHT: Final = 0.2
_MOST_IN_FLIGHT: Final = 1 << 16


class History(msgspec.Struct, frozen=True, kw_only=True):
    """What was served to one account. Nothing yet, by default.

    `days` and `tokens` stand as of `counted_at_s`, when the last served day was
    counted (Unix s); `days_at` tells what is left of them. `today_tokens` were
    served on the Unix day `last_day`, and `today_peak` is the greatest number in
    flight that `peak` has not learned from yet.
    """

    days: float = 0.0
    last_day: int = 0
    counted_at_s: float = 0.0
    tokens: float = 0.0
    today_tokens: float = 0.0
    peak: float = 1.0
    today_peak: int = 0

    def days_at(self, now: float, half_life_days: float) -> float:
        """The served days that still count. The day after a served one takes nothing away."""
        return self.days * self._left(now, half_life_days)

    @property
    def seen_at_s(self) -> float:
        """When something was served last (Unix s): to the day, and 0 when nothing was."""
        return max(self.counted_at_s, self.last_day * DAY_S)

    def fades_at_s(self, half_life_days: float) -> float:
        """When one day at most still counts, or when something was served last, if that is later (Unix s).

        Of two histories the one that fades later has more days left, to within a day, whenever they are asked: an
        order for a store that has no room for all, and no clock.
        """
        if self.days <= 1.0:
            return self.seen_at_s
        return max(self.seen_at_s, self.counted_at_s + DAY_S * (1.0 + half_life_days * math.log2(self.days)))

    def with_served(
        self, cost_tokens: float, in_flight: int, now: float, half_life_days: float, *, is_counting: bool = True
    ) -> History:
        """The history with one request more; not `is_counting`, it earns no day."""
        cost_tokens = _within(cost_tokens, MOST_TOKENS)
        day = max(self.last_day, int(now // DAY_S))
        earlier_today = self.today_tokens if day == self.last_day else 0.0
        served = msgspec.structs.replace(
            self,
            last_day=day,
            today_tokens=min(MOST_TOKENS, earlier_today + cost_tokens),
            tokens=min(MOST_TOKENS, self.tokens + cost_tokens),
            today_peak=max(self.today_peak, _in_flight(in_flight)),
        )
        is_a_day = served.today_tokens >= SERVED_DAY_TOKENS and day > int(self.counted_at_s // DAY_S)
        if not is_counting or not is_a_day or now < self.counted_at_s + APART_S:
            return served
        left = self._left(now, half_life_days)
        before_today = max(0.0, self.tokens - earlier_today)
        return msgspec.structs.replace(
            served,
            days=min(MOST_DAYS, self.days * left + 1.0),
            counted_at_s=now,
            tokens=min(MOST_TOKENS, before_today * left + served.today_tokens),
            peak=self._learned_peak(),
            today_peak=_in_flight(in_flight),
        )

    def lost(self) -> History:
        """Nothing of it counts any more. What was counted today is not counted today again."""
        return History(last_day=self.last_day, counted_at_s=self.counted_at_s)

    def _left(self, now: float, half_life_days: float) -> float:
        idle_days = (now - self.counted_at_s) / DAY_S - 1.0
        return float(0.5 ** (idle_days / half_life_days)) if idle_days > 0.0 else 1.0

    def _learned_peak(self) -> float:
        if not self.today_peak:
            return self.peak
        return self.peak + min(PEAK_STEP, _PEAK_WEIGHT * (self.today_peak - self.peak))


def _within(value: float, most: float) -> float:
    # Written so that what is not a number is nothing.
    return min(value, most) if value > 0.0 else 0.0


def _in_flight(number: int) -> int:
    return min(max(1, number), _MOST_IN_FLIGHT)
