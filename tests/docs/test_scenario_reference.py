"""The page about scenarios names every table, field and word that a scenario's file may have."""

from __future__ import annotations

import re

import msgspec
import pytest

from tidegate.lab.actors.attackers.variants import VARIANTS
from tidegate.lab.scenario import Family, Fault, Oddity, Scenario, parse
from tidegate.lab.traces.lengths import known_lengths
from tools.scenario_reference import HEADINGS, scenario_page


@pytest.fixture(scope="module")
def page() -> str:
    return scenario_page()


def rows(page: str, heading: str) -> dict[str, tuple[str, str]]:
    """What each field of a table is, and its default."""
    part = page.split(f"\n## {heading}\n")[1].split("\n## ", maxsplit=1)[0]
    found = re.findall(r"^\| `(\w+)` \| (.*?) \| (.*?) ?\|$", part, re.MULTILINE)
    return {name: (kind, default) for name, kind, default in found}


@pytest.mark.parametrize(("heading", "table"), HEADINGS)
def test_every_field_of_every_table_has_a_row(page: str, heading: str, table: type[msgspec.Struct]) -> None:
    tables = {"slo", "engine", "people", "crowd", "attack", "fault", "odd", "scale"} if table is Scenario else set()
    expected = [name for name in table.__struct_fields__ if name not in tables]

    assert list(rows(page, heading)) == expected


def test_every_table_of_a_scenario_is_on_the_page(page: str) -> None:
    named = {heading.strip("[]") for heading in re.findall(r"^## (.*)$", page, re.MULTILINE)}
    below = {
        field.name
        for field in msgspec.structs.fields(Scenario)
        if isinstance(field.default, msgspec.Struct) or (field.default == () and field.name != "worlds")
    }

    assert below <= named


def test_bounds_and_defaults_are_those_that_hold(page: str) -> None:
    assert rows(page, "[[attack]]")["bots"] == ("whole number, at least 1, at most 20,000,000", "`100`")
    assert rows(page, "[[attack]]")["mimicry"] == ("number, at least 0, at most 1", "`0.0`")
    assert rows(page, "[[attack]]")["from_s"] == ("number, at least 0, at most 2,678,400", "")
    assert rows(page, "[[attack]]")["family"] == ("a word, see below", "")
    assert rows(page, "[people]")["think_s"] == ("number, at least 0.001, at most 86,400", "`20.0`")
    assert rows(page, "[[fault]]")["step_s"] == ("number, at least -3.1536e+08, at most 315,360,000", "`3600.0`")
    assert rows(page, "[[fault]]")["settings"] == ("settings as in `tidegate.toml`", "empty")
    assert rows(page, "[scale]")["is_drawn"] == ("true or false", "`false`")
    assert rows(page, "(at the top)")["worlds"] == ("a list of words", "`[virtual]`")
    assert rows(page, "(at the top)")["name"][0] == "text"


def test_a_default_that_is_told_is_one_that_is_taken(page: str) -> None:
    """
    What the page says of the people is what a scenario that says nothing of them has.
    """
    people = parse('version = 1\nname = "x"\ntitle = "x"\nabout = "x"\nduration_s = 1.0\n').people
    for name, (_, default) in rows(page, "[people]").items():
        assert default == f"`{getattr(people, name)}`"


def test_every_word_that_may_be_used_is_on_the_page(page: str) -> None:
    for word in (*known_lengths(), *Fault, *Oddity, *Family, *(one for names in VARIANTS.values() for one in names)):
        assert f"`{word}`" in page
    assert set(VARIANTS) == set(Family)
