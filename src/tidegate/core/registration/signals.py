"""What the mode machine is told every few seconds. None is "not known", and never counts as good or bad."""

from __future__ import annotations

import math
from enum import StrEnum
from typing import Final

import msgspec

_CONFIDENCE: Final = 1.96
"""Standard normal quantile of a two-sided 95 % interval."""


class Verdict(StrEnum):
    """What the diagnosis, where there is one, holds for the likeliest."""

    SURGE = "surge"
    FLOOD = "flood"
    SIGNUP_ABUSE = "signup_abuse"


class Share(msgspec.Struct, frozen=True):
    """So many `hits` in so many (`of`). A few cases decide nothing: ask `least` and `most`."""

    hits: int
    of: int

    @property
    def part(self) -> float:
        """The share as counted; 0 of none."""
        return self.hits / self.of if self.of else 0.0

    @property
    def least(self) -> float:
        """Lower end of Wilson's 95 % interval (Wilson 1927): the share is at least this."""
        return max(0.0, self._centre() - self._half_width())

    @property
    def most(self) -> float:
        """Upper end of the same interval."""
        return min(1.0, self._centre() + self._half_width())

    def _centre(self) -> float:
        square = _CONFIDENCE**2
        return (self.hits + square / 2) / (self.of + square)

    def _half_width(self) -> float:
        square = _CONFIDENCE**2
        inner = self.part * (1.0 - self.part) * self.of + square / 4
        return _CONFIDENCE * math.sqrt(inner) / (self.of + square)


class Signals(msgspec.Struct, frozen=True, kw_only=True):
    """One sample.

    `at` is Unix time. `headroom` is the free share (0-1) of token capacity after
    existing users. `attempts_per_min` are sign-ups tried within the last 60 s,
    whatever became of them; a shorter span would let pulses slip through.
    `baseline_per_min` is what is usual at this hour. `abuse` and `verified` count
    accounts that were made since the present mode began (`Machine.since`), so that
    they tell whether this mode holds; see `Joined`. `mail_left` is the free share
    of the mail budget; `queue_s` the wait of whoever comes last now.
    """

    at: float
    attempts_per_min: float
    baseline_per_min: float
    headroom: float | None = None
    abuse: Share | None = None
    verified: Share | None = None
    mail_left: float | None = None
    queue_s: float | None = None
    verdict: Verdict | None = None

    @property
    def crowding(self) -> float:
        """How many times the usual rate is tried."""
        return self.attempts_per_min / self.baseline_per_min if self.baseline_per_min > 0 else math.inf
