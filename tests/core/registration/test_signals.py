"""A few cases decide nothing."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.core.registration.signals import Share, Signals


@pytest.mark.parametrize(
    ("share", "least", "most"),
    [
        (Share(0, 0), 0.0, 1.0),
        (Share(1, 1), 0.2065, 1.0),
        (Share(5, 10), 0.2366, 0.7634),
        (Share(0, 35), 0.0, 0.0989),
        (Share(950, 1000), 0.9347, 0.9619),
    ],
)
def test_a_share_is_known_as_well_as_wilsons_interval_says(share: Share, least: float, most: float) -> None:
    assert share.least == pytest.approx(least, abs=1e-4)
    assert share.most == pytest.approx(most, abs=1e-4)


@given(st.integers(0, 10_000), st.integers(0, 10_000))
def test_the_counted_share_lies_within_and_more_cases_narrow_it(hits: int, misses: int) -> None:
    share, more = Share(hits, hits + misses), Share(hits * 4, (hits + misses) * 4)
    assert 0.0 <= share.least <= share.most <= 1.0
    if share.of:
        assert share.least - 1e-9 <= share.part <= share.most + 1e-9
        assert more.most - more.least < share.most - share.least


def test_crowding_is_a_multiple_of_what_is_usual() -> None:
    assert Signals(at=0.0, attempts_per_min=12.0, baseline_per_min=6.0).crowding == 2.0
    assert Signals(at=0.0, attempts_per_min=12.0, baseline_per_min=0.0).crowding == math.inf
