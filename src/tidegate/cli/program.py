"""All verbs in one program."""

from __future__ import annotations

from typing import Annotated

import typer

import tidegate
from tidegate.cli import accounts, backup, models, serve

app = typer.Typer(
    name="tidegate",
    help="An AI-assistant service you host yourself.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,  # Its tracebacks print local variables: prompts and keys among them.
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"tidegate {tidegate.__version__}")
        raise typer.Exit


@app.callback()
def tidegate_command(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and end.")
    ] = False,
) -> None:
    """An AI-assistant service you host yourself."""
    del version


app.command("serve")(serve.serve)
app.command("backup")(backup.backup)
app.command("restore")(backup.restore)
app.add_typer(accounts.users_app, name="users")
app.add_typer(accounts.keys_app, name="keys")
app.add_typer(models.app, name="models")


def main() -> None:
    """Run the program."""
    app()
