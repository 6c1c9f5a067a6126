"""Options that many verbs share, and the settings and data directory that come of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tidegate.cli.invocation import command
from tidegate.cli.output import NOT_SO, WRONG_USAGE, refuse
from tidegate.config import Settings, SettingsError, load_settings

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


def datadir_of(settings: Settings, *, may_make: bool) -> DataDir:
    """Open the data directory; ends the program with 2 when it cannot be used.

    A verb that only looks at an instance may not make one: a mistyped path would
    look like an instance that has lost everything. There it ends with 1.
    """
    from tidegate.adapters.disk.datadir import DataDir, DataDirError

    try:
        if not may_make and not DataDir(settings.data_dir).holds_data():
            begin = command(settings, "serve")
            refuse(f"no Tidegate data in {settings.data_dir}: check --data, or begin there with: {begin}", NOT_SO)
        return DataDir.open(settings.data_dir)
    except DataDirError as error:
        refuse(f"data_dir: {error}", WRONG_USAGE)


def is_new(settings: Settings) -> bool:
    """Whether no instance was ever made in the data directory; not so when nobody may look."""
    from tidegate.adapters.disk.datadir import DataDir, DataDirError

    try:
        return not DataDir(settings.data_dir).holds_data()
    except DataDirError:
        return False
