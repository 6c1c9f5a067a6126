"""The lab's guide tells of what there is: its scenario plays, its verbs exist, every scenario has its row."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import msgspec
import pytest
import typer

from tidegate.app.lab import rules_of, settings_of
from tidegate.cli.program import app
from tidegate.lab.calibration import Calibration, find
from tidegate.lab.casting import asks_per_s, cast_of
from tidegate.lab.library import find as find_scenario
from tidegate.lab.library import names
from tidegate.lab.report.words import seconds
from tidegate.lab.scenario import parse

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "lab.md").read_text("utf-8")
README = (ROOT / "README.md").read_text("utf-8")
VERBS = sorted(set(re.findall(r"^(?:\.venv/bin/)?tidegate (lab [^#\n]+)", GUIDE + README, re.MULTILINE)))


def test_the_scenario_of_the_guide_has_people_and_attackers_and_settings_that_are_taken() -> None:
    (text,) = [one for one in re.findall(r"^```toml\n(.*?)^```", GUIDE, re.MULTILINE | re.DOTALL) if "version" in one]
    scenario = parse(text, "docs/lab.md")
    slots = rules_of(settings_of(scenario, None)).admission.slots
    calibration = find(scenario.engine.model)
    per_s = asks_per_s(scenario, calibration, slots)

    assert slots == calibration.slots
    assert scenario.attack
    assert len(cast_of(scenario, per_s, calibration.prompt_weight(slots))) > len(scenario.attack)


@pytest.mark.parametrize("name", names())
def test_every_scenario_that_ships_has_its_row(name: str) -> None:
    scenario = find_scenario(name).scenario
    (row,) = re.findall(rf"^\| `{name}` \| (.*)$", GUIDE, re.MULTILINE)

    assert scenario.odd or row.startswith(f"{seconds(scenario.duration_s)} |")
    assert scenario.attack or scenario.odd or re.search("nothing|nobody|none", row)


def test_every_figure_of_a_calibration_is_told() -> None:
    told = set(re.findall(r"`(\w+)`", "".join(re.findall(r"^\| (`version`.*|`\w+_?\w*`, .*)$", GUIDE, re.MULTILINE))))

    assert {field.name for field in msgspec.structs.fields(Calibration)} <= told


@pytest.mark.parametrize("line", VERBS)
def test_a_verb_is_written_as_it_can_be_typed(line: str) -> None:
    _, verb, *words = shlex.split(line)
    (group,) = [typer.main.get_command(app).commands["lab"]]  # type: ignore[attr-defined] # a group has them
    options = {name for parameter in group.commands[verb].params for name in parameter.opts}

    assert {word for word in words if word.startswith("--")} <= options
