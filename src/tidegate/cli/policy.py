"""`tidegate policy`: the limits, shares and lists of a running service, exchanged without a restart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer
from rich.table import Table

from tidegate.cli.asking import ask
from tidegate.cli.options import EITHER, ConfigOption, DataOption, JsonOption, datadir_of, known_of, settings_of
from tidegate.cli.output import print_json, whole_console

if TYPE_CHECKING:
    from tidegate.config import Settings

policy_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Limits, shares and lists, while it runs.")


@policy_app.command("show")
def show_policy(*, config: ConfigOption = None, data: DataOption = None, json: JsonOption = False) -> None:
    """Show what is in force."""
    told = _ask(known_of(config, data).settings, "GET", "/policy")
    if json:
        print_json(told)
        return
    table = Table("Setting", "In force", box=None, pad_edge=False)
    for name, value in told["policy"].items():
        table.add_row(name, _shown(value))
    whole_console().print(table)


@policy_app.command("check")
def check_policy(*, config: ConfigOption = None, data: DataOption = None, json: JsonOption = False) -> None:
    """Show what a reload would change, and whether the settings are usable; nothing changes."""
    _tell(
        _ask(settings_of(config, data), "GET", "/policy/preview"),
        "Would change",
        json,
    )


@policy_app.command("reload")
def reload_policy(*, config: ConfigOption = None, data: DataOption = None, json: JsonOption = False) -> None:
    """Have the service read its settings again. Answers that run go on; a mistake changes nothing."""
    _tell(
        _ask(settings_of(config, data), "POST", "/policy/reload"),
        "Changed",
        json,
    )


@policy_app.command("rollback")
def roll_back_policy(*, config: ConfigOption = None, data: DataOption = None, json: JsonOption = False) -> None:
    """Put back what was in force before the last change. The file stays as it is: mend it before the next reload."""
    known = known_of(config, data)
    _tell(_ask(known.settings, "POST", "/policy/rollback"), "Changed", json)


def _tell(change: dict[str, Any], verb: str, is_json: bool) -> None:
    if is_json:
        print_json(change)
        return
    if change["changed"]:
        table = Table("Setting", "Before", "Now", box=None, pad_edge=False)
        for name, (before, now) in change["changed"].items():
            table.add_row(name, _shown(before), _shown(now))
        typer.echo(f"{verb}:")
        whole_console().print(table)
    else:
        typer.echo("Nothing differs from what is in force.")
    if change["needs_restart"]:
        typer.echo("Only counts after a restart: " + ", ".join(change["needs_restart"]))


def _shown(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "(none)"
    if value is None:
        return "(default)"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _ask(settings: Settings, method: str, path: str) -> Any:
    datadir = datadir_of(settings, may_make=False, begun_by=EITHER)
    return ask(datadir, method, path, instead="it reads its settings when it starts")
