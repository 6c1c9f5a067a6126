"""A shape moves a load and leaves its mean: a load of 0.5 is one of 0.5, whatever the shape."""

from __future__ import annotations

from array import array
from pathlib import Path
from statistics import fmean, median

import pytest

from tests.lab.traces.packing import tarred, written
from tidegate.lab.traces.counts import Counts
from tidegate.lab.traces.shapes import DAY_S, MOST_POINTS, PEAK_S, PEAK_TO_MEDIAN, Shape, shape, shape_of
from tidegate.lab.traces.sources import TraceError


def mean_of(moved: Shape) -> float:
    count = 50_000
    return fmean(moved.at(moved.period_s * (place + 0.5) / count) for place in range(count))


def test_flat_does_not_move() -> None:
    flat = shape("flat")

    assert {flat.at(t_s) for t_s in (0.0, 1.5, 1e6)} == {1.0}
    assert flat.peak == 1.0


def test_a_day_has_its_peak_in_the_evening_and_its_low_before_people_rise() -> None:
    day = shape("day")
    by_minute = {minute * 60.0: day.at(minute * 60.0) for minute in range(1440)}

    assert max(by_minute, key=lambda t_s: by_minute[t_s]) == PEAK_S
    assert 4 * 3600 <= min(by_minute, key=lambda t_s: by_minute[t_s]) <= 9 * 3600
    assert day.peak / median(by_minute.values()) == pytest.approx(PEAK_TO_MEDIAN, rel=0.01)
    assert mean_of(day) == pytest.approx(1.0, abs=1e-6)
    assert day.at(3600.0) == pytest.approx(day.at(3600.0 + 3 * DAY_S))


def test_a_day_is_stretched_to_the_time_there_is() -> None:
    assert shape("day", 1440.0).at(PEAK_S / 60.0) == pytest.approx(shape("day").peak)


def test_counts_move_a_load_as_they_moved(tmp_path: Path) -> None:
    path = written(tmp_path / "c.csv", "t,count", "0,10", "10,30", "20,20")
    moved = shape(str(path))

    assert [moved.at(t_s) for t_s in (0.0, 5.0, 10.0, 20.0, 25.0, 30.0)] == pytest.approx(
        [0.5, 1.0, 1.5, 1.0, 0.75, 0.5]
    )
    assert moved.peak == 1.5
    assert mean_of(moved) == pytest.approx(1.0, abs=1e-3)
    assert shape(f"file:{path}", 300.0).at(100.0) == pytest.approx(1.5)


def test_counts_are_read_once_and_stretched_as_each_wants_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path / "c.csv", "t,count", "0,10", "10,30", "20,20")
    first = shape(str(path))

    def unread(_: Path) -> Counts:
        pytest.fail("was read before")

    monkeypatch.setattr("tidegate.lab.traces.shapes.read_counts", unread)
    assert (first.period_s, shape(str(path), 300.0).period_s) == (30.0, 300.0)
    monkeypatch.undo()
    written(tmp_path / "c.csv", "t,count", "0,100", "10,30", "20,20")
    assert shape(str(path)).at(0.0) == pytest.approx(2.0)


def test_of_many_counts_neighbours_are_taken_together() -> None:
    moved = shape_of(Counts(0.0, 1.0, array("d", [1.0, 3.0] * MOST_POINTS)))

    assert moved.peak == pytest.approx(1.0)
    assert moved.period_s == 2 * MOST_POINTS


@pytest.mark.parametrize("count", [1, 2, 7])
def test_the_end_of_a_period_leads_to_its_beginning(count: int) -> None:
    moved = Shape([float(place + 1) for place in range(count)], 7.0)

    assert moved.at(7.0 - 1e-9) == pytest.approx(moved.at(0.0), abs=1e-6)
    # A remainder may come out as large as what was divided by.
    assert moved.at(-1e-18) == pytest.approx(moved.at(0.0))


def test_a_shape_that_nobody_knows_is_told_with_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(TraceError, match="shape: expected one of day, flat, or file:PATH of counts, not night"):
        shape("night")
    with pytest.raises(TraceError, match="expected counts of at least 0, some of them above"):
        shape_of(Counts(0.0, 1.0, array("d")))
    with pytest.raises(TraceError, match=r"z: expected counts of at least 0, some of them above"):
        shape(f"file:{tarred(tmp_path / 'z', {'w': '0 0 0'})}")
    with pytest.raises(TraceError, match="absent: No such file"):
        shape(f"file:{tmp_path / 'absent'}")
