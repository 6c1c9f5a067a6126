"""Whether what people were told first came true, and what is learned from it.

Nine of ten shall be in within the `p90_s` that they were first told. Each promise that
is missed makes later ones longer, each that is kept makes them a little shorter, in
such a proportion that the share of those kept goes towards nine of ten whatever the
load does (adaptive conformal inference, Gibbs and Candes 2021). Within bounds: nobody
can make promises worthless, or too short, by looking in when it suits them.
"""

from __future__ import annotations

from typing import Final

import msgspec

_STEP: Final = 0.05
_HIGH_TARGET: Final = 0.88
"""A little below nine of ten: telling a longer wait, in round numbers, adds what is missing."""


class Correction(msgspec.Struct, frozen=True):
    """How many spreads above the median the ninth decile is told."""

    high: float = 1.25

    def after(self, waited_s: float, p90_s: float) -> Correction:
        """Corrected by one more outcome."""
        high = self.high + _STEP * (_HIGH_TARGET if waited_s > p90_s else _HIGH_TARGET - 1.0)
        return Correction(min(3.0, max(0.0, high)))


class Calibration:
    """Counts of promises by what became of them."""

    def __init__(self) -> None:
        """None was made."""
        self.kept = 0
        self.missed = 0
        self.correction = Correction()
        self._ratios = 0.0

    def came_in(self, waited_s: float, p50_s: float, p90_s: float) -> None:
        """Somebody who was first told this got in after so long, or waits still after so long and more than `p90_s`.

        Tell each once.
        """
        self._ratios += p90_s / p50_s
        self.correction = self.correction.after(waited_s, p90_s)
        if waited_s <= p90_s:
            self.kept += 1
        else:
            self.missed += 1

    @property
    def coverage(self) -> float | None:
        """The share of promises that were kept; None while none was to be judged."""
        total = self.kept + self.missed
        return self.kept / total if total else None

    @property
    def ratio(self) -> float | None:
        """How many times the `p50_s` the `p90_s` was, on average."""
        total = self.kept + self.missed
        return self._ratios / total if total else None
