"""How verbs speak: JSON or words on standard output, refusals and progress on standard error."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, NoReturn

import msgspec
import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

NOT_SO: Final = 1
"""Exit status when the thing asked about is not so."""

WRONG_USAGE: Final = 2
"""Exit status for wrong usage or configuration."""

INTERRUPTED: Final = 130
"""Exit status for what somebody ended: 128 and the number of SIGINT, as shells have it."""

_LONGEST_CELL = 400
_WIDEST = 10_000
"""Columns for what must be whole to be of use; a terminal goes on in the next line, a pipe has no width."""


def refuse(sentence: str, code: int) -> NoReturn:
    """Say in one sentence what is wrong and end with the exit status `code`.

    It may quote what stands in a file of somebody else's: nothing in it is for the terminal to obey.
    """
    typer.echo("".join(one if one.isprintable() or one in "\n\t" else ascii(one)[1:-1] for one in sentence), err=True)
    raise typer.Exit(code)


def print_json(value: object) -> None:
    """Print one JSON value."""
    typer.echo(msgspec.json.format(msgspec.json.encode(value, enc_hook=str), indent=2))


def cell(text: str) -> str:
    """A cell of a table that says just this: no markup, and nothing that a terminal would obey.

    Names in a log may be whatever somebody sent: an escape sequence in one could write over what is above it, and one
    of a megabyte would hide all the others.
    """
    cut = text if len(text) <= _LONGEST_CELL else f"{text[:_LONGEST_CELL]}..."
    return escape("".join(one if one.isprintable() else ascii(one)[1:-1] for one in cut))


def whole_console() -> Console:
    """Give a console that never cuts what it prints: half an id is of no use."""
    return Console(highlight=False, width=_WIDEST)


@contextmanager
def byte_bar(label: str, *, is_shown: bool = True) -> Iterator[Callable[[int, int | None], None]]:
    """Draw a progress bar for bytes; nothing where nobody watches, for there it would only fill the log."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    is_hidden = not (is_shown and console.is_terminal)
    with Progress(*columns, TimeRemainingColumn(), console=console, transient=True, disable=is_hidden) as bar:
        task = bar.add_task(label, total=None)

        def show(done_bytes: int, total_bytes: int | None, /) -> None:
            bar.update(task, completed=done_bytes, total=total_bytes)

        yield show
