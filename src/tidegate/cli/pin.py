"""`tidegate models pin` takes what answers now for right; `served` tells whether it still answers like that."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from tidegate.cli.asking import ask
from tidegate.cli.invocation import program
from tidegate.cli.options import ConfigOption, DataOption, JsonOption, datadir_of, known_of
from tidegate.cli.output import print_json

EngineOption = Annotated[
    str | None,
    typer.Option(metavar="HOST:PORT", help="Only this one of the [[engines]], by the name that `served` shows."),
]


def pin(
    *, engine: EngineOption = None, config: ConfigOption = None, data: DataOption = None, as_json: JsonOption = False
) -> None:
    """Take the answers of the models that are served now for right, whatever was pinned before."""
    datadir = datadir_of(known_of(config, data).settings, may_make=False)
    told = ask(
        datadir,
        "POST",
        "/pin",
        {"engine": engine} if engine else None,
        instead="it pins a model without a pin when it is first served",
    )
    if as_json:
        print_json(told)
        return
    for one in told["pinned"]:
        _say(f"{_name(one)} is pinned as it answers now ({_at(one['pinned_at_s'])}).")
    for one in told["not_pinned"]:
        _say(f"{_name(one)} is not pinned: {one['why']}.")


def served(*, config: ConfigOption = None, data: DataOption = None, as_json: JsonOption = False) -> None:
    """Say of each model that is served, and each engine that serves it, whether it answers as it was pinned."""
    datadir = datadir_of(known_of(config, data).settings, may_make=False)
    told = ask(datadir, "GET", "/pin", instead="nothing is served")
    if as_json:
        print_json([one["report"] for one in told])
        return
    for one in told:
        words = one["words"]
        at = "" if words["at_s"] is None else f" {_at(words['at_s'])}"
        who = "" if one["report"]["replica"] else f"{one['report']['model']}: "
        _say(f"{who}{words['sentence']}{at}")
        for sentence in words["more"]:
            _say(f"  {sentence}")
        for sentence, command in words["steps"]:
            _say(f"  {sentence} {program()}{command.removeprefix('tidegate')}")


def _say(line: str) -> None:
    """Models are named by servers, and what prints must not be a terminal's commands."""
    typer.echo("".join(letter if letter.isprintable() else "?" for letter in line))


def _name(one: dict[str, str | None]) -> str:
    return f"{one['model']} at {one['replica']}" if one["replica"] else f"{one['model']}"


def _at(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(seconds))
