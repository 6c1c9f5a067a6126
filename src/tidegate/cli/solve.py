"""`tidegate solve`: do a challenge where there is no browser."""

from __future__ import annotations

import sys
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from tidegate.cli.output import WRONG_USAGE, refuse
from tidegate.core.challenge.solving import NoChallengeError, solve

_LETTERS_MOST = 1024
"""Of standard input: far above any challenge."""


def solve_challenge(
    challenge: Annotated[
        str | None,
        typer.Argument(metavar="[CHALLENGE]", help="The challenge's text; without it, standard input is read."),
    ] = None,
) -> None:
    """Work out the answer to a challenge and print it; how far it is goes to standard error."""
    text = (sys.stdin.read(_LETTERS_MOST) if challenge in {None, "-"} else str(challenge)).strip()
    console = Console(stderr=True)
    columns = (TextColumn("Solving"), BarColumn(), TextColumn("{task.completed}/{task.total}"), TimeRemainingColumn())
    try:
        with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
            task = bar.add_task("", total=None)
            answer = solve(text, lambda done, effort: bar.update(task, completed=done, total=effort))
    except NoChallengeError as error:
        refuse(f"{text[:40]!r}: {error}", WRONG_USAGE)
    typer.echo(answer)
