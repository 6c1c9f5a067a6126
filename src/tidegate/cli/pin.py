"""`tidegate models pin`: takes what answers now for right."""

from __future__ import annotations

import time

import typer

from tidegate.cli.asking import ask
from tidegate.cli.options import ConfigOption, DataOption, JsonOption, datadir_of, known_of
from tidegate.cli.output import print_json


def pin(*, config: ConfigOption = None, data: DataOption = None, as_json: JsonOption = False) -> None:
    """Take the answers of the model that is served now for right, whatever was pinned before."""
    datadir = datadir_of(known_of(config, data).settings, may_make=False)
    told = ask(datadir, "POST", "/pin", instead="it pins a model without a pin when it is first served")
    if as_json:
        print_json(told)
        return
    at = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(told["pinned_at_s"]))
    typer.echo(f"{told['model']} is pinned as it answers now ({at}).")
