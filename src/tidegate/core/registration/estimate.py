"""How long a wait will be: what half of people need at most, and what nine of ten need at most.

The median: those ahead leave by being admitted (`rate`) or by giving up (a share
`leaving_per_s` of them each second), so `ahead` is worked off after
ln(1 + leaving * ahead / rate) / leaving. While the window of arrival is open, later
arrivals may draw a better place; the expected number of them is added.

The ninth decile: the rate rests on `weight` admissions, so it is a gamma variable of
that shape, of relative spread 1/sqrt(weight) (and the same for the number ahead), and
rates change while people wait. By how much, and which way this errs, cannot be known
beforehand; it is learned from promises that were kept and missed (see `calibration`).
"""

from __future__ import annotations

import math
from bisect import bisect_left
from typing import Final

import msgspec

from tidegate.core.registration.calibration import Correction

_Z90: Final = 1.2816
_DRIFT: Final = 0.3
_MOST_RATIO: Final = 2.6
_ROUNDS: Final = 6
_LONGEST_S: Final = 172_800.0
_STEPS: Final = tuple(
    float(seconds)
    for seconds in (
        *(15, 30, 45, 60, 90, 120, 150, 180, 240, 300, 360, 420, 480, 600, 720, 900, 1080, 1200, 1500, 1800),
        *(2100, 2400, 2700, 3000, 3600, 4500, 5400, 6300, 7200, 9000, 10_800, 12_600, 14_400, 18_000, 21_600),
        *(28_800, 36_000, 43_200, 57_600, 72_000, 86_400, 115_200, 144_000, 172_800),
    )
)


class Estimate(msgspec.Struct, frozen=True):
    """Half of those who are told this wait `p50_s` at most, nine of ten `p90_s`.

    Where `is_known` is False both are 0: too little was seen to tell.
    """

    p50_s: float
    p90_s: float
    is_known: bool


NOT_KNOWN: Final = Estimate(0.0, 0.0, is_known=False)


class Prospect(msgspec.Struct, frozen=True, kw_only=True):
    """What an estimate rests on.

    `rate` admits from all lanes together, `part` of it from this one; `beside` wait in
    the other, where `beside_per_s` arrive. `overtaking_per_s` is the rate of arrivals that draw a better place, for
    as long as the window stays open (`open_s`). `lag_s` passes until somebody looks.
    """

    ahead: int
    rate: float
    weight: float
    part: float = 1.0
    beside: int = 0
    beside_per_s: float = 0.0
    leaving_per_s: float = 0.0
    beside_leaving_per_s: float = 0.0
    overtaking_per_s: float = 0.0
    open_s: float = 0.0
    lag_s: float = 0.0


def estimate(prospect: Prospect, correction: Correction) -> Estimate:
    """The wait, in ranges that people read: rounded up, and never wider than three to one."""
    computed_s = _median_s(prospect)
    spread = math.sqrt(_Z90**2 * (1.0 / (prospect.weight + 1.0) + 1.0 / (prospect.ahead + 2.0)) + _DRIFT**2)
    median_s = computed_s
    high_s = computed_s * min(_MOST_RATIO, math.exp(correction.high * spread))
    p90_s = rounded_up_s(max(median_s, high_s) + prospect.lag_s)
    p50_s = min(rounded_up_s(median_s + prospect.lag_s / 2.0), p90_s)
    return Estimate(max(p50_s, rounded_up_s(p90_s / 3.0)), p90_s, is_known=True)


def rounded_up_s(wait_s: float) -> float:
    """The next longer wait that one would say."""
    return _STEPS[min(bisect_left(_STEPS, wait_s), len(_STEPS) - 1)]


def _median_s(prospect: Prospect) -> float:
    wait_s = 0.0
    for _ in range(_ROUNDS):
        ahead = prospect.ahead + 1 + prospect.overtaking_per_s * min(wait_s, prospect.open_s)
        own_s = _worked_off_s(ahead, prospect.rate * prospect.part, prospect.leaving_per_s)
        # Once the other lane is empty, all of the outflow is this one's.
        others = prospect.beside + prospect.beside_per_s * wait_s
        leaving_per_s = prospect.leaving_per_s * ahead + prospect.beside_leaving_per_s * others
        together_s = _worked_off_s(ahead + others, prospect.rate, leaving_per_s / (ahead + others))
        wait_s = min(own_s, together_s, _LONGEST_S)
    return wait_s


def _worked_off_s(ahead: float, rate: float, leaving_per_s: float) -> float:
    if rate <= 0.0:
        return math.inf
    gone = leaving_per_s * ahead / rate
    return math.log1p(gone) / leaving_per_s if gone > 0.0 else ahead / rate
