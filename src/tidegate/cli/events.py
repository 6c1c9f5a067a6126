"""`tidegate events`: logs of this and of other systems in one form, docs/bot-score.md."""

from __future__ import annotations

import contextlib
import secrets
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from tidegate.adapters.logs.importing import Importing, LogForm, Tally
from tidegate.adapters.logs.naming import Naming
from tidegate.cli.durations import seconds_of
from tidegate.cli.options import EITHER, ConfigOption, DataOption, datadir_of, known_of
from tidegate.cli.output import NOT_SO, WRONG_USAGE, refuse

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

events_app = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Logs as lines of the event log, for `score` and other readers."
)

_KEY_BYTES = 32
_EXPECTED = frozenset({"src", "sess", "ua", "path", "method", "status", "bytes_out", "referrer", "read_s", "net_kind"})


@events_app.command("import")
def import_events(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE...", help="Logs, plain or gzipped; - is standard input.")
    ],
    *,
    form: Annotated[LogForm, typer.Option("--format", help="Whose log it is.")],
    session: Annotated[
        str | None, typer.Option("--session", metavar="NAME", help="Cookie or query parameter that names the session.")
    ] = None,
    plain: Annotated[
        bool, typer.Option("--plain", help="Keep addresses, sessions, accounts and queries as they are.")
    ] = False,
    data: Annotated[
        Path | None,
        typer.Option("--data", metavar="DIR", help="Make fingerprints as the instance in DIR makes them."),
    ] = None,
) -> None:
    """Print logs of other systems as lines of the event log, ascending in time, on standard output.

    A session is what --session names, or an id behind the user agent; without either it is an address and an
    agent until it was quiet for 30 minutes. Lines that cannot be read are counted and told on standard error.
    """
    importing = Importing(form, Naming(None if plain else _key(data)), session)
    _write(importing.events(files))
    if not plain and data is None:
        typer.echo(
            "Names are fingerprints under a key of this run alone: --data DIR keeps one, --plain none.", err=True
        )
    _tell(importing.tally, form)


@events_app.command("export")
def export_events(
    *,
    since: Annotated[
        str | None,
        typer.Option(
            "--since", metavar="TIME", help="From this time on: 20h for so long ago, ISO 8601 (UTC), or Unix seconds."
        ),
    ] = None,
    until: Annotated[
        str | None, typer.Option("--until", metavar="TIME", help="Before this time, written alike.")
    ] = None,
    config: ConfigOption = None,
    data: DataOption = None,
) -> None:
    """Print this instance's own log as lines of the event log, ascending in time, on standard output."""
    first, last = _time("--since", since, float("-inf")), _time("--until", until, float("inf"))
    folder = datadir_of(known_of(config, data).settings, may_make=False, begun_by=EITHER).logs_path
    # The oldest first: `events.jsonl.3` is older than `events.jsonl.2`, and the one without a number is the newest.
    files = sorted(folder.glob("events.jsonl*"), key=lambda path: -int("0" + path.suffix.removeprefix(".jsonl")[1:]))
    if not files:
        refuse(f"no log in {folder}", NOT_SO)
    importing = Importing(LogForm.TIDEGATE, Naming(None))
    _write(event for event in importing.events(files) if first <= event["t"] < last)
    _tell(importing.tally, LogForm.TIDEGATE)


def _key(data: Path | None) -> bytes:
    if data is None:
        return secrets.token_bytes(_KEY_BYTES)
    from tidegate.adapters.disk.secrets import SecretsError, load_secrets

    try:
        return load_secrets(datadir_of(known_of(None, data).settings, may_make=False, begun_by=EITHER)).fingerprint_key
    except SecretsError as error:
        refuse(str(error), WRONG_USAGE)


def _write(events: Iterable[dict[str, Any]]) -> None:
    encoder, out = msgspec.json.Encoder(), typer.get_binary_stream("stdout")
    try:
        for event in events:
            out.write(encoder.encode(event) + b"\n")
    except OSError as error:
        if error.filename is None:  # Not a file that was named: the pipe behind us, or a full disk.
            raise
        refuse(f"{error.filename}: {error.strerror}", WRONG_USAGE)
    out.flush()


def _tell(tally: Tally, form: LogForm) -> None:
    for line in _said(tally, form):
        typer.echo(line, err=True)
    if tally.complaints.count and not tally.events:
        raise typer.Exit(NOT_SO)


def _said(tally: Tally, form: LogForm) -> Iterator[str]:
    bad = tally.complaints
    yield from bad.shown
    if bad.count > len(bad.shown):
        yield f"... and {bad.count - len(bad.shown)} more lines that could not be read."
    yield (
        f"{tally.events} events; {tally.named_sessions} name their session; {tally.passed} lines about something else; "
        f"{bad.count} could not be read."
    )
    missing = sorted(_EXPECTED - tally.fields.keys())
    if tally.events and missing:
        yield f"No line of this {form} log has: {', '.join(missing)}. What needs these is not judged."


def _ago(text: str) -> float:
    return time.time() - seconds_of(text)


def _time(option: str, text: str | None, unsaid: float) -> float:
    if text is None:
        return unsaid
    for read in (float, _ago):
        with contextlib.suppress(ValueError):
            return read(text)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        refuse(
            f"{option} {text!r}: expected a time such as 2026-11-22T19:00, how long ago such as 20h, or Unix seconds",
            WRONG_USAGE,
        )
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
