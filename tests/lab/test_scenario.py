"""A scenario's file: what it may say, and how its mistakes are told."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import tidegate.lab
from tidegate.lab.scenario import Family, Scenario, ScenarioError, World, parse, text_of

HEAD = 'version = 1\nname = "one"\ntitle = "One"\nabout = "It."\nduration_s = 60\n'
FLOOD = "[[attack]]\nfamily = 'request_flood'\nfrom_s = 10\nuntil_s = 20\n"
SHIPPED = sorted((Path(tidegate.lab.__file__).parent / "scenarios").glob("*.toml"))


def test_what_a_file_does_not_say_has_defaults() -> None:
    scenario = parse(HEAD + FLOOD)

    assert scenario.worlds == (World.VIRTUAL,)
    assert scenario.attack[0].family is Family.REQUEST_FLOOD
    assert not parse(HEAD).attack


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (HEAD.replace("version = 1", "version = 2"), "version: expected 1, not 2"),
        ("version = 1", "name: is missing"),
        (HEAD + "warm_s = 60\n", "warm_s: expected less than duration_s"),
        (HEAD + "worlds = []\n", "worlds: expected at least one of virtual, live"),
        (HEAD + FLOOD.replace("20", "61"), "attack[0].until_s: expected more than from_s and at most duration_s"),
        (HEAD + FLOOD + FLOOD.replace("20", "5"), "attack[1].until_s: expected"),
        (HEAD + "[[fault]]\nkind='replica_bad'\nfrom_s=1\nuntil_s=2\nreplica=1\n", "fault[0].replica: there are"),
        (HEAD + "[people]\nlode = 1\n", "people: no such field: lode; did you mean load?"),
        (HEAD + FLOOD + "zest = 1\n", "attack[0]: no such field: zest; there are family, from_s, until_s, intensity"),
        (HEAD + "durations = 1\n", ": no such field: durations; did you mean duration_s?"),
        (HEAD + FLOOD.replace("request_flood", "flood"), "attack[0].family: 'flood' is none of request_flood, slow"),
        (HEAD + "worlds = ['real']\n", "worlds[0]: 'real' is none of virtual, live"),
        (HEAD + "[[odd]]\nkind = 'x'\nfrom_s = 1\nuntil_s = 2\n", "odd[0].kind: 'x' is none of viral_prompt, class"),
        (HEAD + "[[fault]]\nkind = 'x'\nfrom_s = 1\nuntil_s = 2\n", "fault[0].kind: 'x' is none of engine_slow, en"),
        (HEAD + "[[crowd]]\nfrom_s = 1\n", "crowd[0].until_s: is missing"),
        (HEAD + FLOOD + "mimicry = 2.0\n", "attack[0].mimicry: Expected `float` <= 1.0"),
        (HEAD.replace("60", "'long'"), "duration_s: Expected `float`, got `str`"),
        (HEAD.replace('"one"', '"../one"'), "name: expected small letters, digits and single hyphens"),
        (HEAD + "[people", "not valid TOML"),
    ],
)
def test_a_mistake_is_told_by_its_file_and_field(text: str, told: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        parse(text, "mine.toml")

    assert str(caught.value).startswith("mine.toml: ")
    assert told in str(caught.value)


@given(st.text(max_size=200))
def test_whatever_stands_in_a_file_it_is_a_scenario_or_a_mistake(text: str) -> None:
    try:
        found = parse(HEAD + text)
    except ScenarioError:
        return
    assert isinstance(found, Scenario)


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    large, latin = tmp_path / "large.toml", tmp_path / "latin.toml"
    large.write_bytes(b"#" * ((1 << 20) + 1))
    latin.write_bytes(b"title = '\xe9'")

    for path, told in (
        (tmp_path / "none.toml", "No such file"),
        (tmp_path, "Is a directory"),
        (large, r"larger than a scenario can be \(1 MiB\)"),
        (latin, "not UTF-8"),
    ):
        with pytest.raises(ScenarioError, match=told):
            text_of(path)


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_a_shipped_scenario_is_named_as_its_file_and_says_what_it_is(path: Path) -> None:
    scenario = parse(text_of(path))

    assert scenario.name == path.stem
    assert len(scenario.about) > 40
