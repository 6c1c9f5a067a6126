"""What a batch costs, found again in what it was made from."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.lab.live.fitting import Beside, Fitted, Read, Wrote, fit

SECONDS = st.floats(1e-4, 0.05)


@given(SECONDS, SECONDS, SECONDS, SECONDS, st.integers(5, 2048))
def test_coefficients_are_found_again(batch_s: float, write_s: float, read_s: float, begin_s: float, most: int) -> None:
    true = Fitted(batch_s=batch_s, write_s=write_s, read_s=read_s, begin_s=begin_s, most_tokens=most)
    found = fit(
        [Wrote(at_once, true.gap_s(at_once)) for at_once in (1, 2, 4)],
        [Read(tokens, true.first_s(tokens)) for tokens in (70, 130, 600)],
        most,
    )

    assert found.gap_s(3) == pytest.approx(true.gap_s(3), rel=1e-3)
    assert found.first_s(200) == pytest.approx(true.first_s(200), rel=1e-3)


def test_a_disturbed_measurement_among_others_of_its_size_counts_for_nothing() -> None:
    true, dice = Fitted(batch_s=0.01, write_s=0.002, read_s=0.005, begin_s=0.01, most_tokens=10), random.Random(1)
    wrote = [Wrote(n, true.gap_s(n) * dice.uniform(0.99, 1.01)) for n in (1, 2, 3, 4) for _ in range(5)]
    read = [Read(n, true.first_s(n) * dice.uniform(0.99, 1.01)) for n in (70, 130, 600) for _ in range(5)]
    found = fit([*wrote, Wrote(2, 9.0)], [*read, Read(130, 99.0)], 10)

    assert found.gap_s(4) == pytest.approx(true.gap_s(4), rel=0.03)
    assert found.first_s(200) == pytest.approx(true.first_s(200), rel=0.03)


TRUE = Fitted(batch_s=0.01, write_s=0.002, read_s=0.005, begin_s=0.01, most_tokens=10, mixed_s=0.004)


def fitted_with(*beside: Beside) -> Fitted:
    wrote = [Wrote(at_once, TRUE.gap_s(at_once)) for at_once in (1, 4)]
    return fit(wrote, [Read(tokens, TRUE.first_s(tokens)) for tokens in (70, 600)], 10, beside)


def test_a_gap_beside_a_prompt_is_two_passes_what_is_read_and_what_both_together_take_longer() -> None:
    assert TRUE.beside_s(3) == pytest.approx(2 * 0.01 + 3 * 0.002 + 7 * 0.005 + 0.004)
    assert fitted_with(Beside(3, TRUE.beside_s(3))).mixed_s == pytest.approx(0.004)
    assert fitted_with(Beside(3, TRUE.beside_s(3)), Beside(1, TRUE.beside_s(1) + 0.002)).mixed_s == pytest.approx(0.005)


def test_of_gaps_beside_a_prompt_one_that_was_disturbed_counts_for_nothing() -> None:
    beside = [Beside(3, TRUE.beside_s(3))] * 4

    assert fitted_with(*beside, Beside(3, 9.0)).mixed_s == pytest.approx(0.004)


def test_both_together_never_take_less_and_without_such_gaps_nothing_is_known_of_them() -> None:
    assert fitted_with(Beside(3, 0.001)).mixed_s == 0.0
    assert fitted_with().mixed_s == 0.0


def test_no_coefficient_is_negative_whatever_was_measured() -> None:
    falling = fit([Wrote(1, 0.03), Wrote(4, 0.02)], [Read(100, 0.9), Read(500, 0.5)], 1000)
    steep = fit([Wrote(1, 0.001), Wrote(4, 0.02)], [Read(100, 0.01), Read(500, 5.0)], 1000)

    for found in (falling, steep):
        assert min(found.batch_s, found.write_s, found.read_s, found.begin_s) >= 0.0
    assert falling.batch_s == pytest.approx(0.025)
    assert falling.write_s == 0.0
    assert steep.batch_s == 0.0


def test_one_size_makes_no_line() -> None:
    with pytest.raises(ValueError, match="two sizes"):
        fit([Wrote(1, 0.01), Wrote(1, 0.02)], [], 10)
