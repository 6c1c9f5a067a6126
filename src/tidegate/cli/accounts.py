"""`tidegate users` and `tidegate keys`."""

from __future__ import annotations

import datetime
import shlex
import sys
from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
import typer
from rich.table import Table

from tidegate.cli.desk import perform
from tidegate.cli.invocation import command
from tidegate.cli.options import ConfigOption, DataOption, JsonOption, is_new, known_of
from tidegate.cli.output import WRONG_USAGE, cell, print_json, refuse, whole_console
from tidegate.core.accounts import ApiKey, Role
from tidegate.core.quotas.budget import Budget
from tidegate.services.accounts import (
    CreatedKey,
    CreateKey,
    CreateUser,
    KnownUser,
    ListKeys,
    ListUsers,
    RevokeKey,
    SetPassword,
    Vouch,
)

users_app = typer.Typer(
    help="Create and list users, set their passwords, vouch for them, and give them budgets of tokens.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
keys_app = typer.Typer(
    help="Create, list and revoke API keys, and give them budgets of tokens.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Email = Annotated[str, typer.Argument(metavar="EMAIL", help="The user's address.")]
UserOption = Annotated[str, typer.Option("--user", metavar="EMAIL", help="Whose key.")]
KeyId = Annotated[str, typer.Argument(metavar="KEY_ID", help="The id that 'keys list' shows.")]
QuotaOption = typer.Option(metavar="N", help="Tokens it may use in that time; 0 is no limit.")


@users_app.command("create")
def create_user(
    email: Email,
    *,
    role: Annotated[Role, typer.Option(help="What the user may do.")] = Role.USER,
    since: Annotated[
        str | None, typer.Option(metavar="DATE", help="Member since this date (YYYY-MM-DD), for imports.")
    ] = None,
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from standard input, at least 15 characters.")
    ] = False,
    config: ConfigOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Create a user. Without a password they can hold keys, and cannot sign in."""
    member_since_s = None if since is None else _unix_seconds(since)
    password = _password(email) if password_stdin else None
    act = CreateUser(email=email, role=role, password=password, member_since_s=member_since_s)
    known = known_of(config, data)
    was_new = is_new(known.settings)
    user = perform(known, act, KnownUser, may_make=True)
    if was_new:
        typer.echo(f"Made a new data directory: {known.settings.data_dir}", err=True)
    if as_json:
        print_json(user)
    else:
        typer.echo(f"Created {user.role} {user.email} ({user.id}).")
    if password is None:
        give = command(known.settings, f"users password {shlex.quote(user.email)}")
        typer.echo(f"They have no password yet and cannot sign in. To give them one: {give}", err=True)


@users_app.command("password")
def set_password(
    email: Email,
    *,
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from standard input, at least 15 characters.")
    ] = False,
    config: ConfigOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Give a user another password, or a first one; they are signed out everywhere. Their keys stay."""
    if not password_stdin and not sys.stdin.isatty():
        refuse("there is no terminal to ask on: give the password with --password-stdin", WRONG_USAGE)
    perform(known_of(config, data), SetPassword(email=email, password=_password(email)), type(None))
    if as_json:
        print_json({"email": email, "password": "set"})
    else:
        typer.echo(f"The password of {email} is set.")


@users_app.command("vouch")
def vouch(
    email: Email,
    *,
    withdraw: Annotated[bool, typer.Option("--withdraw", help="Take back what was said for them.")] = False,
    config: ConfigOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Vouch for a user, as for somebody you bring from elsewhere: they count as established at once."""
    user = perform(known_of(config, data), Vouch(email=email, is_withdrawn=withdraw), KnownUser)
    if as_json:
        print_json(user)
    elif withdraw:
        typer.echo(f"Nobody vouches for {user.email} any more. They count as {user.standing}.")
    else:
        typer.echo(f"You vouch for {user.email}. They count as {user.standing}.")


@users_app.command("list")
def list_users(*, config: ConfigOption = None, data: DataOption = None, as_json: JsonOption = False) -> None:
    """List all users, oldest first, and how well they are known."""
    known = known_of(config, data)
    users = perform(known, ListUsers(), list[KnownUser])
    if as_json:
        print_json(users)
        return
    rows = [
        (user.email, user.role, _standing(user), _date(user.member_since_s), f"{user.tokens_this_month:,}", user.id)
        for user in users
    ]
    create = command(known.settings, "users create EMAIL")
    headings = ("Email", "Role", "Standing", "Member since", "Tokens this month", "Id")
    print_table(headings, rows, f"No users yet. Create one: {create}")


@keys_app.command("create")
def create_key(
    user: UserOption,
    *,
    name: Annotated[str, typer.Option(help="What the key is for, for your own memory.")] = "",
    quota_per_minute: Annotated[int | None, QuotaOption] = None,
    quota_per_hour: Annotated[int | None, QuotaOption] = None,
    quota_per_day: Annotated[int | None, QuotaOption] = None,
    quota_per_month: Annotated[int | None, QuotaOption] = None,
    config: ConfigOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Create an API key and print it, once."""
    known = known_of(config, data)
    budget = Budget(
        per_minute=quota_per_minute, per_hour=quota_per_hour, per_day=quota_per_day, per_month=quota_per_month
    )
    created = perform(known, CreateKey(email=user, name=name, budget=budget), CreatedKey)
    if as_json:
        print_json({"key": created.text, **_described(created.key)})
        return
    typer.echo(created.text)
    revoke = command(known.settings, f"keys revoke {created.key.id} --user {shlex.quote(user)}")
    typer.echo(f"This is shown once. Keep it like a password. To end it: {revoke}", err=True)


@keys_app.command("list")
def list_keys(
    user: UserOption, *, config: ConfigOption = None, data: DataOption = None, as_json: JsonOption = False
) -> None:
    """List a user's keys, revoked ones too. The keys themselves are not kept and cannot be shown."""
    known = known_of(config, data)
    keys = perform(known, ListKeys(email=user), list[ApiKey])
    if as_json:
        print_json([_described(key) for key in keys])
        return
    rows = [
        (key.id, key.label, key.name, _date(key.created_at_s), _date(key.last_used_at_s), _state(key)) for key in keys
    ]
    headings = ("Id", "Key", "Name", "Created", "Last used", "State")
    create = command(known.settings, f"keys create --user {shlex.quote(user)}")
    print_table(headings, rows, f"{user} has no keys. Create one: {create}")


@keys_app.command("revoke")
def revoke_key(
    key_id: KeyId,
    user: UserOption,
    *,
    config: ConfigOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """End a key at once."""
    perform(known_of(config, data), RevokeKey(email=user, key_id=key_id), type(None))
    if as_json:
        print_json({"id": key_id, "revoked": True})
    else:
        typer.echo(f"{key_id} is revoked.")


def _password(email: str) -> str:
    """Asked for twice and unseen at a terminal, read as it is from anything else."""
    if sys.stdin.isatty():
        asked: str = typer.prompt(f"Password for {email}", hide_input=True, confirmation_prompt=True)
        return asked
    return sys.stdin.readline().rstrip("\r\n")


def _described(key: ApiKey) -> dict[str, Any]:
    described: dict[str, Any] = msgspec.to_builtins(key, enc_hook=str)
    return described


def _unix_seconds(text: str) -> float:
    try:
        return datetime.datetime.combine(datetime.date.fromisoformat(text), datetime.time(), datetime.UTC).timestamp()
    except ValueError:
        refuse(f"--since {text!r}: expected a date such as 2024-05-31", WRONG_USAGE)


def _date(moment_s: float | None) -> str:
    if moment_s is None:
        return "never"
    return datetime.datetime.fromtimestamp(moment_s, datetime.UTC).date().isoformat()


def _standing(user: KnownUser) -> str:
    if user.probation_tokens:
        return f"{user.standing} (probation: {user.probation_tokens:,} tokens a day)"
    return f"{user.standing} (vouched)" if user.is_vouched else user.standing


def _state(key: ApiKey) -> str:
    return "live" if key.revoked_at_s is None else f"revoked {_date(key.revoked_at_s)}"


def print_table(headings: tuple[str, ...], rows: Sequence[Sequence[str]], when_empty: str) -> None:
    """Print rows under their headings, or a sentence when there are none."""
    if not rows:
        typer.echo(when_empty)
        return
    table = Table(*headings, box=None, pad_edge=False)
    for row in rows:
        table.add_row(*map(cell, row))
    whole_console().print(table)
