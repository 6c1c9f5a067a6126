"""`tidegate mode`: how far registration is open, by itself or by the operator's word."""

from __future__ import annotations

import datetime
import math
from collections.abc import Callable, Coroutine, Iterable, Iterator
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer
from rich.table import Table

from tidegate.cli.asking import Answer, answer_of
from tidegate.cli.desk import carry_out
from tidegate.cli.durations import seconds_of
from tidegate.cli.options import ConfigOption, DataOption, JsonOption, Known, known_of
from tidegate.cli.output import WRONG_USAGE, print_json, refuse, whole_console
from tidegate.core.registration.modes import RegistrationMode
from tidegate.services.registration import Outlook, Registration, check_word

if TYPE_CHECKING:
    from tidegate.adapters.disk.datadir import DataDir

mode_app = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="How far registration is open, while the service runs."
)

_SHOWN_MOVES = 10
_SAID_IN_MINUTES_S = 120.0
_STATES = {
    RegistrationMode.OPEN: "Registration is open",
    RegistrationMode.THROTTLED: "Registration is throttled",
    RegistrationMode.WAITING_ROOM: "Registration has a waiting room",
    RegistrationMode.INVITE: "Registration is by invitation only",
    RegistrationMode.CLOSED: "Registration is closed",
}


def _mode_of(text: str) -> RegistrationMode:
    # As people write it: the log, the metrics and the pages spell it in different ways.
    try:
        return RegistrationMode(text.strip().lower().replace("-", "_").replace(" ", "_"))
    except ValueError:
        msg = f"{text!r} is no mode: expected {', '.join(RegistrationMode)}"
        raise typer.BadParameter(msg) from None


@mode_app.command("get")
def get_mode(*, config: ConfigOption = None, data: DataOption = None, json: JsonOption = False) -> None:
    """Show the mode in force, what would move it, and what moved it lately."""
    _print(_told(known_of(config, data), lambda room: room.outlook(), "GET", "/mode"), is_json=json)


@mode_app.command("set")
def set_mode(
    mode: Annotated[
        RegistrationMode,
        typer.Argument(parser=_mode_of, metavar="MODE", help="open, throttled, waiting_room, invite or closed."),
    ],
    *,
    lasts: Annotated[
        str, typer.Option("--for", metavar="TIME", help="For how long: 90s, 30m, 2h, 1.5d; 30 days at most.")
    ] = "1h",
    why: Annotated[str, typer.Option("--why", metavar="TEXT", help="Why, for those who look later.")] = "",
    config: ConfigOption = None,
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Put a mode in force, whatever is measured, until the time is over. People who have an account notice nothing."""
    try:
        for_s = seconds_of(lasts)
    except ValueError as error:
        refuse(f"--for: {error}", WRONG_USAGE)
    try:
        check_word(for_s, why)
    except ValueError as error:
        refuse(f"--{error}", WRONG_USAGE)
    body = {"mode": mode, "for_s": for_s, "why": why}
    _print(
        _told(known_of(config, data), lambda room: room.override(mode, for_s, why), "POST", "/mode", body), is_json=json
    )


@mode_app.command("auto")
def release_mode(*, config: ConfigOption = None, data: DataOption = None, json: JsonOption = False) -> None:
    """Take the operator's word back: what is measured counts again."""
    _print(_told(known_of(config, data), lambda room: room.release(), "POST", "/mode/auto"), is_json=json)


def _told(known: Known, act: Callable[[Registration], Outlook], method: str, path: str, body: object = None) -> Outlook:
    """Have the running service do it; where none runs, do it here: it counts from the next start on."""

    async def here(datadir: DataDir) -> Outlook:
        from tidegate.app.operate import open_registration

        with open_registration(known.settings, datadir) as room:
            return act(room)

    def there(datadir: DataDir) -> Coroutine[Any, Any, Answer | None]:
        return answer_of(datadir, method, path, body)

    return carry_out(known, here, there, Outlook, lacks="a gate before another server: nobody registers there")


def _print(told: Outlook, *, is_json: bool) -> None:
    if is_json:
        print_json(msgspec.to_builtins(told))
        return
    for line in _sentences(told):
        typer.echo(line)
    if told.moves:
        table = Table("When", "From", "To", "By", "Because", box=None, pad_edge=False)
        for move in told.moves[-_SHOWN_MOVES:]:
            by = f"{move.by}, dry run" if move.is_dry else move.by
            table.add_row(_moment(move.at), move.was, move.to, by, _words(move.causes))
        whole_console().print(table)


def _sentences(told: Outlook) -> Iterator[str]:
    yield f"{_STATES[told.mode]}" + (f" since {_moment(told.since)}." if told.since else ".")
    if told.floor is not RegistrationMode.OPEN:
        yield f'accounts.sign_up = "{told.floor}" in the settings: no mode counts that is more open.'
    if told.said is not None:
        why = f": {told.said.why}" if told.said.why else ""
        yield f"By the operator's word until {_moment(told.said.until)}{why}."
        yield f"By itself it would be: {_name(told.automatic)}."
    elif told.is_dry_run:
        yield f"A dry run. Otherwise it would be: {_name(told.automatic)}."
    if told.signals is not None:
        rate, usual = told.signals.attempts_per_min, told.signals.baseline_per_min
        yield f"Sign-ups tried: {rate:.0f} in the last minute; usual at this hour are up to {usual:.0f}."
    if told.line.places:
        wait = (
            ""
            if told.line.queue_s is None
            else f"; whoever comes last waits about {math.ceil(told.line.queue_s / 60)} min"
        )
        yield f"In line: {told.line.places}{wait}."
    judged = told.line.kept + told.line.missed
    if judged:
        yield f"Waits told: {told.line.kept} of {judged} were kept ({told.line.kept / judged:.0%})."
    for pending in told.next:
        when = "held off" if pending.in_s is None else f"in {_span(pending.in_s)}"
        yield f"Next: {_name(pending.to)} {when} ({_words(pending.causes)})."


def _name(mode: str) -> str:
    return mode.replace("_", " ")


def _words(causes: Iterable[str]) -> str:
    return ", ".join(_name(cause) for cause in causes)


def _moment(unix_s: float) -> str:
    return f"{datetime.datetime.fromtimestamp(unix_s, datetime.UTC):%Y-%m-%d %H:%M:%S} UTC"


def _span(seconds: float) -> str:
    return f"{math.ceil(seconds)} s" if seconds < _SAID_IN_MINUTES_S else f"{math.ceil(seconds / 60)} min"
