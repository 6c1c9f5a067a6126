"""The scenarios that ship are found by name, others by their path."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.lab.staged import TEXT
from tidegate.lab.library import find, names
from tidegate.lab.scenario import ScenarioError


def test_every_shipped_scenario_is_found_by_its_own_name() -> None:
    assert "calm-day" in names()
    assert [find(name).scenario.name for name in names()] == names()


def test_a_file_of_ones_own_is_found_by_its_path(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(TEXT)

    assert find(str(path)).scenario.name == "staged-flood"
    assert find(str(path)).text == TEXT


@pytest.mark.parametrize(
    ("wanted", "said"),
    [("nope", "no scenario of that name"), ("./nope", "No such file"), ("nope.toml", "No such file")],
)
def test_what_is_not_there_is_said(wanted: str, said: str) -> None:
    with pytest.raises(ScenarioError, match=said):
        find(wanted)
