"""When somebody comes."""

from __future__ import annotations

import math

import pytest

from tests.lab.actors.playing import play
from tests.lab.actors.scenarios import dice, variation
from tidegate.lab.actors.arrivals import Flow, poisson, ramp, source, waning
from tidegate.lab.acts import Ask, Group, Life, Page, Who

SOMEBODY = Who(name="somebody", group=Group.NEW, address=11 << 24)


def _look() -> Life:
    yield Ask(SOMEBODY, Page())


def test_arrivals_come_at_their_rate_and_independently() -> None:
    times = list(Flow(per_s=5.0, from_s=100.0, until_s=2100.0).arrivals(dice()))

    assert len(times) == pytest.approx(10_000, abs=400)
    assert 100.0 < times[0] <= times[-1] < 2100.0
    assert variation(times) == pytest.approx(1.0, abs=0.05)


def test_the_rate_moves_with_its_factor() -> None:
    wave = Flow(per_s=5.0, factor=lambda at_s: 1.0 + math.sin(at_s * math.tau / 1000.0), peak=2.0, until_s=1000.0)
    times = list(wave.arrivals(dice()))

    assert len(times) == pytest.approx(5000, abs=280)
    up = sum(at_s < 500.0 for at_s in times) / len(times)
    assert up == pytest.approx(0.5 + 1.0 / math.pi, abs=0.03)


def test_a_flow_of_nothing_is_nobody() -> None:
    assert list(Flow(per_s=0.0, until_s=1e9).arrivals(dice())) == []


def test_a_ramp_rises_to_its_full_rate() -> None:
    rising = ramp(100.0, 60.0)

    assert (rising(100.0), rising(130.0), rising(160.0), rising(900.0)) == (0.0, 0.5, 1.0, 1.0)
    assert ramp(100.0, 0.0)(100.0) == 1.0


def test_a_waning_flow_comes_mostly_soon_and_to_its_mean_in_all() -> None:
    flow = Flow(per_s=1.0, factor=waning(50.0, 1050.0), peak=4.0, from_s=50.0, until_s=1050.0)
    times = list(flow.arrivals(dice()))

    assert len(times) == pytest.approx(1000, abs=130)
    assert sum(at_s < 300.0 for at_s in times) / len(times) == pytest.approx(1.0 - 0.75**4, abs=0.06)


def test_part_of_a_flow_is_that_part() -> None:
    assert Flow(per_s=8.0, until_s=1.0).times(0.25).per_s == 2.0


def test_counts_have_their_mean_and_their_spread() -> None:
    rolled = dice()
    counts = [poisson(3.0, rolled) for _ in range(4000)]
    mean = sum(counts) / 4000

    assert mean == pytest.approx(3.0, abs=0.12)
    assert sum((count - mean) ** 2 for count in counts) / 4000 == pytest.approx(3.0, rel=0.15)


def test_a_source_begins_lives_when_they_are_due_and_leaves_out_those_that_are_nobody() -> None:
    flow = Flow(per_s=0.5, from_s=100.0, until_s=300.0)
    due = list(flow.arrivals(dice()))
    begun: list[float] = []

    def begin(at_s: float) -> Life | None:
        begun.append(at_s)
        return _look() if len(begun) % 2 else None

    played = play([source(flow, dice(), begin)])

    assert begun == due
    assert [heard.at_s for heard in played.asks] == pytest.approx(due[::2])
