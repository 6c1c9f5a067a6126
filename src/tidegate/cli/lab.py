"""`tidegate lab`: the attack, rehearsed, and what was decided, decided again."""

from __future__ import annotations

import typer

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Attacks rehearsed, decisions replayed.")
