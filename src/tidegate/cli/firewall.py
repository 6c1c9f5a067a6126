"""`tidegate firewall`: which sources a running service has handed to a firewall, and letting one go."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from tidegate.cli.asking import ask
from tidegate.cli.options import EITHER, ConfigOption, DataOption, JsonOption, datadir_of, known_of
from tidegate.cli.output import NOT_SO, print_json, refuse, whole_console

if TYPE_CHECKING:
    from tidegate.config import Settings

firewall_app = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Sources that were handed to a firewall, while it runs."
)


@firewall_app.command("list")
def list_elements(*, config: ConfigOption = None, data: DataOption = None, json: JsonOption = False) -> None:
    """Show what is kept out, or would be in a dry run, why, and until when."""
    told = _ask(known_of(config, data).settings, "GET", "/firewall")
    if json:
        print_json(told)
        return
    typer.echo(f"Mode: {told['mode']}.")
    if told["mistake"]:
        typer.echo(f"The firewall cannot be told ({told['mistake']}); {told['unsent']} wait, and it is tried again.")
    if told["unwatched_until_s"] > time.time() and told["mode"] != "off":
        typer.echo(f"Hands nothing over before {_moment(told['unwatched_until_s'])}: the last day was not all watched.")
    _print(told["elements"])


@firewall_app.command("forget")
def forget_address(
    address: Annotated[str, typer.Argument(help="An IPv4 or IPv6 address.")],
    *,
    config: ConfigOption = None,
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Let go what holds this address, and what was held against it. The kernel's own set keeps it to its end."""
    told = _ask(known_of(config, data).settings, "POST", "/firewall/forget", {"address": address})
    if json:
        print_json(told)
    else:
        _print(told["elements"])
    if not told["elements"]:
        refuse(f"{address} is not handed over", NOT_SO)


def _print(elements: list[dict[str, Any]]) -> None:
    if not elements:
        typer.echo("Nothing is handed over.")
        return
    table = Table("Prefix", "Pressed by", "Why", "Since", "Until", "Times", box=None, pad_edge=False)
    for one in elements:
        moments = _moment(one["since_s"]), _moment(one["until_s"])
        table.add_row(one["prefix"], one["pressed_by"], one["reason"], *moments, str(one["times"]))
    whole_console().print(table)


def _moment(unix_s: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(unix_s))


def _ask(settings: Settings, method: str, path: str, body: object = None) -> Any:
    datadir = datadir_of(settings, may_make=False, begun_by=EITHER)
    return ask(datadir, method, path, body, instead="nothing is handed over by it")
