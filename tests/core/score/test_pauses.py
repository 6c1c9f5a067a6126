"""The spread of pauses."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.core.score.pauses import log_ratio, log_spread, narrow_share, quantile, rank_correlation

LENGTHS = st.lists(st.floats(0.5, 1e4), min_size=4, max_size=40)


def test_a_quantile_lies_between_its_neighbours() -> None:
    assert [quantile([1.0, 2.0, 4.0], share) for share in (0.0, 0.25, 0.5, 1.0)] == [1.0, 1.5, 2.0, 4.0]


@given(LENGTHS, st.floats(1.0, 50.0))
def test_the_spread_is_the_same_however_fast_the_whole_goes(values: list[float], factor: float) -> None:
    assert log_spread([value * factor for value in values]) == pytest.approx(log_spread(values), abs=1e-6)


def test_a_timer_has_no_spread_and_a_reader_has() -> None:
    assert log_spread([5.0] * 9) == pytest.approx(0.0)
    assert log_spread([1.0, 3.0, 60.0, 8.0, 300.0]) > 1.5
    assert narrow_share([5.0, 5.0, 5.2, 5.4, 9.0]) == 0.8
    assert log_ratio(0.1, 0.2) == 0.0, "below half a second all is the same"


def test_who_reads_longer_what_is_longer_correlates() -> None:
    assert rank_correlation([1, 2, 3, 3], [10, 20, 30, 30]) == pytest.approx(1.0)
    assert rank_correlation([1, 2, 3], [3, 2, 1]) == pytest.approx(-1.0)
    assert rank_correlation([1, 2, 3], [7, 7, 7]) is None
