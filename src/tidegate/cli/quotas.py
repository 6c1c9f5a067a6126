"""`tidegate users quota` and `tidegate keys quota`."""

from __future__ import annotations

import datetime
import re
from typing import Annotated

import typer

from tidegate.cli.accounts import Email, KeyId, UserOption, print_table
from tidegate.cli.desk import perform
from tidegate.cli.options import ConfigOption, DataOption, JsonOption, known_of
from tidegate.cli.output import WRONG_USAGE, print_json, refuse
from tidegate.core.quotas.windows import Window
from tidegate.services.accounts import SetQuota
from tidegate.services.allowances import Allowance, Sheet

PerMinute = Annotated[
    str | None,
    typer.Option(
        "--per-minute", metavar="N", help="Tokens a minute; 0 is no limit, 'default' takes back what was set."
    ),
]
PerHour = Annotated[str | None, typer.Option("--per-hour", metavar="N", help="The same an hour.")]
PerDay = Annotated[str | None, typer.Option("--per-day", metavar="N", help="The same a day, in UTC.")]
PerMonth = Annotated[str | None, typer.Option("--per-month", metavar="N", help="The same a month, in UTC.")]


def user_quota(
    email: Email,
    *,
    per_minute: PerMinute = None,
    per_hour: PerHour = None,
    per_day: PerDay = None,
    per_month: PerMonth = None,
    config: ConfigOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what a user may use and has used in tokens, and change it: what is named, from now on."""
    limits = _limits(per_minute, per_hour, per_day, per_month)
    _print_sheet(perform(known_of(config, data), SetQuota(email=email, limits=limits), Sheet), as_json=as_json)


def key_quota(
    key_id: KeyId,
    user: UserOption,
    *,
    per_minute: PerMinute = None,
    per_hour: PerHour = None,
    per_day: PerDay = None,
    per_month: PerMonth = None,
    config: ConfigOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what a key may use and has used in tokens, and change it: what is named, from now on."""
    act = SetQuota(email=user, key_id=key_id, limits=_limits(per_minute, per_hour, per_day, per_month))
    _print_sheet(perform(known_of(config, data), act, Sheet), as_json=as_json)


def _limits(*asked: str | None) -> dict[Window, int | None]:
    limits: dict[Window, int | None] = {}
    for window, text in zip(Window, asked, strict=True):
        if text is not None and text != "default" and not _TOKENS.fullmatch(text):
            refuse(f"--per-{window} {text!r}: expected a number of tokens, or 'default'", WRONG_USAGE)
        if text is not None:
            limits[window] = None if text == "default" else int(text)
    return limits


_TOKENS = re.compile("[0-9]{1,18}")


def _print_sheet(sheet: Sheet, *, as_json: bool) -> None:
    if as_json:
        print_json(sheet)
        return
    rows = [
        (
            window.window,
            f"{window.limit:,}" if window.limit else "no limit",
            _set_by(window),
            f"{window.used:,}",
            "" if window.remaining is None else f"{window.remaining:,}",
            f"{datetime.datetime.fromtimestamp(window.resets_at_s, datetime.UTC):%Y-%m-%d %H:%M} UTC",
        )
        for window in sheet.windows
    ]
    print_table(("One", "Tokens", "Set by", "Used", "Left", "Begins anew"), rows, "")


def _set_by(window: Allowance) -> str:
    if window.is_probation:
        return "probation"
    if window.is_own:
        return "its own"
    return "default" if window.limit else ""
