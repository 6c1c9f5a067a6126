"""Counts over time are read on an even grid, whichever form they have."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

import pytest

from tests.lab.traces.packing import tarred, written
from tidegate.lab.traces import counts
from tidegate.lab.traces.counts import read_counts, read_windows
from tidegate.lab.traces.sources import TraceError


def test_nabs_counts_are_read_in_universal_time(tmp_path: Path) -> None:
    found = read_counts(
        written(tmp_path / "n.csv", "timestamp,value", "2014-04-10 00:04:00,94.0", "2014-04-10 00:09:00,56")
    )

    assert (found.start_s, found.step_s, list(found.values)) == (1397088240.0, 300.0, [94.0, 56.0])


@pytest.mark.parametrize(
    "lines",
    [("t,count", "10,1", "20,3", "40,7"), tuple(f'{{"t": {t}, "count": {n}}}' for t, n in ((10, 1), (20, 3), (40, 7)))],
)
def test_a_step_that_is_left_out_lies_between_its_neighbours(tmp_path: Path, lines: tuple[str, ...]) -> None:
    found = read_counts(written(tmp_path / "c", *lines))

    assert (found.start_s, found.step_s, list(found.values)) == (10.0, 10.0, [1.0, 3.0, 5.0, 7.0])


def test_a_tar_of_numbers_is_one_count_a_second_wherever_it_is_cut_into_pieces(tmp_path: Path) -> None:
    numbers = [place % 1234 for place in range(70_000)]
    for text in (" ".join(map(str, numbers)), "\n".join(map(str, numbers)) + " \n"):
        found = read_counts(tarred(tmp_path / "w.tbz2", {"workload.txt": text}, "bz2"))

        assert (found.start_s, found.step_s) == (0.0, 1.0)
        assert list(found.values) == numbers


def test_windows_that_somebody_labelled_are_told_by_their_series(tmp_path: Path) -> None:
    path = tmp_path / "windows.json"
    path.write_text(
        json.dumps({"a/b.csv": [["2014-04-10 07:15:00.000000", "2014-04-10 07:16:00.000000"]], "a/c.csv": []}, indent=1)
    )

    assert read_windows(path, "a/b.csv") == [(1397114100.0, 1397114160.0)]
    assert read_windows(path, "a/c.csv") == []
    with pytest.raises(TraceError, match=r"expected one of its 2 series, such as a/b\.csv, not b"):
        read_windows(path, "b")


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ((), "expected counts, and it is empty"),
        (("a,b",), ":1: expected the header timestamp,value or t,count, or JSON objects"),
        (("t,count", "1,2,3"), ":2: expected 2 fields, not 3"),
        (("t,count", "x,1"), ":2: t: expected a number from -1e+15 to 1e+15, not 'x'"),
        (("t,count", "1,-1"), ":2: count: expected a number from 0 to 1e+15, not '-1'"),
        (("t,count", "1,nan"), ":2: count: expected a number"),
        (("t,count", f"1,{'1' * 99}"), ":2: count: expected a number"),
        (("timestamp,value", "now,1"), ":2: expected a date and time"),
        (("t,count", "1,1"), "expected two or more counts in the order of time"),
        (("t,count", "2,1", "1,1"), "expected two or more counts in the order of time"),
        (("t,count", "1,1", "2,1", "3,1", "3,1"), ":5: expected a later time, a multiple of 1 s from the first"),
        (("t,count", "1,1", "2,1", "3,1", "4.5,1"), ":5: expected a later time, a multiple of 1 s from the first"),
        (("t,count", "1,1", "2,1", "3,1", "1e9,1"), ":5: expected a later time, a multiple of 1 s from the first"),
        (('{"t": 1, "count": -1}',), ":1: count: Expected `float` >= 0.0"),
    ],
)
def test_what_is_wrong_with_counts_is_told_by_line(tmp_path: Path, lines: tuple[str, ...], said: str) -> None:
    path = written(tmp_path / "bad", *lines)

    with pytest.raises(TraceError) as caught:
        read_counts(path)
    assert str(caught.value).startswith(str(path))
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("1 2 x 3", "w: after number 0: expected a number from 0"),
        ("1 -2", "expected a number from 0 to 1e+15, not '-2'"),
        ("1" * 70_000, "expected numbers with blanks between them, at most 100"),
        ("1 " * 101, "expected numbers with blanks between them, at most 100"),
        (None, "expected a file in the tar"),
    ],
)
def test_what_is_wrong_with_a_tar_of_counts_is_told(
    tmp_path: Path, text: str | None, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counts, "MOST_STEPS", 100)
    path = tarred(tmp_path / "w.tbz2", {"w": text} if text is not None else {}, "bz2")
    if text is None:
        with tarfile.open(path, "w") as archive:
            archive.add(tmp_path, "folder", recursive=False)

    with pytest.raises(TraceError) as caught:
        read_counts(path)
    assert str(caught.value).startswith(str(path))
    assert said in str(caught.value)
