"""The scenarios that come with Tidegate, by their names."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Final

import msgspec

from tidegate.lab import scenario
from tidegate.lab.scenario import Scenario, ScenarioError

_PLACE: Final = Path(__file__).parent / "scenarios"
_ENDING: Final = ".toml"


class Written(msgspec.Struct, frozen=True, kw_only=True):
    """A scenario, and the text that it was read from."""

    scenario: Scenario
    text: str


def names() -> list[str]:
    """Give the name of every scenario that ships, in the order of the alphabet."""
    return sorted(path.stem for path in _PLACE.glob(f"*{_ENDING}"))


def find(wanted: str) -> Written:
    """Read the shipped scenario of that name, or the file at that path. Raises ScenarioError."""
    if wanted in names():
        path = _PLACE / f"{wanted}{_ENDING}"
    elif wanted.endswith(_ENDING) or "/" in wanted:
        path = Path(wanted)
    else:
        close = difflib.get_close_matches(wanted, names(), n=1)
        meant = f"did you mean {close[0]}?" if close else "`tidegate lab list` shows those that do."
        msg = f"{wanted}: no scenario of that name comes with Tidegate; {meant} A file's path ends in {_ENDING}"
        raise ScenarioError(msg)
    found = scenario.read(path)
    return Written(scenario=found, text=path.read_text("utf-8"))
