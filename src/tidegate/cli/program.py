"""All verbs in one program."""

from __future__ import annotations

import os
import sys
import traceback
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

import tidegate
from tidegate.cli import (
    accounts,
    backup,
    callers,
    events,
    firewall,
    gate,
    invitations,
    lab,
    lab_replay,
    mode,
    models,
    policy,
    quotas,
    score,
    serve,
    solve,
)
from tidegate.cli.output import INTERRUPTED, NOT_SO

_PLAIN_WORDS = {
    "Input should be a valid integer, unable to parse string as an integer": "expected a whole number",
    "Value error, ": "",
}
"""What the option parser says to programmers, and what people are told instead."""


class _Verbs(TyperGroup):
    """The verbs, whose wrong options are answered in plain words."""

    def invoke(self, ctx: Any) -> Any:
        """Run the verb."""
        try:
            return super().invoke(ctx)
        except typer.BadParameter as error:
            for said, meant in _PLAIN_WORDS.items():
                error.message = error.message.replace(said, meant)
            raise


app = typer.Typer(
    name="tidegate",
    cls=_Verbs,
    help="An AI-assistant service you host yourself.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,  # Its tracebacks print local variables: prompts and keys among them.
    add_completion=False,
    rich_markup_mode=None,  # It takes what stands in square brackets for markup, and leaves it out.
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
app.command("gate")(gate.gate)
app.command("backup")(backup.backup)
app.command("restore")(backup.restore)
app.command("solve")(solve.solve_challenge)
accounts.users_app.command("quota")(quotas.user_quota)
accounts.keys_app.command("quota")(quotas.key_quota)
app.add_typer(accounts.users_app, name="users")
app.add_typer(accounts.keys_app, name="keys")
app.add_typer(invitations.invites_app, name="invites")
app.add_typer(invitations.requests_app, name="requests")
app.add_typer(callers.callers_app, name="callers")
app.add_typer(models.app, name="models")
app.add_typer(mode.mode_app, name="mode")
app.add_typer(policy.policy_app, name="policy")
app.add_typer(firewall.firewall_app, name="firewall")
app.add_typer(events.events_app, name="events")
app.command("score")(score.score)
lab.lab_app.command("replay")(lab_replay.replay_record)
app.add_typer(lab.lab_app, name="lab")


def main() -> None:
    """Run the program, and answer whatever goes wrong in a sentence."""
    # Taken out of the environment: settings refuse a name that they do not know.
    wants_traceback = bool(os.environ.pop("TIDEGATE_TRACEBACK", None))
    try:
        app()
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except Exception as error:  # noqa: BLE001 - the last resort: nothing above has an answer to it
        if wants_traceback:
            traceback.print_exc()
        typer.echo(_last_words(error), err=True)
        sys.exit(NOT_SO)


def _last_words(error: Exception) -> str:
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "tidegate" in Path(frame.filename).parts] or frames
    # Not what it says: that may quote what somebody wrote.
    return (
        f"Unexpected {type(error).__name__} in {Path(ours[-1].filename).name}, line {ours[-1].lineno}. "
        "Please report it, with what TIDEGATE_TRACEBACK=1 shows."
    )
