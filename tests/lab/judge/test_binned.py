"""Quantiles of any number of values, in few bins."""

from __future__ import annotations

import math
import random

import pytest

from tidegate.lab.judge.binned import Binned, share


def filled(values: list[float]) -> Binned:
    binned = Binned()
    for value in values:
        binned.add(value)
    return binned


@pytest.mark.parametrize("part", [0.5, 0.95, 0.99])
def test_a_quantile_is_at_most_one_percent_off(part: float) -> None:
    dice = random.Random(7)
    values = [dice.lognormvariate(0.0, 2.0) for _ in range(5000)]
    exact = sorted(values)[math.ceil(part * len(values)) - 1]

    found = filled(values).quantile(part)

    assert found == pytest.approx(exact, rel=0.01)


def test_memory_is_bounded_whatever_comes() -> None:
    binned = filled([1.1**power for power in range(-400, 400)] + [1e-300, 1e300, math.inf])

    assert binned.bins < 1_750
    assert binned.quantile(1.0) == pytest.approx(1e9, rel=0.02)


def test_what_is_next_to_nothing_is_nothing_and_what_is_no_number_harms_nobody() -> None:
    binned = filled([0.0, -1.0, math.nan, 1e-9, 5.0])

    assert binned.quantile(0.5) == 0.0
    assert binned.count == 5
    assert binned.quantile(1.0) == pytest.approx(5.0, rel=0.01)


def test_two_added_up_say_what_one_alone_would() -> None:
    one, another, both = filled([0.0, 1.0, 2.0]), filled([2.0, 50.0]), filled([0.0, 1.0, 2.0, 2.0, 50.0])

    one.merge(another)

    assert one.spread() == both.spread()


def test_of_nothing_there_is_no_quantile() -> None:
    spread = Binned().spread()

    assert (spread.count, spread.p50, spread.p99) == (0, None, None)
    assert share(0, 0) is None
