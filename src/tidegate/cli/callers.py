"""`tidegate callers`: who calls a gate before another server, who of them is known from elsewhere, and their keys."""

from __future__ import annotations

import datetime
import sys
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import msgspec
import typer
from rich.markup import escape
from rich.table import Table

from tidegate.cli.asking import Answer, answer_of
from tidegate.cli.desk import carry_out
from tidegate.cli.invocation import command
from tidegate.cli.options import GATE_VERB, ConfigOption, DataOption, JsonOption, Known, known_of
from tidegate.cli.output import NOT_SO, WRONG_USAGE, print_json, refuse, whole_console
from tidegate.core.callers import principal_of
from tidegate.core.credentials import Genuine, Kind, read
from tidegate.services.callers import (
    MOST_LISTED,
    CallerAct,
    CreateCaller,
    CreatedCaller,
    KnownCaller,
    ListCallers,
    RevokeCaller,
    RevokedCaller,
    VouchForCaller,
    principal_from,
)

if TYPE_CHECKING:
    from tidegate.adapters.disk.datadir import DataDir

T = TypeVar("T")

callers_app = typer.Typer(
    help="List the callers of a gate before another server, vouch for them, and give them keys.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Principal = Annotated[
    str | None, typer.Argument(metavar="PRINCIPAL", help="The caller, as 'callers list' names it; or give its key.")
]
KeyOption = Annotated[
    bool, typer.Option("--key-stdin", help="Read the caller's API key from standard input. It is kept nowhere.")
]


@callers_app.command("list")
def list_callers(
    *,
    limit: Annotated[int, typer.Option(min=1, max=MOST_LISTED, help="How many at the most.")] = 100,
    config: ConfigOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the callers who were served last, and how well they are known."""
    callers = _perform(known_of(config, data), lambda _: ListCallers(limit=limit), list[KnownCaller])
    if as_json:
        print_json(callers)
        return
    if not callers:
        typer.echo("No callers yet.")
        return
    has_names = any(caller.name is not None for caller in callers)
    headings = ("Principal", *(["Name"] if has_names else []), "Standing", "Served days", "First seen", "Last served")
    table = Table(*headings, box=None, pad_edge=False)
    for caller in callers:
        standing = f"{caller.standing} (vouched)" if caller.is_vouched else caller.standing
        days = f"{caller.served_days:.1f}"
        name = "(a key of the server's)" if caller.name is None else caller.name
        names = [escape(name)] if has_names else []
        dates = (_date(caller.first_seen_at_s), _date(caller.last_served_at_s))
        table.add_row(caller.principal, *names, standing, days, *dates)
    whole_console().print(table)


@callers_app.command("create")
def create(
    *,
    name: Annotated[str, typer.Option(help="Who it is for, for your own memory.")] = "",
    config: ConfigOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a caller with a key of the gate's own and print the key, once. It counts where the gate adds another key."""
    known = known_of(config, data)
    try:
        act = msgspec.convert({"act": "create_caller", "name": name}, CreateCaller)
    except msgspec.ValidationError:
        refuse("--name: expected at most 200 characters", WRONG_USAGE)
    created = _perform(known, lambda _: act, CreatedCaller, may_make=True)
    if as_json:
        print_json(created)
        return
    typer.echo(created.key)
    end = command(known.settings, f"callers revoke {created.principal}")
    typer.echo(f"This is shown once. Keep it like a password. To end it: {end}", err=True)


@callers_app.command("revoke")
def revoke(
    principal: Principal = None,
    *,
    key_stdin: KeyOption = False,
    config: ConfigOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """End the key that a caller was given, at once, and forget the caller. What is being answered ends as it would."""
    named = _named(principal, key_stdin=key_stdin)
    known = known_of(config, data)
    revoked = _perform(known, lambda datadir: RevokeCaller(principal=named(datadir)), RevokedCaller)
    if as_json:
        print_json(revoked)
    else:
        typer.echo(f"The key of {revoked.principal} counts no more.")


@callers_app.command("vouch")
def vouch(
    principal: Principal = None,
    *,
    key_stdin: KeyOption = False,
    config: ConfigOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Vouch for a caller: it counts as established at once. With its key also for one who never called."""
    named = _named(principal, key_stdin=key_stdin)
    known = known_of(config, data)
    caller = _perform(
        known,
        lambda datadir: VouchForCaller(principal=named(datadir), may_be_new=key_stdin),
        KnownCaller,
        may_make=key_stdin,
    )
    if as_json:
        print_json(caller)
    else:
        typer.echo(f"You vouch for {caller.principal}. It counts as {caller.standing}.")


@callers_app.command("unvouch")
def unvouch(
    principal: Principal = None,
    *,
    key_stdin: KeyOption = False,
    config: ConfigOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take back what was said for a caller."""
    named = _named(principal, key_stdin=key_stdin)
    known = known_of(config, data)
    caller = _perform(known, lambda datadir: VouchForCaller(principal=named(datadir), is_withdrawn=True), KnownCaller)
    if as_json:
        print_json(caller)
    else:
        typer.echo(f"Nobody vouches for {caller.principal} any more. It counts as {caller.standing}.")


def _named(principal: str | None, *, key_stdin: bool) -> Callable[[DataDir], str]:
    """How the caller is named, as soon as there is a data directory whose secret names it."""
    if (principal is None) is not key_stdin:
        refuse("name one caller: by its PRINCIPAL, or by its key with --key-stdin", WRONG_USAGE)
    if principal is not None:
        try:
            name = principal_from(principal)
        except ValueError as error:
            refuse(str(error), WRONG_USAGE)
        return lambda _: name
    key_text = _key()

    def named(datadir: DataDir) -> str:
        from tidegate.adapters.disk.secrets import load_secrets

        secrets = load_secrets(datadir)
        own = read(key_text.split()[-1], Kind.API_KEY, secrets.server_keys)
        return own.principal if isinstance(own, Genuine) else principal_of(key_text, secrets.fingerprint_key)

    return named


def _key() -> str:
    """Asked for unseen at a terminal, one line of anything else."""
    if sys.stdin.isatty():
        text: str = typer.prompt("API key", hide_input=True)
    else:
        try:
            text = sys.stdin.readline()
        except UnicodeDecodeError:
            text = ""
    words = text.split()
    if words and words[0].lower() == "bearer":
        words = words[1:]
    # One that no header can carry is not what the gate will see.
    if len(words) != 1 or not text.strip().isprintable() or not text.isascii():
        refuse("standard input: expected an API key on one line", WRONG_USAGE)
    return text


def _perform(
    known: Known,
    act_on: Callable[[DataDir], CallerAct],
    kind: type[T],
    *,
    may_make: bool = False,
) -> T:
    from tidegate.adapters.disk.secrets import SecretsError

    def here(datadir: DataDir) -> Coroutine[Any, Any, object]:
        return _perform_here(known, datadir, act_on)

    async def there(datadir: DataDir) -> Answer | None:
        try:
            return await answer_of(datadir, "POST", "/callers", act_on(datadir))
        except SecretsError as error:
            refuse(str(error), WRONG_USAGE)

    lacks = "not a gate before another server: it has no callers"
    return carry_out(known, here, there, kind, may_make=may_make, begun_by=(GATE_VERB,), lacks=lacks)


async def _perform_here(known: Known, datadir: DataDir, act_on: Callable[[DataDir], CallerAct]) -> object:
    from tidegate.adapters.disk.secrets import SecretsError
    from tidegate.app.operate import open_caller_desk
    from tidegate.cli.storage import STORAGE_FAULTS, refuse_storage
    from tidegate.services.callers import UnknownCallerError

    try:
        # A word that is kept among somebody's accounts by mistake would never be found by the gate that it is for.
        has_accounts = datadir.database_path.exists() or datadir.user_keys_path.exists()
        if has_accounts and not datadir.callers_path.exists():
            refuse(f"no gate before another server ever ran on {datadir.path}: check --data", NOT_SO)
        async with open_caller_desk(known.settings, datadir) as callers:
            return await callers.perform(act_on(datadir))
    except UnknownCallerError as error:
        refuse(str(error), NOT_SO)
    except STORAGE_FAULTS as error:
        refuse_storage(error)
    except (ValueError, SecretsError) as error:
        refuse(str(error), WRONG_USAGE)


def _date(moment_s: float | None) -> str:
    if moment_s is None:
        return "never"
    return datetime.datetime.fromtimestamp(moment_s, datetime.UTC).date().isoformat()
