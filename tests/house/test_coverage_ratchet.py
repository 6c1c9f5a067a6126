"""Coverage only goes up: the ratchet says when it fell and when it may be raised."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tools import coverage_ratchet


def report(**files: tuple[int, int]) -> dict[str, Any]:
    """Write what `coverage json` would: covered and total lines, one branch taken of one, for each file."""
    return {
        "files": {
            path.replace("__", "/") + ".py": {
                "missing_lines": list(range(covered + 1, total + 1)),
                "summary": {
                    "covered_lines": covered,
                    "num_statements": total,
                    "covered_branches": 1,
                    "num_branches": 1,
                },
            }
            for path, (covered, total) in files.items()
        }
    }


@pytest.mark.parametrize(
    ("path", "floor"),
    [
        ("src/tidegate/core/admission/bucket.py", "core"),
        ("src/tidegate/app.py", "app"),
        (".venv-test/lib/python3.12/site-packages/tidegate/http/gate.py", "http"),
        ("tests/core/test_bucket.py", "tests"),
    ],
)
def test_a_file_counts_for_its_floor(path: str, floor: str) -> None:
    assert coverage_ratchet.floor_of(path) == floor


def test_lines_and_branches_of_a_floor_are_added_up_and_rounded_down() -> None:
    measured = coverage_ratchet.measure(report(src__tidegate__core__a=(9, 9), src__tidegate__core__b=(9, 11)))

    assert measured == {"core": 90.9}


def test_a_floor_that_fell_is_refused() -> None:
    assert coverage_ratchet.shortfalls({"core": 99.9}, {"core": 100.0})


def test_a_floor_without_a_minimum_is_refused() -> None:
    assert coverage_ratchet.shortfalls({"core": 100.0, "lab": 100.0}, {"core": 100.0})


def test_a_minimum_without_files_is_refused() -> None:
    assert coverage_ratchet.shortfalls({"core": 100.0}, {"core": 100.0, "lab": 50.0})


def test_a_floor_that_kept_its_minimum_passes() -> None:
    assert coverage_ratchet.shortfalls({"core": 100.0, "http": 91.0}, {"core": 100.0, "http": 90.9}) == []


def test_a_floor_well_past_its_minimum_is_named() -> None:
    assert coverage_ratchet.risen({"http": 92.0, "cli": 80.5}, {"http": 91.0, "cli": 80.0}) == ["http"]


def test_raising_takes_whole_percents_and_never_lowers() -> None:
    assert coverage_ratchet.raised({"core": 99.0, "lab": 70.9}, {"core": 100.0}) == {"core": 100.0, "lab": 70.0}


@pytest.fixture
def minima(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "floors.toml"
    path.write_text("[minimum]\ncore = 50.0\n")
    monkeypatch.setattr(coverage_ratchet, "MINIMA", path)
    return path


def test_the_run_fails_below_the_minimum_and_shows_what_is_missing(
    minima: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    measured = tmp_path / "report.json"
    measured.write_text(json.dumps(report(src__tidegate__core__bucket=(1, 9))))

    status = coverage_ratchet.main([str(measured)])

    assert status == 1
    assert "src/tidegate/core/bucket.py: 2, 3, 4, 5, 6, 7, 8, 9\n" in capsys.readouterr().out


def test_the_run_writes_a_raised_minimum_that_it_then_holds(
    minima: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    measured = tmp_path / "report.json"
    measured.write_text(json.dumps(report(src__tidegate__core__bucket=(9, 9))))

    assert coverage_ratchet.main([str(measured)]) == 0
    assert "may be raised" in capsys.readouterr().out
    assert coverage_ratchet.main([str(measured), "--raise"]) == 0
    assert tomllib.loads(minima.read_text())["minimum"] == {"core": 100.0}
