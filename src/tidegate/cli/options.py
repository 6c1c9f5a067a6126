"""Options that many verbs share, and the settings and data directory that come of them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from tidegate.cli.invocation import command
from tidegate.cli.output import NOT_SO, WRONG_USAGE, refuse
from tidegate.config import Settings, SettingsError, load_data_dir, load_settings

if TYPE_CHECKING:
    from tidegate.adapters.disk.datadir import DataDir

ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", metavar="FILE", envvar="TIDEGATE_CONFIG", help="Settings in TOML."),
]
DataOption = Annotated[
    Path | None,
    typer.Option("--data", metavar="DIR", help="Data directory of the instance (default ~/.local/share/tidegate)."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of words.")]


def settings_of(config: Path | None, data: Path | None, **overrides: Any) -> Settings:
    """Load the settings; ends the program with 2 when one is not usable. Double underscores stand for dots."""
    given = {key.replace("__", "."): value for key, value in overrides.items()}
    try:
        return load_settings(config, overrides={"data_dir": data, **given})
    except SettingsError as error:
        refuse(str(error), WRONG_USAGE)


class Known(msgspec.Struct, frozen=True):
    """Settings for a verb that asks the running service; beside a `mistake` only `data_dir` is of use."""

    settings: Settings
    mistake: str | None = None


def known_of(config: Path | None, data: Path | None) -> Known:
    """Load the settings; when they are not usable, say so and go on with the data directory alone.

    What is wrong in the file is no reason to leave a running service to itself: its operator may be
    about to put that very mistake right.
    """
    try:
        return Known(load_settings(config, overrides={"data_dir": data}))
    except SettingsError as error:
        mistake = str(error)
    try:
        data_dir = load_data_dir(config, data_dir=data)
    except SettingsError:
        refuse(mistake, WRONG_USAGE)
    typer.echo(f"Warning: {mistake}", err=True)
    return Known(Settings(data_dir=data_dir), mistake)


GATE_VERB = "gate --upstream URL"
"""How a gate begins."""

EITHER = ("serve", GATE_VERB)
"""What verbs work on that serve both."""


def datadir_of(settings: Settings, *, may_make: bool, begun_by: tuple[str, ...] = ("serve",)) -> DataDir:
    """Open the data directory; ends the program with 2 when it cannot be used.

    A verb that only looks at an instance may not make one: a mistyped path would
    look like an instance that has lost everything. There it ends with 1, and says
    which verbs begin one.
    """
    from tidegate.adapters.disk.datadir import DataDir, DataDirError

    try:
        if not may_make and not DataDir(settings.data_dir).holds_data():
            begin = " or ".join(command(settings, verb) for verb in begun_by)
            refuse(f"no Tidegate data in {settings.data_dir}: check --data, or begin there with: {begin}", NOT_SO)
        return DataDir.open(settings.data_dir)
    except DataDirError as error:
        refuse(f"data_dir: {error}", WRONG_USAGE)


def is_unsaid(settings: Settings) -> bool:
    """Whether nobody has said which data directory is meant: it is the one that is taken then."""
    unset = {name: text for name, text in os.environ.items() if not name.startswith("TIDEGATE_")}
    return settings.data_dir == load_data_dir(environment=unset)


def is_new(settings: Settings) -> bool:
    """Whether no instance was ever made in the data directory; not so when nobody may look."""
    from tidegate.adapters.disk.datadir import DataDir, DataDirError

    try:
        return not DataDir(settings.data_dir).holds_data()
    except DataDirError:
        return False
