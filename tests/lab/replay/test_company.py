"""How many answers ran beside each other, at each moment of a record."""

from __future__ import annotations

import pytest

from tidegate.lab.replay.company import Company

COMPANY = Company([(1.0, 5.0), (2.0, 3.0), (2.0, 4.0)])


@pytest.mark.parametrize(
    ("t", "many"), [(0.5, 1), (1.0, 1), (2.0, 3), (2.5, 3), (3.0, 2), (3.9999999, 1), (4.5, 1), (9.0, 1)]
)
def test_at_each_moment_so_many_ran_and_one_at_least(t: float, many: int) -> None:
    """
    What begins or ends within a hundred-thousandth of a second has done so: times are told no better.
    """
    assert COMPANY.at(t) == many


def test_the_mean_counts_each_for_as_long_as_it_ran() -> None:
    assert COMPANY.mean(1.0, 5.0) == pytest.approx((1 + 3 + 2 + 1) / 4)
    assert COMPANY.mean(2.0, 3.0) == 3.0
    assert COMPANY.mean(2.0, 2.0) == 1.0
