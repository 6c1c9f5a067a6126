"""`tidegate lab`: what a person is told who does something that cannot be, and which of two runs is which."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.verbs import Verb, sentence
from tests.lab.staged import TEXT, answer, played, question, scenario, who
from tidegate.app import lab
from tidegate.lab.acts import Group
from tidegate.lab.judge import Judge, Result, Staging
from tidegate.lab.judge.findings import write


def test_a_world_that_a_scenario_is_not_for_is_refused_with_those_that_it_is_for(verb: Verb) -> None:
    said = sentence(verb("lab", "run", "calm-day", "--world", "live"), 2)

    assert said == "calm-day: it is not made for the live world; its worlds are: virtual\n"


def test_runs_in_folders_of_one_name_are_told_apart(verb: Verb, tmp_path: Path) -> None:
    for seed, place in enumerate(("a", "b")):
        judge = played(Judge(scenario()))
        for _ in range(seed):
            question(judge, who(Group.NEW), answer(1300.0))
        write(Result(findings=judge.findings(Staging(seed=seed))), tmp_path / place / "run")

    said = verb("lab", "compare", str(tmp_path / "a" / "run"), str(tmp_path / "b" / "run"), COLUMNS="200")
    alone = verb("lab", "compare", str(tmp_path / "a"), str(tmp_path / "b" / "run"))

    heads = said.out.replace("\n", "").replace(" ", "")
    assert "a/run" in heads
    assert "b/run" in heads
    assert alone.code == 2


def test_what_the_live_world_says_while_it_plays_goes_where_progress_goes(
    verb: Verb, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def rehearse(wish: lab.RehearsalWish, *_: object) -> Result:
        wish.say("under rehearsal: http://127.0.0.1:40213")
        return Result(findings=played(Judge(wish.scenario)).findings(Staging()))

    monkeypatch.setattr(lab, "rehearse", rehearse)
    (tmp_path / "staged.toml").write_text(TEXT)

    said = verb("lab", "run", str(tmp_path / "staged.toml"), "--json")

    assert said.err == "under rehearsal: http://127.0.0.1:40213\n"
    assert said.out.startswith("{")


@pytest.mark.parametrize(
    ("was", "becomes", "told"),
    [
        ('"chat-small"', '"chat-tiny"', "mine.toml: lengths: expected one of"),
        ("mimicry = 0.5", 'variant = "z"', "mine.toml: attack[0].variant: expensive_queries has a, b"),
        ("slots = 32", "slotz = 32", "sponge: settings.engine.slotz: no such setting; did you mean engine.slots?"),
        ("[people]\n", "[people]\nturnz = 1\n", "mine.toml: people: no such field: turnz; did you mean turns?"),
    ],
)
def test_a_mistake_in_a_scenario_is_told_with_its_name(
    verb: Verb, tmp_path: Path, was: str, becomes: str, told: str
) -> None:
    mine = tmp_path / "mine.toml"
    mine.write_text(verb("lab", "show", "sponge").out.replace(was, becomes))

    assert told in sentence(verb("lab", "run", str(mine)), 2)


def test_a_mistake_in_an_operators_file_is_told_as_theirs(verb: Verb, tmp_path: Path) -> None:
    (tmp_path / "new.toml").write_text("[engine]\nslotz = 1\n")

    said = sentence(verb("lab", "run", "sponge", "--config", str(tmp_path / "new.toml")), 2)

    assert said == "engine.slotz: no such setting; did you mean engine.slots?\n"


def test_a_name_that_is_nearly_one_is_guessed(verb: Verb) -> None:
    assert "did you mean sponge?" in sentence(verb("lab", "show", "spnge"), 2)
    assert "`tidegate lab list` shows" in sentence(verb("lab", "show", "zzzz"), 2)
